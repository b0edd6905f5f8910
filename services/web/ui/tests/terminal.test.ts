import { describe, expect, it, vi } from "vitest";
import { Attention } from "../src/pages/terminal/attention";
import { Latch, sequence, withControl } from "../src/pages/terminal/keyboard";
import { said } from "../src/pages/terminal/status";
import { pause } from "../src/terminal/backoff";
import { copied, isCopy, isPaste } from "../src/terminal/clipboard";
import { Input, MOST_TYPED } from "../src/terminal/input";
import { handedOver, Keys } from "../src/terminal/keys";
import { isMeant, ofWeb, target } from "../src/terminal/links";
import { MOST_WAITING, Output } from "../src/terminal/output";
import { names } from "../src/terminal/platform";
import { pieces, within } from "../src/terminal/protocol";
import { type Channel, Tabs } from "../src/terminal/tabs";
import { ticket } from "../src/terminal/ticket";

describe("the wait before the next try", () => {
  it("doubles up to half a minute, less a random half", () => {
    expect([1, 2, 3, 6, 7, 8, 100].map((number) => pause(number, 1))).toEqual([
      500, 1_000, 2_000, 16_000, 30_000, 30_000, 30_000,
    ]);
    expect([pause(1, 0), pause(100, 0)]).toEqual([250, 15_000]);
  });
});

describe("a token in the address", () => {
  it("is taken out of it", () => {
    expect(handedOver("#token=abc")).toEqual({ token: "abc", rest: "#/" });
    expect(handedOver("#token=a%2Bb")).toEqual({ token: "a+b", rest: "#/" });
    expect(handedOver("#/terminal?token=abc")).toEqual({ token: "abc", rest: "#/terminal" });
    expect(handedOver("#/?q=a%3Ab&token=abc")).toEqual({ token: "abc", rest: "#/?q=a%3Ab" });
    expect(handedOver("#token=")).toEqual({ token: "", rest: "#/" });
  });

  it("is none where there is none", () => {
    for (const fragment of ["", "#", "#/", "#/jobs/token=1", "#/?q=token"]) expect(handedOver(fragment)).toBeNull();
  });
});

describe("what is kept for this tab", () => {
  it("is kept in the page where the browser keeps nothing", () => {
    const keys = new Keys(() => {
      throw new DOMException("no storage", "SecurityError");
    });
    expect(keys.session).toBeNull();
    keys.session = "a";
    keys.token = "b";
    expect([keys.session, keys.token]).toEqual(["a", "b"]);
    keys.session = null;
    expect([keys.session, keys.token]).toEqual([null, "b"]);
  });
});

describe("input", () => {
  it("is cut into pieces, never within a character, and half characters are replaced", () => {
    expect(pieces("")).toEqual([]);
    const long = `${"a".repeat(8_191)}😀${"b".repeat(9_000)}`;
    const cut = pieces(long);
    expect(cut.join("")).toBe(long);
    expect(cut.every((piece) => piece.length <= 8_192 && pieces(piece)[0] === piece)).toBe(true);
    expect(pieces("a\ud83db\ude00")).toEqual(["a\ufffdb\ufffd"]);
    const worst = new TextEncoder().encode(JSON.stringify({ type: "input", data: "\u0001".repeat(8_192) })).length;
    expect(worst).toBeLessThan(65_536);
  });

  it("is bounded", () => {
    const sent: string[] = [];
    const input = new Input(
      (data) => sent.push(data),
      () => undefined,
    );
    input.type("first");
    expect(input.type("a".repeat(MOST_TYPED))).toBe(true);
    expect(input.type("b")).toBe(false);
    expect(sent).toEqual(["first"]);
  });

  it("has sizes that the server takes", () => {
    expect(within({ columns: 0, rows: 5_000 })).toEqual({ columns: 1, rows: 1_000 });
    expect(within({ columns: Number.NaN, rows: 24.9 })).toEqual({ columns: 1, rows: 24 });
  });
});

describe("output", () => {
  function shown() {
    const written: Uint8Array[] = [];
    const done: (() => void)[] = [];
    const flooded = vi.fn();
    const write = (bytes: Uint8Array, then: () => void) => {
      written.push(bytes);
      done.push(then);
    };
    const output = new Output({ write }, flooded);
    return { output, written, flooded, next: () => done.shift()?.() };
  }

  it("waits until the screen has taken what came before, and goes on in larger portions", () => {
    const { output, written, next } = shown();
    for (const byte of [1, 2, 3]) output.take(Uint8Array.of(byte));
    expect(written).toEqual([Uint8Array.of(1)]);
    next();
    expect(written).toEqual([Uint8Array.of(1), Uint8Array.of(2, 3)]);
    next();
    expect(written.length).toBe(2);
  });

  it("is given up where too much waits, and begins anew", () => {
    const { output, written, flooded, next } = shown();
    const much = new Uint8Array(MOST_WAITING / 4);
    for (let turn = 0; turn < 5; turn += 1) output.take(much);
    expect(flooded).not.toHaveBeenCalled();
    output.take(much);
    expect(flooded).toHaveBeenCalledOnce();
    output.fresh();
    output.take(Uint8Array.of(65));
    next();
    expect(written.at(-1)).toEqual(Uint8Array.of(0x1b, 0x63, 65));
  });
});

