import { count } from "../look/format";
import { line } from "../look/text";
import { lost, now, overview, staleSince, streamState } from "../state/store";

/// Time for which it is told that live events were left out.
const TOLD_MS = 30_000;

/// What is wrong with everything that the page shows.
export function Banner() {
  const error = overview.error.value;
  if (error && staleSince.value !== null) {
    const away = error.kind === "away";
    return (
      <div class="trouble banner" role="alert">
        <strong>
          {away ? "Nothing answers here any more." : `The figures cannot be had: ${line(error.message)}.`}
        </strong>{" "}
        {error.next}
      </div>
    );
  }
  if (streamState.value === "broken") {
    return (
      <div class="trouble banner mild" role="status">
        <strong>The live stream broke off.</strong> It is opened again; what happened meanwhile is asked for then.
      </div>
    );
  }
  if (now.value - lost.value.at < TOLD_MS) {
    return (
      <p class="muted banner-note" role="status">
        {count(lost.value.count)} live events were left out, because more came than can be shown. Figures and lists are
        whole.
      </p>
    );
  }
  return null;
}
