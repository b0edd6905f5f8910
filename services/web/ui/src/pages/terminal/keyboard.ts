/// Keys that phones do not have, as a terminal sends them (xterm, "PC-Style Function Keys").

export type Named = "Esc" | "Tab" | "Enter" | "Left" | "Up" | "Down" | "Right";

const PLAIN: Partial<Record<Named, string>> = { Esc: "\x1b", Tab: "\t", Enter: "\r" };
const ARROWS: Partial<Record<Named, string>> = { Up: "A", Down: "B", Right: "C", Left: "D" };

/// `forApplications` where the program asked for arrows of its own kind (DECCKM).
export const sequence = (key: Named, forApplications: boolean): string =>
  PLAIN[key] ?? `\x1b${forApplications ? "O" : "["}${ARROWS[key]}`;

/// The character as it is together with Ctrl (ECMA-35: its lowest five bits); what has no such thing stays as it is.
export const withControl = (data: string): string =>
  /^[@-_a-z]$/.test(data) ? String.fromCharCode(data.toUpperCase().charCodeAt(0) & 0x1f) : data;

/// Ctrl of the row of keys: it stays until a character comes that it changes. What a terminal sends by itself (reports of the mouse,
/// answers to the program) does not use it up.
export class Latch {
  isHeld = false;

  constructor(readonly released: () => void) {}

  /// What is to be sent.
  through(data: string): string {
    const changed = this.isHeld ? withControl(data) : data;
    if (changed === data) return data;
    this.isHeld = false;
    this.released();
    return changed;
  }
}