describe("tabs", () => {
  /// Channels that hear each other.
  function ether() {
    const all: ((event: MessageEvent<unknown>) => void)[] = [];
    return (): Channel => {
      let own: ((event: MessageEvent<unknown>) => void) | undefined;
      return {
        addEventListener: (_, listener) => {
          own = listener;
          all.push(listener);
        },
        removeEventListener: (_, listener) => void all.splice(all.indexOf(listener), 1),
        postMessage: (data) => {
          for (const listener of all) if (listener !== own) listener({ data } as MessageEvent<unknown>);
        },
        close: () => undefined,
      };
    };
  }

  it("hand over the session that they have, and no other", async () => {
    vi.useFakeTimers();
    const open = ether();
    const asks = new Tabs(() => null, open);
    const has = new Tabs(() => ({ name: "mine", key: "its key" }), open);
    await expect(asks.ask("mine")).resolves.toBe("its key");
    const other = asks.ask("another");
    await vi.advanceTimersByTimeAsync(1_000);
    await expect(other).resolves.toBeNull();
    has.close();
    const gone = asks.ask("mine");
    await vi.advanceTimersByTimeAsync(1_000);
    await expect(gone).resolves.toBeNull();
    vi.useRealTimers();
  });
});

describe("a ticket", () => {
  async function answered(status: number, body: unknown, token: string | null = null) {
    const asked = vi.fn(async (_: string, _made: RequestInit) => new Response(JSON.stringify(body), { status }));
    vi.stubGlobal("fetch", asked);
    const answer = await ticket(token);
    vi.unstubAllGlobals();
    return { answer, made: asked.mock.calls[0]?.[1] };
  }

  it("is asked for with the token, which stands in no address", async () => {
    const { answer, made } = await answered(200, { ticket: "t", expiresInMs: 30_000 }, "a-secret-of-the-test");
    expect(answer).toEqual({ is: "given", ticket: "t" });
    expect(made).toMatchObject({ method: "POST", headers: { authorization: "Bearer a-secret-of-the-test" } });
    expect((await answered(200, { ticket: "t" })).made?.headers).toEqual({});
  });

  it("is asked for without what cannot be a token, which counts as a wrong one", async () => {
    const none = ["", "short", "a token with spaces", "a-tokén-of-the-test", "x".repeat(257), "a-token-of-the-\ntest"];
    for (const token of none) {
      const { answer, made } = await answered(401, {}, token);
      expect(answer, token).toEqual({ is: "token", wrong: true });
      expect(made?.headers, token).toEqual({});
    }
    // A role that asks for none is not kept from anybody by one.
    expect((await answered(200, { ticket: "t" }, "kurz é")).answer).toEqual({ is: "given", ticket: "t" });
  });

  it("is refused for good, for want of a token, or for now", async () => {
    const none = { code: "not_configured", detail: "the web terminal is switched off" };
    expect((await answered(404, none)).answer).toEqual({ is: "none", reason: "the web terminal is switched off" });
    expect((await answered(404, {})).answer).toMatchObject({ is: "none" });
    expect((await answered(403, { detail: "only pages from here" })).answer).toEqual({
      is: "none",
      reason: "only pages from here",
    });
    expect((await answered(401, {})).answer).toEqual({ is: "token", wrong: false });
    expect((await answered(401, {}, "guess")).answer).toEqual({ is: "token", wrong: true });
    expect((await answered(429, { detail: "too many attempts" })).answer).toEqual({
      is: "later",
      reason: "too many attempts",
    });
    expect((await answered(503, {})).answer).toMatchObject({ is: "later" });
    expect((await answered(200, {})).answer).toMatchObject({ is: "none" });
  });
});

describe("the clipboard", () => {
  const base64 = (text: string) => Buffer.from(text).toString("base64");

  it("takes what a program copies, and tells it nothing", () => {
    expect(copied(`c;${base64("id ✓")}`)).toBe("id ✓");
    for (const data of ["c;?", "c", "c;%%%", `c;${Buffer.from([0xff]).toString("base64")}`, `c;${"A".repeat(131_076)}`])
      expect(copied(data)).toBeNull();
  });

  it("has keys of its own", () => {
    const key = (made: Partial<KeyboardEvent>) => ({
      key: "",
      code: "",
      ctrlKey: false,
      shiftKey: false,
      altKey: false,
      metaKey: false,
      ...made,
    });
    const control = key({ key: "c", code: "KeyC", ctrlKey: true });
    expect([isCopy(control, false), isCopy(control, true)]).toEqual([false, true]);
    expect(isCopy({ ...control, shiftKey: true }, false)).toBe(true);
    expect(isCopy(key({ key: "Insert", ctrlKey: true }), true)).toBe(true);
    expect(isCopy({ ...control, altKey: true }, true)).toBe(false);
    expect(isPaste(key({ code: "KeyV", ctrlKey: true, shiftKey: true }))).toBe(true);
    expect(isPaste(key({ code: "KeyV", ctrlKey: true }))).toBe(false);
    expect(isPaste(key({ key: "Insert", shiftKey: true }))).toBe(true);
  });
});

