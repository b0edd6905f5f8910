import { jobOf } from "../../live/stream";
import { clock, shortId } from "../../look/format";
import { ofEvent } from "../../look/sign";
import { line } from "../../look/text";
import { Empty, Panel } from "../../parts/panel";
import { to } from "../../state/route";
import { envelopes, recent, streamState } from "../../state/store";

const SHOWN = 8;
const WORDS = { connecting: "connecting…", live: "connected", broken: "not connected, trying again" };

/// What happens now.
export function Live() {
  const events = envelopes(recent.value, SHOWN);
  const note = (
    <>
      <span class="muted">{WORDS[streamState.value]}</span> · <a href="#/events">all events</a>
    </>
  );
  return (
    <Panel title="Live" note={note}>
      {events.length === 0 ? (
        <Empty>Events appear here as they happen.</Empty>
      ) : (
        <ol class="live mono">
          {events.map((event) => {
            const job = jobOf(event);
            return (
              <li key={event.eventId}>
                <span class="muted">{clock(event.occurredAt)}</span>{" "}
                <span class={`is-${ofEvent(event.eventType)}`}>{line(event.eventType)}</span>{" "}
                {job && <a href={to(["jobs", job])}>{line(shortId(job))}</a>}
              </li>
            );
          })}
        </ol>
      )}
    </Panel>
  );
}
