import { describe, expect, it } from "vitest";
import { Bed, opened, settled } from "./terminal-bed";

describe("a connection that is lost", () => {
  it("is opened again later each time, with the same session, and at once on demand", async () => {
    const bed = await opened();
    const waits: number[] = [];
    bed.socket.ears.closed(1006);
    for (let turn = 0; turn < 3; turn += 1) {
      waits.push(bed.wait);
      bed.tickets = [{ is: "later", reason: "no connection" }];
      await bed.pass(bed.wait);
      if (turn === 0) bed.socket.ears.closed(1006);
    }
    expect(waits).toEqual([250, 500, 1_000]);
    expect(bed.state).toMatchObject({ is: "waiting", why: "no connection" });
    bed.tickets = [];
    bed.connection.open();
    await bed.live({ resumed: true });
    expect(bed.socket.sent[0]).toMatchObject({ session: { reconnect: "key 1" } });
    bed.socket.ears.closed(1006);
    expect(bed.state).toMatchObject({ is: "waiting", until: bed.time + 250 });
  });

  it("is known by questions that have no answer", async () => {
    const bed = await opened();
    await bed.pass(15_000);
    expect(bed.socket.sent.at(-1)).toEqual({ type: "ping" });
    bed.socket.say({ type: "pong" });
    await bed.pass(15_000);
    expect(bed.state.is).toBe("live");
    const asked = bed.socket.sent.filter(({ type }) => type === "ping").length;
    await bed.pass(15_000);
    expect([asked >= 1, bed.state.is]).toEqual([true, "live"]);
    await bed.pass(15_000);
    expect(bed.state).toMatchObject({ is: "waiting", why: "the server does not answer" });
  });

  it("is looked after when the page is seen again", async () => {
    const bed = await opened();
    bed.presence = "hidden";
    bed.connection.presenceChanged();
    expect(bed.state.is).toBe("live");
    bed.presence = "here";
    bed.connection.presenceChanged();
    expect(bed.socket.sent.at(-1)).toEqual({ type: "ping" });
    await bed.pass(5_000);
    expect(bed.state.is).toBe("waiting");
  });

  it("rests while there is no network, and goes on by itself", async () => {
    const bed = await opened();
    bed.presence = "offline";
    bed.socket.ears.closed(1006);
    expect(bed.state).toEqual({ is: "paused", why: "offline" });
    await bed.pass(3_600_000);
    expect(bed.sockets.length).toBe(1);
    bed.presence = "here";
    bed.connection.presenceChanged();
    await bed.live({ resumed: true });
    expect(bed.state.is).toBe("live");
  });

  it("is opened again slowly while nobody looks, so that its session is not lost", async () => {
    const bed = await opened();
    bed.presence = "hidden";
    bed.connection.presenceChanged();
    const waits: number[] = [];
    bed.socket.ears.closed(1006);
    bed.tickets = Array(8).fill({ is: "later", reason: "no connection" });
    for (let turn = 0; turn < 8; turn += 1) {
      waits.push(bed.wait);
      await bed.pass(bed.wait);
      if (turn === 0) bed.socket.ears.closed(1006);
    }
    expect(waits).toEqual([5_000, 10_000, 20_000, 40_000, 80_000, 150_000, 150_000, 150_000]);
    bed.tickets = [];
    await bed.pass(bed.wait);
    await bed.live({ resumed: true });
    expect(bed.socket.sent[0]).toMatchObject({ session: { reconnect: "key 1" } });
    expect(bed.state.is).toBe("live");
  });

  it("is opened again slowly when the network is back and nobody looks, and at once for somebody who does", async () => {
    const bed = await opened();
    bed.presence = "offline";
    bed.socket.ears.closed(1006);
    bed.presence = "hidden";
    bed.connection.presenceChanged();
    expect(bed.wait).toBe(5_000);
    bed.presence = "here";
    bed.connection.presenceChanged();
    expect(bed.sockets.length).toBe(2);
  });

  it("rests while nobody looks where its session is over, or never was of this page", async () => {
    const bed = await opened();
    bed.presence = "hidden";
    bed.socket.ears.closed(1006);
    await bed.pass(bed.wait);
    bed.socket.ears.opened();
    bed.socket.say({ type: "error", code: "unknown_session", message: "gone" });
    expect(bed.state).toEqual({ is: "paused", why: "hidden" });

    // A tab that was doubled in the background knows the key, and must not take the session away.
    const doubled = new Bed(new Map([["odd.terminal.session", "the key of another tab"]]));
    doubled.presence = "hidden";
    doubled.connection.open();
    doubled.connection.presenceChanged();
    for (const { state } of [bed, doubled]) expect(state).toEqual({ is: "paused", why: "hidden" });
    await bed.pass(3_600_000);
    await doubled.pass(3_600_000);
    expect([bed.sockets.length, doubled.sockets.length]).toEqual([2, 0]);
  });

  it("of a role that stops is opened again with a new session", async () => {
    const bed = await opened();
    bed.socket.say({ type: "ended", reason: "shutdown", message: "the web role is stopping" });
    expect(bed.state).toMatchObject({ is: "waiting", why: "the web role is stopping" });
    await bed.pass(250);
    await bed.live();
    expect(bed.socket.sent[0]).toMatchObject({ ticket: "ticket 2" });
  });

  it("that never opened is told from one that is never passed on", async () => {
    const bed = new Bed();
    bed.connection.open();
    for (let turn = 0; turn < 4; turn += 1) {
      await settled();
      bed.socket.ears.closed(1006);
      if (turn < 3) expect(bed.state).toMatchObject({ is: "waiting", why: "the connection cannot be opened" });
      if (turn < 3) await bed.pass(bed.wait);
    }
    expect(bed.state).toMatchObject({ is: "none" });
    expect(bed.shown.length).toBe(4);
  });

  it("that is never passed on is tried now and then, unseen, until it is", async () => {
    const bed = new Bed();
    bed.connection.open();
    await settled();
    while (bed.state.is !== "none") {
      bed.socket.ears.closed(1006);
      if (bed.state.is === "waiting") await bed.pass(bed.wait);
    }
    const told = bed.states.length;
    for (const wait of [30_000, 60_000, 120_000, 150_000, 150_000]) {
      const before = bed.sockets.length;
      await bed.pass(wait - 1);
      expect(bed.sockets.length).toBe(before);
      await bed.pass(1);
      expect(bed.sockets.length).toBe(before + 1);
      bed.socket.ears.closed(1006);
    }
    expect(bed.states.slice(told).every(({ is }) => is === "none")).toBe(true);
    bed.presence = "hidden";
    const before = bed.sockets.length;
    await bed.pass(600_000);
    expect(bed.sockets.length).toBe(before);
    bed.presence = "here";
    await bed.pass(150_000);
    await bed.live();
    expect(bed.state.is).toBe("live");
    // What comes later is judged anew.
    bed.socket.ears.closed(1006);
    expect(bed.wait).toBe(250);
  });

  it("that does not open in time is given up", async () => {
    const bed = new Bed();
    bed.connection.open();
    await bed.pass(10_000);
    expect([bed.state.is, bed.socket.isClosed]).toEqual(["waiting", true]);
  });

  it("tells nothing any more", async () => {
    const bed = await opened();
    const [old] = bed.sockets;
    bed.connection.renew();
    await bed.live();
    old?.ears.bytes(Uint8Array.of(65));
    old?.ears.closed(1006);
    old?.say({ type: "error", code: "taken_over", message: "" });
    expect(bed.state.is).toBe("live");
    expect(bed.screen).toEqual(["fresh", "fresh"]);
  });
});

