// @vitest-environment jsdom

import { render } from "preact";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Overview } from "../src/api/types";
import { Aside } from "../src/pages/terminal/aside";
import { Status } from "../src/pages/terminal/status";
import { Later } from "../src/parts/later";
import { overview } from "../src/state/store";
import type { State } from "../src/terminal/world";
import { Bed, settled } from "./terminal-bed";

const place = document.createElement("div");
let bed: Bed;

beforeEach(() => {
  bed = new Bed();
  document.body.append(place);
});

afterEach(() => {
  render(null, place);
  overview.data.value = null;
});

function shown(state: State): void {
  render(<Aside state={state} connection={bed.connection} />, place);
}

function press(name: string): void {
  const button = [...place.querySelectorAll("button")].find(({ textContent }) => textContent === name);
  if (!button) throw new Error(`there is no button ${name} in ${place.innerHTML}`);
  button.click();
}

describe("where there is no terminal", () => {
  it("the page says why in the words of the server, and which command does instead", () => {
    overview.data.value = { instance: "demo" } as unknown as Overview;
    shown({ is: "none", reason: "the web terminal is switched off; ODD_WEB_TERMINAL=on switches it on" });
    expect(place.querySelector("h2")?.textContent).toBe("No terminal here");
    expect(place.textContent).toContain("The web terminal is switched off; ODD_WEB_TERMINAL=on switches it on.");
    expect(place.querySelector("code")?.textContent).toBe("odd watch --instance demo");
  });

  it("it is asked again on demand", async () => {
    shown({ is: "none", reason: "off" });
    press("Try again");
    await settled();
    expect(bed.shown.length).toBe(1);
  });

  it("what the server says is text", () => {
    shown({ is: "none", reason: "<img src=x>\u202e" });
    expect(place.querySelector("img")).toBeNull();
    expect(place.textContent).toContain("<img src=x>\ufffd");
  });
});

describe("the form for the token", () => {
  it("shows what was written to the server, and keeps it out of sight", async () => {
    shown({ is: "token", wrong: false });
    const field = place.querySelector("input");
    if (!field) throw new Error("there is no field");
    expect([field.type, field.labels?.[0]?.textContent]).toEqual(["password", "Token"]);
    expect(place.querySelector("[role=alert]")).toBeNull();
    field.value = " a token of sixteen ";
    place.querySelector("form")?.dispatchEvent(new Event("submit", { cancelable: true }));
    await settled();
    expect(bed.shown).toEqual(["a token of sixteen"]);
  });

  it("says that a token was wrong", () => {
    shown({ is: "token", wrong: true });
    expect(place.querySelector("[role=alert]")?.textContent).toBe("This token is not the right one.");
    expect(place.querySelector("input")?.getAttribute("aria-invalid")).toBe("true");
  });
});

describe("a session that does not go on by itself", () => {
  it("is had back, or replaced", async () => {
    bed.keys.name = "mine";
    bed.otherTab = "its key";
    shown({ is: "taken" });
    press("Take it back");
    await settled();
    expect(bed.keys.session).toBe("its key");
    press("New session");
    await settled();
    expect([bed.keys.session, bed.keys.name]).toEqual([null, null]);
  });

  it("says how it ended", () => {
    shown({ is: "ended", message: "the program has ended with exit code 2" });
    expect(place.textContent).toContain("The program has ended with exit code 2.");
  });

  it("shows nothing while all is well", () => {
    shown({ is: "live", readOnly: false });
    expect(place.textContent).toBe("");
  });
});

describe("the state of the connection", () => {
  it("is told politely, and a countdown in silence", () => {
    const again = vi.fn();
    render(<Status state={{ is: "waiting", until: Date.now(), why: "lost" }} again={again} />, place);
    expect(place.querySelector("[role=status]")?.getAttribute("aria-live")).toBe("off");
    expect(place.textContent).toContain("lost");
    press("Try now");
    expect(again).toHaveBeenCalledOnce();
    render(<Status state={{ is: "connecting" }} again={again} />, place);
    expect(place.querySelector("[role=status]")?.getAttribute("aria-live")).toBe("polite");
  });
});

describe("a part of the page that is loaded later", () => {
  it("is shown once it is there, and told where it cannot be had", async () => {
    const there = async () => () => <p>the part</p>;
    render(<Later load={there} what="the part" />, place);
    expect(place.textContent).toBe("Asking…");
    await vi.waitFor(() => expect(place.textContent).toBe("the part"));
    render(null, place);
    const gone = () => Promise.reject(new TypeError("Failed to fetch"));
    render(<Later load={gone} what="the part" />, place);
    await vi.waitFor(() => expect(place.querySelector("[role=alert]")?.textContent).toContain("could not be loaded"));
  });
});