describe("the row of keys", () => {
  it("sends what a keyboard would", () => {
    expect([sequence("Esc", false), sequence("Tab", false), sequence("Enter", true)]).toEqual(["\x1b", "\t", "\r"]);
    expect([sequence("Up", false), sequence("Left", true)]).toEqual(["\x1b[A", "\x1bOD"]);
    expect(["c", "C", "[", "é", "ab", "\x1b[A"].map(withControl)).toEqual([
      "\x03",
      "\x03",
      "\x1b",
      "é",
      "ab",
      "\x1b[A",
    ]);
  });
});

describe("Ctrl of the row of keys", () => {
  it("is for the next character that it changes, and not for what a terminal sends by itself", () => {
    const released = vi.fn();
    const latch = new Latch(released);
    expect(latch.through("c")).toBe("c");
    latch.isHeld = true;
    // A report of the mouse, of the focus, and an answer about the device.
    for (const report of ["\x1b[<0;10;5M", "\x1b[I", "\x1b[?1;2c"]) expect(latch.through(report)).toBe(report);
    expect([latch.isHeld, released.mock.calls.length]).toEqual([true, 0]);
    expect([latch.through("c"), latch.through("c")]).toEqual(["\x03", "c"]);
    expect([latch.isHeld, released.mock.calls.length]).toEqual([false, 1]);
  });
});

describe("whether somebody is there", () => {
  it("is told by what is done at the terminal, and by nothing that a script does", () => {
    const heard = new Map<string, (event: Event) => void>();
    let time = 0;
    const place = {
      addEventListener: (kind: string, listener: (event: Event) => void) => void heard.set(kind, listener),
      removeEventListener: (kind: string) => void heard.delete(kind),
    };
    const attention = new Attention(place as unknown as HTMLElement, () => time);
    const happens = (kind: string, isTrusted: boolean) => heard.get(kind)?.({ isTrusted } as Event);
    expect(attention.within(10_000)).toBe(false);
    for (const kind of ["keydown", "pointerdown", "paste"]) {
      time += 20_000;
      happens(kind, false);
      expect(attention.within(10_000), kind).toBe(false);
      happens(kind, true);
      time += 9_999;
      expect(attention.within(10_000), kind).toBe(true);
      time += 1;
      expect(attention.within(10_000), kind).toBe(false);
    }
    attention.close();
    expect(heard.size).toBe(0);
  });
});

describe("links on the screen", () => {
  it("are followed only where a key says so", () => {
    const click = { ctrlKey: false, metaKey: false };
    for (const mac of [false, true]) expect(isMeant(click, mac)).toBe(false);
    expect([isMeant({ ...click, ctrlKey: true }, false), isMeant({ ...click, ctrlKey: true }, true)]).toEqual([
      true,
      false,
    ]);
    expect([isMeant({ ...click, metaKey: true }, false), isMeant({ ...click, metaKey: true }, true)]).toEqual([
      false,
      true,
    ]);
  });

  it("lead into the web and nowhere else, and say where", () => {
    expect(ofWeb("https://a.example/b")).toBe("https://a.example/b");
    for (const address of ["javascript:alert(1)", "file:///etc/passwd", "no address"])
      expect(ofWeb(address)).toBeNull();
    expect(target("https://a.example/b", "Ctrl")).toBe("https://a.example/b (Ctrl and a click follow it)");
    expect(target(`https://a.example/${"b".repeat(1_000)}`, "Cmd").length).toBeLessThan(350);
    expect(target("no\u202eaddress", "Cmd")).toBe("no\ufffdaddress (Cmd and a click follow it)");
  });

  it("and what else keys do are told in the words of the machine", () => {
    expect([names(true).select, names(false).select]).toEqual(["Option", "Shift"]);
  });
});

describe("the state in words", () => {
  it("counts down, and never to nothing", () => {
    expect(said({ is: "waiting", until: 3_500, why: "" }, 1_000).text).toBe("not connected · next try in 3 s");
    expect(said({ is: "waiting", until: 1_000, why: "" }, 2_000).text).toBe("not connected · next try in 1 s");
    expect(said({ is: "live", readOnly: true }, 0).text).toBe("connected · for looking only");
  });
});
