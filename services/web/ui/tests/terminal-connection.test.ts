import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hello, input, parse, ping, resize } from "../src/terminal/protocol";
import { Bed, opened, settled } from "./terminal-bed";

/// The examples of a contract, by name.
function golden(contract: string): Record<string, string> {
  const folder = join(__dirname, "../../../../contracts/fixtures/golden", contract);
  return Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}

describe("what the server says", () => {
  it("is understood as the contracts have it", () => {
    const examples = Object.entries(golden("terminal-server"));
    expect(examples.length).toBeGreaterThan(4);
    for (const [name, text] of examples) expect(parse(text), name).toEqual(JSON.parse(text));
  });

  it("is nothing where it is nothing that this page knows", () => {
    for (const text of ["", "[]", "null", '{"type":"later"}', '{"type":"ready"}', '{"type":"ended","reason":1}'])
      expect(parse(text), text).toBeNull();
  });
});

describe("what the page says", () => {
  it("is as the contracts have it", () => {
    const examples = golden("terminal-client");
    const example = (name: string) => JSON.parse(examples[name] ?? "");
    const again = (name: string, said: string) => expect(JSON.parse(said), name).toEqual(example(name));
    const { ticket } = example("hello-ticket.json");
    const { session } = example("hello-session.json");
    again("hello-ticket.json", hello({ ticket }, example("hello-ticket.json")));
    again("hello-session.json", hello({ session }, example("hello-session.json")));
    again("resize.json", resize(example("resize.json")));
    again("input.json", input(example("input.json").data));
    again("ping.json", ping());
  });
});

describe("a session", () => {
  it("begins with a ticket and the size of the screen", async () => {
    const bed = await opened();
    expect(bed.shown).toEqual([null]);
    expect(bed.socket.sent).toEqual([{ type: "hello", ticket: "ticket 1", columns: 120, rows: 40 }]);
    expect(bed.state).toEqual({ is: "live", readOnly: false });
    expect(bed.keys.session).toBe("key 1");
    expect(bed.states.map(({ is }) => is)).toEqual(["connecting", "live"]);
  });

  it("is told of the size that the screen has by the time it is ready", async () => {
    const bed = new Bed();
    bed.size = { columns: 12, rows: 6 };
    bed.connection.open();
    await settled();
    const { socket } = bed;
    socket.ears.opened();
    // It was hidden until now.
    bed.size = { columns: 120, rows: 40 };
    bed.connection.resized();
    socket.say({ type: "ready", reconnect: "key", readOnly: false, resumed: false, graceMs: 1, idleMs: 1 });
    bed.connection.resized();
    expect(socket.sent).toEqual([
      { type: "hello", ticket: "ticket 1", columns: 12, rows: 6 },
      { type: "resize", columns: 120, rows: 40 },
    ]);
  });

  it("shows its output from an empty screen on", async () => {
    const bed = await opened();
    bed.socket.ears.bytes(new TextEncoder().encode("héllo"));
    expect(bed.screen).toEqual(["fresh", "héllo"]);
  });

  it("goes on in the same tab, without a ticket", async () => {
    const kept = new Map<string, string>();
    const before = await opened(kept);
    before.connection.close();
    expect(before.socket.isClosed).toBe(true);
    const bed = new Bed(kept);
    bed.connection.open();
    await bed.live({ resumed: true, reconnect: "the next" });
    expect(bed.shown).toEqual([]);
    expect(bed.socket.sent[0]).toMatchObject({ type: "hello", session: { reconnect: "key 1" } });
    expect([bed.keys.session, bed.keys.name]).toEqual(["the next", "session 1"]);
  });

  it("that is over is followed by a new one", async () => {
    const bed = new Bed(new Map([["odd.terminal.session", "old"]]));
    bed.connection.open();
    bed.socket.ears.opened();
    bed.socket.say({ type: "error", code: "unknown_session", message: "gone" });
    await bed.live();
    expect(bed.socket.sent[0]).toMatchObject({ ticket: "ticket 1" });
    expect(bed.state.is).toBe("live");
  });

  it("says where it is for looking only, and what there is to know", async () => {
    const bed = new Bed();
    bed.connection.open();
    const socket = await bed.live({ readOnly: true });
    expect(bed.state).toEqual({ is: "live", readOnly: true });
    socket.say({ type: "notice", code: "read_only", message: "…" });
    expect(bed.notices).toEqual(["read_only"]);
  });

  it("that has ended stays so until a new one is asked for", async () => {
    const bed = await opened();
    bed.socket.say({ type: "ended", reason: "exited", exitCode: 3, message: "the program has ended" });
    bed.socket.ears.closed(1000);
    expect(bed.state).toEqual({ is: "ended", message: "the program has ended" });
    await bed.pass(3_600_000);
    expect(bed.sockets.length).toBe(1);
    bed.connection.renew();
    await bed.live();
    expect(bed.socket.sent[0]).toMatchObject({ ticket: "ticket 2" });
  });
});

