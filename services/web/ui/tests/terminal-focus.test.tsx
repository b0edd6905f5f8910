// @vitest-environment jsdom

import { render } from "preact";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Focus, isFree } from "../src/pages/terminal/focus";
import { Help } from "../src/pages/terminal/help";
import { NOTICE_MS, Notices } from "../src/pages/terminal/notices";
import { names } from "../src/terminal/platform";

const SCREEN = '<div class="terminal-place"><textarea></textarea></div>';
const ENDED = '<div class="terminal-aside"><button>copy</button><button class="primary">New session</button></div>';
const TOKEN = '<form class="terminal-aside"><button>copy</button><input><button class="primary">Open</button></form>';

beforeEach(() => {
  document.body.innerHTML = `<a href="#/">link</a><main tabindex="-1"><section id="panel">${SCREEN}</section><button id="other">other</button></main>`;
});

afterEach(() => {
  vi.useRealTimers();
});

const at = (selector: string) => {
  const found = document.querySelector<HTMLElement>(selector);
  if (!found) throw new Error(`there is no ${selector}`);
  return found;
};
const panel = () => at("#panel");

describe("the keyboard", () => {
  it("is taken from the page as such and from the terminal's panel, and from nothing else", () => {
    for (const selector of ["body", "main", "textarea"]) expect(isFree(at(selector), panel()), selector).toBe(true);
    expect(isFree(null, panel())).toBe(true);
    for (const selector of ["a", "#other"]) expect(isFree(at(selector), panel()), selector).toBe(false);
  });

  it("goes from the terminal to what is to be done in its place", () => {
    const focus = new Focus();
    at("textarea").focus();
    focus.note(panel());
    panel().innerHTML = ENDED;
    focus.enter(panel());
    expect(document.activeElement?.textContent).toBe("New session");
  });

  it("goes back to the field after a wrong token, over what was shown in between", () => {
    const focus = new Focus();
    panel().innerHTML = TOKEN;
    at("input").focus();
    focus.note(panel());
    panel().innerHTML = SCREEN;
    expect(document.activeElement).toBe(document.body);
    focus.note(panel());
    panel().innerHTML = TOKEN;
    focus.enter(panel());
    expect(document.activeElement).toBe(at("input"));
  });

  it("stays where it is elsewhere", () => {
    const focus = new Focus();
    at("textarea").focus();
    focus.note(panel());
    at("#other").focus();
    focus.note(panel());
    panel().innerHTML = ENDED;
    focus.enter(panel());
    expect(document.activeElement).toBe(at("#other"));
  });

  it("stays where it is in what is to be done", () => {
    const focus = new Focus();
    panel().innerHTML = ENDED;
    at(".terminal-aside button").focus();
    focus.note(panel());
    focus.enter(panel());
    expect(document.activeElement?.textContent).toBe("copy");
  });
});

describe("notices", () => {
  it("pass, and what is urgent stays until it is settled", () => {
    vi.useFakeTimers();
    const notices = new Notices();
    notices.say("for looking only", false);
    notices.say("the session ends soon", true);
    expect(notices.shown.value).toBe("the session ends soon");
    vi.advanceTimersByTime(10 * NOTICE_MS);
    expect(notices.shown.value).toBe("the session ends soon");
    notices.say("copied", false);
    expect(notices.shown.value).toBe("copied");
    vi.advanceTimersByTime(NOTICE_MS);
    expect(notices.shown.value).toBe("the session ends soon");
    notices.settle();
    expect(notices.shown.value).toBe("");
  });
});

describe("the help", () => {
  it("names the keys of the machine", () => {
    const place = document.createElement("div");
    const keys = (mac: boolean) => {
      render(<Help id="help" names={names(mac)} hidden={false} />, place);
      return [...place.querySelectorAll("kbd")].map(({ textContent }) => textContent);
    };
    expect(keys(false)).toEqual(["F6", "Shift", "Ctrl", "Ctrl+Shift+V"]);
    expect(keys(true)).toEqual(["F6", "Option", "Cmd", "Cmd+V"]);
    render(null, place);
  });
});
