/// What the page and the web terminal say to each other: `terminal-client.json` and `terminal-server.json` of the contracts.

export const PROTOCOL = "odd.terminal.v1";
/// Most columns, and most rows.
export const MAX_SIZE = 1_000;
/// Characters of one input: in JSON at most six bytes each, which stays below the 64 KiB that a message may have.
const PIECE = 8_192;

export type NoticeCode = "read_only" | "input_dropped" | "idle_soon";
export type EndReason = "exited" | "idle" | "abandoned" | "shutdown";
export type ErrorCode =
  | "malformed"
  | "unsupported"
  | "too_large"
  | "hello_expected"
  | "unauthorized"
  | "unknown_session"
  | "too_many_sessions"
  | "too_many_attempts"
  | "taken_over"
  | "unavailable"
  | "silent";

export interface Ready {
  type: "ready";
  reconnect: string;
  readOnly: boolean;
  resumed: boolean;
}

export type ServerMessage =
  | Ready
  | { type: "notice"; code: NoticeCode; message: string }
  | { type: "pong" }
  | { type: "ended"; reason: EndReason; exitCode?: number; message: string }
  | { type: "error"; code: ErrorCode; message: string };

/// The size of a window.
export interface Size {
  columns: number;
  rows: number;
}

/// What opens a session, or goes on with one.
export type Shown = { ticket: string } | { session: { reconnect: string } };

export const hello = (shown: Shown, size: Size) => JSON.stringify({ type: "hello", ...shown, ...within(size) });
export const resize = (size: Size) => JSON.stringify({ type: "resize", ...within(size) });
export const input = (data: string) => JSON.stringify({ type: "input", data });
export const ping = () => JSON.stringify({ type: "ping" });

/// The nearest size that is permitted.
export function within({ columns, rows }: Size): Size {
  const limited = (wanted: number) => Math.min(Math.max(Math.trunc(wanted) || 1, 1), MAX_SIZE);
  return { columns: limited(columns), rows: limited(rows) };
}

const HALVES = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/// The text in pieces that each fit into a message. Half a character, which is no text, is replaced; none is cut in two.
export function pieces(text: string): string[] {
  const whole = text.replace(HALVES, "\ufffd");
  const found: string[] = [];
  for (let from = 0; from < whole.length; ) {
    let to = Math.min(from + PIECE, whole.length);
    const last = whole.charCodeAt(to - 1);
    if (to < whole.length && last >= 0xd800 && last <= 0xdbff) to -= 1;
    found.push(whole.slice(from, to));
    from = to;
  }
  return found;
}

/// What the server said; null where that is nothing that this page knows.
export function parse(text: string): ServerMessage | null {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof said !== "object" || said === null || !("type" in said)) return null;
  const message = said as Record<string, unknown>;
  const texts = (...names: string[]) => names.every((name) => typeof message[name] === "string");
  switch (message.type) {
    case "pong":
      return { type: "pong" };
    case "ready":
      return texts("reconnect") ? (said as Ready) : null;
    case "notice":
    case "error":
      return texts("code", "message") ? (said as ServerMessage) : null;
    case "ended":
      return texts("reason", "message") ? (said as ServerMessage) : null;
    default:
      return null;
  }
}

const BY_CLOSE: Record<number, ErrorCode> = {
  1003: "unsupported",
  1008: "silent",
  1009: "too_large",
  1011: "unavailable",
  1013: "too_many_sessions",
  4001: "unauthorized",
  4004: "unknown_session",
  4009: "taken_over",
};

/// What a close code says where the message before it was lost.
export const ofClose = (code: number): ErrorCode | undefined => BY_CLOSE[code];