describe("more output than can be shown", () => {
  it("is asked for anew at once where somebody looks", async () => {
    const bed = await opened();
    bed.connection.flooded();
    expect([bed.sockets[0]?.isClosed, bed.sockets.length]).toEqual([true, 2]);
    expect(bed.state.is).toBe("connecting");
  });

  it("costs no session where nobody does: it is left out, and asked for once the page is seen", async () => {
    const bed = await opened();
    const { socket } = bed;
    bed.presence = "hidden";
    bed.connection.presenceChanged();
    bed.connection.flooded();
    socket.ears.bytes(Uint8Array.of(65));
    for (let turn = 0; turn < 240; turn += 1) {
      await bed.pass(15_000);
      socket.say({ type: "pong" });
    }
    expect([bed.state.is, socket.isClosed, bed.sockets.length]).toEqual(["live", false, 1]);
    expect(bed.screen).toEqual(["fresh"]);
    bed.presence = "here";
    bed.connection.presenceChanged();
    expect(socket.isClosed).toBe(true);
    await bed.live({ resumed: true });
    expect(bed.socket.sent[0]).toMatchObject({ session: { reconnect: "key 1" } });
    bed.socket.ears.bytes(Uint8Array.of(66));
    expect(bed.screen).toEqual(["fresh", "fresh", "B"]);
  });
});
