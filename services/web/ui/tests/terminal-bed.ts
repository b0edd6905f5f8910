/// A world for the connection of the terminal in which time passes when the test says so.

import { Connection } from "../src/terminal/connection";
import { Keys } from "../src/terminal/keys";
import type { TicketAnswer } from "../src/terminal/ticket";
import type { Ears, Presence, State, World } from "../src/terminal/world";

export class FakeSocket {
  readonly sent: Record<string, unknown>[] = [];
  isClosed = false;

  constructor(readonly ears: Ears) {}

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(): void {
    this.isClosed = true;
  }
  say(message: Record<string, unknown>): void {
    this.ears.text(JSON.stringify(message));
  }
}

export class Bed {
  time = 1_000_000;
  presence: Presence = "here";
  tickets: TicketAnswer[] = [];
  /// Tokens that tickets were asked for with.
  readonly shown: (string | null)[] = [];
  readonly sockets: FakeSocket[] = [];
  readonly states: State[] = [];
  readonly notices: string[] = [];
  readonly screen: string[] = [];
  otherTab: string | null = null;
  size = { columns: 120, rows: 40 };
  readonly keys: Keys;
  readonly connection: Connection;
  #timers: { at: number; run: () => void }[] = [];
  #frames: (() => void)[] = [];

  constructor(kept: Map<string, string> = new Map()) {
    this.keys = new Keys(() => ({
      getItem: (name) => kept.get(name) ?? null,
      setItem: (name, value) => void kept.set(name, value),
      removeItem: (name) => void kept.delete(name),
    }));
    this.connection = new Connection(this.#world(), this.#viewer(), this.keys);
  }

  #world(): World {
    return {
      ticket: async (token) => {
        this.shown.push(token);
        return this.tickets.shift() ?? { is: "given", ticket: `ticket ${this.shown.length}` };
      },
      socket: (ears) => {
        const socket = new FakeSocket(ears);
        this.sockets.push(socket);
        return socket;
      },
      timer: (run, ms) => {
        const timer = { at: this.time + ms, run };
        this.#timers.push(timer);
        return () => {
          this.#timers = this.#timers.filter((other) => other !== timer);
        };
      },
      frame: (run) => void this.#frames.push(run),
      now: () => this.time,
      random: () => 0,
      presence: () => this.presence,
      name: () => `session ${this.sockets.length}`,
      elsewhere: async () => this.otherTab,
    };
  }

  #viewer() {
    return {
      size: () => this.size,
      told: (state: State) => void this.states.push(state),
      notice: (code: string) => void this.notices.push(code),
      fresh: () => void this.screen.push("fresh"),
      output: (bytes: Uint8Array) => void this.screen.push(new TextDecoder().decode(bytes)),
    };
  }

  get state(): State {
    return this.connection.state;
  }

  /// Milliseconds until the next try.
  get wait(): number {
    const { state } = this;
    if (state.is !== "waiting") throw new Error(`it is ${state.is}, not waiting`);
    return state.until - this.time;
  }

  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error("no socket was opened");
    return socket;
  }

  /// Lets pass so much time, with everything that falls due in it.
  async pass(ms: number): Promise<void> {
    const end = this.time + ms;
    await settled();
    for (;;) {
      const [next] = [...this.#timers].sort((one, other) => one.at - other.at);
      if (!next || next.at > end) break;
      this.time = next.at;
      this.#timers = this.#timers.filter((other) => other !== next);
      next.run();
      await settled();
    }
    this.time = end;
  }

  picture(): void {
    for (const run of this.#frames.splice(0)) run();
  }

  /// Opens a session, as the server would.
  async live(ready: Record<string, unknown> = {}): Promise<FakeSocket> {
    await settled();
    const { socket } = this;
    socket.ears.opened();
    const said = { type: "ready", reconnect: `key ${this.sockets.length}`, readOnly: false, resumed: false };
    socket.say({ ...said, graceMs: 60_000, idleMs: 1, ...ready });
    return socket;
  }
}

/// A bed with a session.
export async function opened(kept?: Map<string, string>): Promise<Bed> {
  const bed = new Bed(kept);
  bed.connection.open();
  await bed.live();
  return bed;
}

/// What waits for promises has been done.
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 8; turn += 1) await Promise.resolve();
}