describe("keys", () => {
  it("go at once, and then once a picture", async () => {
    const bed = await opened();
    const typed = () => bed.socket.sent.filter(({ type }) => type === "input").map(({ data }) => data);
    bed.connection.type("a");
    expect(typed()).toEqual(["a"]);
    bed.connection.type("b");
    bed.connection.type("c");
    expect(typed()).toEqual(["a"]);
    bed.picture();
    expect(typed()).toEqual(["a", "bc"]);
    bed.picture();
    bed.connection.type("d");
    expect(typed()).toEqual(["a", "bc", "d"]);
  });

  it("are for nobody while there is no session, and are not told later", async () => {
    const bed = await opened();
    bed.connection.type("a");
    bed.connection.type("b");
    bed.socket.ears.closed(1006);
    bed.connection.type("rm");
    bed.picture();
    await bed.pass(30_000);
    await bed.live({ resumed: true });
    bed.picture();
    expect(bed.sockets.flatMap(({ sent }) => sent.filter(({ type }) => type === "input"))).toEqual([
      { type: "input", data: "a" },
    ]);
  });
});

describe("refusals", () => {
  it("ask for a token, and say that a wrong one is wrong", async () => {
    const bed = new Bed();
    bed.tickets = [
      { is: "token", wrong: false },
      { is: "token", wrong: true },
    ];
    bed.connection.open();
    await settled();
    expect(bed.state).toEqual({ is: "token", wrong: false });
    bed.connection.authorize("guess");
    await settled();
    expect(bed.state).toEqual({ is: "token", wrong: true });
    expect(bed.keys.token).toBeNull();
    bed.connection.authorize("right");
    await bed.live();
    expect(bed.shown).toEqual([null, "guess", "right"]);
    expect([bed.state.is, bed.keys.token]).toEqual(["live", "right"]);
  });

  it("say why there is no terminal, and try no more", async () => {
    const bed = new Bed();
    bed.tickets = [{ is: "none", reason: "it is switched off" }];
    bed.connection.open();
    await bed.pass(3_600_000);
    expect(bed.state).toEqual({ is: "none", reason: "it is switched off" });
    expect([bed.shown.length, bed.sockets.length]).toEqual([1, 0]);
  });

  it("of too many sessions wait for somebody to try again", async () => {
    const bed = new Bed();
    bed.connection.open();
    await settled();
    bed.socket.ears.opened();
    bed.socket.say({ type: "error", code: "too_many_sessions", message: "there are 50" });
    await bed.pass(3_600_000);
    expect(bed.state).toEqual({ is: "full", message: "there are 50" });
    expect(bed.sockets.length).toBe(1);
  });

  it("of tickets are tried once more at once, and then later", async () => {
    const bed = new Bed();
    bed.connection.open();
    for (const turn of [1, 2]) {
      await settled();
      expect(bed.sockets.length).toBe(turn);
      bed.socket.ears.opened();
      bed.socket.ears.closed(4001);
    }
    await settled();
    expect(bed.state).toMatchObject({ is: "waiting" });
  });

  it("of a key after too many attempts mean that it is none", async () => {
    const bed = new Bed(new Map([["odd.terminal.session", "old"]]));
    bed.connection.open();
    bed.socket.ears.opened();
    bed.socket.say({ type: "error", code: "too_many_attempts", message: "too many attempts; try again in a minute" });
    expect(bed.state).toMatchObject({ is: "waiting", why: "too many attempts; try again in a minute" });
    await bed.pass(bed.wait);
    await bed.live();
    expect(bed.socket.sent[0]).toMatchObject({ ticket: "ticket 1" });
  });

  it("are understood by the close code where the words were lost", async () => {
    for (const [code, is] of [
      [1000, "ended"],
      [1001, "waiting"],
      [1008, "waiting"],
      [1011, "none"],
      [1013, "full"],
      [4009, "taken"],
    ] as const) {
      const bed = await opened();
      bed.socket.ears.closed(code);
      expect(bed.state.is, String(code)).toBe(is);
    }
  });
});

describe("a session that another tab took over", () => {
  it("stays there, and is had back where that tab hands it over", async () => {
    const bed = await opened();
    bed.socket.say({ type: "error", code: "taken_over", message: "elsewhere" });
    await bed.pass(3_600_000);
    expect([bed.state.is, bed.sockets.length]).toEqual(["taken", 1]);
    bed.otherTab = "its key";
    await bed.connection.takeBack();
    await bed.live({ resumed: true });
    expect(bed.socket.sent[0]).toMatchObject({ session: { reconnect: "its key" } });
    expect(bed.keys.name).toBe("session 1");
  });

  it("is replaced by a new one where no tab answers", async () => {
    const bed = await opened();
    bed.socket.ears.closed(4009);
    await bed.connection.takeBack();
    await bed.live();
    expect(bed.socket.sent[0]).toMatchObject({ ticket: "ticket 2" });
    expect(bed.keys.name).toBe("session 2");
  });
});
