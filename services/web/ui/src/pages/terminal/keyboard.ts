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
