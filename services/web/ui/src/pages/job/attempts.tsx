import type { JobAttempt } from "../../api/types";
import { clock, dateAndClock, duration } from "../../look/format";
import { line, plain } from "../../look/text";
import { micros } from "../../look/waterfall";
import { Empty } from "../../parts/panel";
import { OutcomeOf } from "../../parts/signs";
import { type Column, Table } from "../../parts/table";
import { now } from "../../state/store";

const COLUMNS: Column[] = [
  { name: "attempt", class: "number" },
  { name: "outcome" },
  { name: "took", class: "number" },
  { name: "started (UTC)", class: "wide" },
  { name: "error" },
  { name: "processor", class: "wide" },
];

/// Each execution by a processor.
export function Attempts({ attempts }: { attempts: JobAttempt[] }) {
  if (attempts.length === 0) return <Empty>No processor has begun with it.</Empty>;
  return (
    <Table caption="Attempts, in order" columns={COLUMNS}>
      {attempts.map((attempt) => (
        <tr key={attempt.take}>
          <td class="number">{attempt.number}</td>
          <td>
            <OutcomeOf outcome={attempt.outcome} />
          </td>
          <td class="number">{took(attempt)}</td>
          <td class="wide" title={dateAndClock(attempt.startedAt)}>
            {clock(attempt.startedAt)}
          </td>
          <td class="error-text">{attempt.error ? plain(attempt.error) : "–"}</td>
          <td class="wide muted">{line(attempt.executor.instanceId)}</td>
        </tr>
      ))}
    </Table>
  );
}

function took({ startedAt, finishedAt }: JobAttempt): string {
  if (finishedAt === undefined) return `${duration(Math.max(0, now.value - Date.parse(startedAt)))} so far`;
  return duration(Math.max(0, micros(finishedAt) - micros(startedAt)));
}
