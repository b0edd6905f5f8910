import type { EventEnvelope } from "../api/types";
import { jobOf } from "../live/stream";
import { clock, dateAndClock } from "../look/format";
import { ofEvent } from "../look/sign";
import { line } from "../look/text";
import { JsonBlock } from "./json";
import { type Column, Table } from "./table";
import { JobCell, Unfold } from "./unfold";

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

const Row = ({ event, withJob, width }: { event: EventEnvelope; withJob: boolean; width: number }) => (
  <Unfold
    width={width}
    cells={
      <>
        <td class="mono" title={dateAndClock(event.occurredAt)}>
          {clock(event.occurredAt)}
        </td>
        <td class={`mono is-${ofEvent(event.eventType)}`}>{line(event.eventType)}</td>
        {withJob && <JobCell id={jobOf(event)} />}
        <td class="number wide">{event.sequence ?? "–"}</td>
        <td class="wide muted">{line(event.producer.service)}</td>
      </>
    }
  >
    {() => <JsonBlock value={event} what="the envelope" />}
  </Unfold>
);
