import type { EventEnvelope } from "../../api/types";
import { EventTable } from "../../parts/event-table";
import { Empty } from "../../parts/panel";

/// The job's events as the log has them.
export function History({ events }: { events: EventEnvelope[] }) {
  if (events.length === 0) return <Empty>The event log has none yet.</Empty>;
  return <EventTable events={events} caption="Events of the job, in order" withJob={false} />;
}
