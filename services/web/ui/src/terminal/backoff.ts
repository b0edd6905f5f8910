/// How long to wait before the next try.

const FIRST_MS = 500;
const LONGEST_MS = 30_000;

/// Milliseconds before try `number` (from 1): twice as many each time, up to half a minute, of which a random half is taken
/// off, so that many pages do not come back at once. `random` is in [0, 1).
export function pause(number: number, random: number): number {
  const whole = Math.min(FIRST_MS * 2 ** Math.max(0, number - 1), LONGEST_MS);
  return Math.round(whole * (0.5 + random / 2));
}
