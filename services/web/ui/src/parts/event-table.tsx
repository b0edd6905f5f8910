import { useState } from "preact/hooks";
import type { EventEnvelope } from "../api/types";
import { jobOf } from "../live/stream";
import { clock, dateAndClock, shortId } from "../look/format";
import { ofEvent } from "../look/sign";
import { line } from "../look/text";
import { to } from "../state/route";
import { JsonBlock } from "./json";
import { type Column, Table } from "./table";

interface EventTableProps {
  events: EventEnvelope[];
  caption: string;
  /// Whether the job of each is told.
  withJob: boolean;
}

/// Events, each with its whole envelope on demand.
export function EventTable({ events, caption, withJob }: EventTableProps) {
  const columns: Column[] = [
    { name: "time (UTC)" },
    { name: "event" },
    ...(withJob ? [{ name: "job" }] : []),
    { name: "sequence", class: "number wide" },
    { name: "producer", class: "wide" },
    { name: "envelope", class: "number" },
  ];
  return (
    <Table caption={caption} columns={columns}>
      {events.map((event) => (
        <Row key={event.eventId} event={event} withJob={withJob} width={columns.length} />
      ))}
    </Table>
  );
}

function Row({ event, withJob, width }: { event: EventEnvelope; withJob: boolean; width: number }) {
  const [open, setOpen] = useState(false);
  const job = jobOf(event);
  return (
    <>
      <tr>
        <td class="mono" title={dateAndClock(event.occurredAt)}>
          {clock(event.occurredAt)}
        </td>
        <td class={`mono is-${ofEvent(event.eventType)}`}>{line(event.eventType)}</td>
        {withJob && (
          <td>
            {job ? (
              <a class="mono" href={to(["jobs", job])} title={line(job)}>
                {line(shortId(job))}
              </a>
            ) : (
              <span class="muted">none</span>
            )}
          </td>
        )}
        <td class="number wide">{event.sequence ?? "–"}</td>
        <td class="wide muted">{line(event.producer.service)}</td>
        <td class="number">
          <button type="button" class="small" aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? "hide" : "show"}
          </button>
        </td>
      </tr>
      {open && (
        <tr class="opened">
          <td colSpan={width}>
            <JsonBlock value={event} what="the envelope" />
          </td>
        </tr>
      )}
    </>
  );
}
