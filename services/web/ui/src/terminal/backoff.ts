/// How long to wait before the next try.

/// The first wait, and the longest, in milliseconds.
export interface Pace {
  first: number;
  longest: number;
}

/// While somebody waits for it.
export const QUICK: Pace = { first: 500, longest: 30_000 };
/// While nobody looks: the first tries are within the minute for which a session is kept.
export const UNSEEN: Pace = { first: 10_000, longest: 300_000 };
/// Where trying has not helped.
export const HOPELESS: Pace = { first: 60_000, longest: 300_000 };

/// Milliseconds before try `number` (from 1): twice as many each time, up to the longest, of which a random half is taken off, so
/// that many pages do not come back at once. `random` is in [0, 1).
export function pause(number: number, random: number, { first, longest } = QUICK): number {
  const whole = Math.min(first * 2 ** Math.max(0, number - 1), longest);
  return Math.round(whole * (0.5 + random / 2));
}
