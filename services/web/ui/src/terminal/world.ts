/// What the connection of the terminal needs of the world, and what it tells of itself.

import type { NoticeCode, Size } from "./protocol";
import type { TicketAnswer } from "./ticket";

export type State =
  | { is: "connecting" }
  | { is: "live"; readOnly: boolean }
  /// Not connected; tried again at `until` (milliseconds since 1970).
  | { is: "waiting"; until: number; why: string }
  /// Tried again when the browser is online, and the page is seen.
  | { is: "paused"; why: "offline" | "hidden" }
  /// Another tab has the session.
  | { is: "taken" }
  | { is: "ended"; message: string }
  /// There are as many sessions as there may be.
  | { is: "full"; message: string }
  | { is: "token"; wrong: boolean }
  /// There is no terminal, and trying again by itself would change nothing.
  | { is: "none"; reason: string };

/// What a socket tells.
export interface Ears {
  opened(): void;
  text(data: string): void;
  bytes(data: Uint8Array): void;
  /// Once, last.
  closed(code: number): void;
}

export interface Socket {
  send(text: string): void;
  close(): void;
}

export type Presence = "here" | "hidden" | "offline";

export interface World {
  /// Asks for a ticket; never throws.
  ticket(token: string | null): Promise<TicketAnswer>;
  /// Opens a socket. What it tells comes later, never within the call.
  socket(ears: Ears): Socket;
  /// What it returns cancels it.
  timer(run: () => void, ms: number): () => void;
  /// Before the next picture, or soon where nobody looks.
  frame(run: () => void): void;
  now(): number;
  /// In [0, 1).
  random(): number;
  presence(): Presence;
  /// Something that no two sessions have in common.
  name(): string;
  /// Asks the other tabs for the key of a session.
  elsewhere(name: string): Promise<string | null>;
}

/// Where what is heard goes to.
export interface Viewer {
  size(): Size;
  told(state: State): void;
  notice(code: NoticeCode, message: string): void;
  /// What follows begins on an empty screen.
  fresh(): void;
  output(bytes: Uint8Array): void;
}
