/// A session that was taken over by another tab of this browser can be had back: the tab that has it is asked for its key.

const CHANNEL = "odd.terminal";
const ANSWER_MS = 1_000;

interface Said {
  /// The session that is asked for, or given.
  name: string;
  /// Goes on with it; absent in a question.
  key?: string;
}

export interface Channel {
  postMessage(said: Said): void;
  addEventListener(type: "message", listener: (event: MessageEvent<unknown>) => void): void;
  removeEventListener(type: "message", listener: (event: MessageEvent<unknown>) => void): void;
  close(): void;
}

export class Tabs {
  readonly #channel: Channel | null;
  #waits: ((said: Said) => void) | null = null;

  constructor(
    /// The session that this tab has now, and the key that goes on with it.
    readonly held: () => { name: string; key: string } | null,
    open: () => Channel = () => new BroadcastChannel(CHANNEL),
  ) {
    try {
      this.#channel = open();
    } catch {
      this.#channel = null;
    }
    this.#channel?.addEventListener("message", this.#heard);
  }

  /// The key of the session in the tab that has it; null where none answers.
  ask(name: string): Promise<string | null> {
    return new Promise((resolve) => {
      const done = (key: string | null) => {
        clearTimeout(timer);
        this.#waits = null;
        resolve(key);
      };
      const timer = setTimeout(() => done(null), ANSWER_MS);
      this.#waits = (said) => {
        if (said.name === name && said.key !== undefined) done(said.key);
      };
      this.#channel?.postMessage({ name });
    });
  }

  close(): void {
    this.#channel?.removeEventListener("message", this.#heard);
    this.#channel?.close();
  }

  readonly #heard = (event: MessageEvent<unknown>) => {
    const said = event.data;
    if (!isSaid(said)) return;
    if (said.key !== undefined) {
      this.#waits?.(said);
      return;
    }
    const held = this.held();
    if (held?.name === said.name) this.#channel?.postMessage(held);
  };
}

function isSaid(data: unknown): data is Said {
  if (typeof data !== "object" || data === null) return false;
  const { name, key } = data as Partial<Said>;
  return typeof name === "string" && (key === undefined || typeof key === "string");
}
