// @vitest-environment jsdom

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

const html = readFileSync(join(__dirname, "../launcher/launcher.html"), "utf8");
const page = new DOMParser().parseFromString(html, "text/html");
const script = page.querySelector("script")?.textContent ?? "";

/// Addresses at which something answers, and at which there is a picture.
let answers: string[] = [];
let pictures: string[] = [];
let asked: string[] = [];
let hidden = false;

class FakeImage {
  onload: (() => void) | null = null;
  onerror: (() => void) | null = null;
  set src(address: string) {
    asked.push(address);
    const isThere = pictures.some((picture) => address.startsWith(`${picture}?`));
    queueMicrotask(() => (isThere ? this.onload : this.onerror)?.());
  }
}

const byId = (id: string): HTMLElement => {
  const found = document.getElementById(id);
  if (!found) throw new Error(`there is no ${id}`);
  return found;
};
const state = () => byId("state").textContent;
const opened = vi.fn((event: Event) => event.preventDefault());

/// Ends what the page listens to, as the browser does when it is left.
let leave = () => {};

/// As the browser would open it.
async function open(): Promise<void> {
  leave();
  const heard = [document, window].map((place) => ({ place, spy: vi.spyOn(place, "addEventListener") }));
  document.body.replaceChildren(...document.importNode(page.body, true).childNodes);
  byId("dashboard").addEventListener("click", opened);
  new Function(script)();
  leave = () => {
    dispatchEvent(new Event("pagehide"));
    for (const { place, spy } of heard) {
      for (const [name, listener] of spy.mock.calls) place.removeEventListener(name, listener);
      spy.mockRestore();
    }
    leave = () => {};
  };
  await vi.advanceTimersByTimeAsync(0);
}

function write(offset: string): void {
  (byId("offset") as HTMLInputElement).value = offset;
  byId("offset").dispatchEvent(new Event("input", { bubbles: true }));
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("Image", FakeImage);
  vi.stubGlobal("fetch", async (address: string, made: RequestInit) => {
    asked.push(address);
    expect(made.mode).toBe("no-cors");
    if (!answers.some((answer) => address.startsWith(answer))) throw new TypeError("Failed to fetch");
    return new Response();
  });
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  [answers, pictures, asked, hidden] = [[], [], [], false];
  opened.mockClear();
  localStorage.clear();
});

afterEach(() => {
  leave();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const HERE = "http://127.0.0.1:8081";

describe("the launcher", () => {
  it("says how to start what does not run, and asks again, less and less often", async () => {
    await open();
    expect(state()).toContain("It does not run");
    expect(byId("start").hidden).toBe(false);
    expect([byId("up").textContent, byId("install").textContent]).toEqual(["odd up", "make install"]);
    expect(asked).toEqual([`${HERE}/healthz`]);
    await vi.advanceTimersByTimeAsync(60_000);
    const often = asked.length;
    expect(often).toBeGreaterThan(6);
    expect(often).toBeLessThan(14);
  });

  it("goes to the dashboard once that runs, unless somebody wants to stay", async () => {
    await open();
    [answers, pictures] = [[HERE], [`${HERE}/icon.svg`]];
    await vi.advanceTimersByTimeAsync(1_000);
    expect(state()).toContain("It runs");
    expect(byId("start").hidden).toBe(true);
    expect(byId("running").hidden).toBe(false);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(opened).toHaveBeenCalledOnce();
    expect((byId("dashboard") as HTMLAnchorElement).href).toBe(`${HERE}/`);
  });

  it("stays where that is wanted", async () => {
    [answers, pictures] = [[HERE], [`${HERE}/icon.svg`]];
    await open();
    byId("stay").click();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(opened).not.toHaveBeenCalled();
    expect(state()).toContain("It runs");
    (byId("by-itself") as HTMLInputElement).click();
    await open();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(opened).not.toHaveBeenCalled();
  });

  it("knows the plain page too, and tells another program from an observatory", async () => {
    [answers, pictures] = [[HERE], [`${HERE}/assets/icon.svg`]];
    await open();
    expect(state()).toContain("It runs");
    pictures = [];
    await vi.advanceTimersByTimeAsync(5_000);
    expect(state()).toContain("Something else has the port");
    expect(byId("stay").hidden).toBe(true);
  });

  it("asks at the port that the offset says, which it keeps", async () => {
    await open();
    answers = ["http://127.0.0.1:8681"];
    pictures = ["http://127.0.0.1:8681/icon.svg"];
    write("600");
    expect(byId("up").textContent).toBe("odd up --port-offset 600");
    await vi.advanceTimersByTimeAsync(300);
    expect(state()).toContain("It runs");
    expect((byId("terminal") as HTMLAnchorElement).href).toBe("http://127.0.0.1:8681/#/terminal");
    await open();
    expect((byId("offset") as HTMLInputElement).value).toBe("600");
  });

  it("asks nobody where the offset is none", async () => {
    await open();
    asked = [];
    for (const wrong of ["", "-1", "1.5", "49864", "1e3"]) {
      write(wrong);
      expect(byId("offset").getAttribute("aria-invalid"), wrong).toBe("true");
      await vi.advanceTimersByTimeAsync(20_000);
    }
    expect(asked).toEqual([]);
    expect(state()).toContain("Which port?");
  });

  it("asks nothing while nobody looks", async () => {
    await open();
    hidden = true;
    document.dispatchEvent(new Event("visibilitychange"));
    asked = [];
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toEqual([]);
    hidden = false;
    document.dispatchEvent(new Event("visibilitychange"));
    expect(asked.length).toBe(1);
  });

  it("is one file that asks nobody but this machine", () => {
    const addresses = html.match(/\b(?:https?|wss?):\/\/[^\s"'`<>;)]*/g) ?? [];
    const foreign = addresses.filter((address) => !/^http:\/\/(127\.0\.0\.1|www\.w3\.org\/2000\/svg)/.test(address));
    expect(foreign).toEqual([]);
    expect(page.querySelectorAll("script[src], link[rel=stylesheet], iframe, img").length).toBe(0);
    expect(html).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\son\w+=/);
  });
});
