import { age, dateAndClock } from "../look/format";
import { now } from "../state/store";

/// An instant seen from now; the whole of it on demand.
export const Ago = ({ at }: { at: string }) => (
  <time dateTime={at} title={dateAndClock(at)}>
    {age(at, now.value)}
  </time>
);
