import { useEffect, useId, useRef, useState } from "preact/hooks";
import { type JobStatus, STATUSES } from "../../api/types";
import { parse, withStatuses } from "../../look/filter";
import { count } from "../../look/format";
import { isTerminal, ofStatus } from "../../look/sign";
import { stats } from "../../state/store";

/// Time without a key after which what was written takes effect.
const QUIET_MS = 300;

/// A line for the filter, and a button for each status.
export function FilterBar({ filter, change }: { filter: string; change: (text: string) => void }) {
  const [text, setText] = useState(filter);
  const timer = useRef<ReturnType<typeof setTimeout>>();
  const told = useId();
  // The address changes from elsewhere too: the search above, the way back.
  useEffect(() => {
    setText((present) => (present.trim() === filter ? present : filter));
  }, [filter]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const parsed = parse(text, Date.now());
  const error = "error" in parsed ? parsed.error : "";
  const chosen = "query" in parsed ? parsed.query.statuses : [];
  const write = (written: string, quiet: number) => {
    setText(written);
    clearTimeout(timer.current);
    if ("query" in parse(written, Date.now())) timer.current = setTimeout(() => change(written.trim()), quiet);
  };
  return (
    <div class="filter">
      <input
        type="search"
        value={text}
        onInput={(event) => write(event.currentTarget.value, QUIET_MS)}
        aria-label="Filter of the jobs"
        aria-invalid={error !== ""}
        aria-describedby={told}
        placeholder="type:resize status:failed since:10m 9f31"
        autocomplete="off"
        spellcheck={false}
        maxLength={300}
      />
      <p id={told} class="field-error" role="status">
        {error}
      </p>
      <fieldset class="chips">
        <legend class="unseen">Statuses</legend>
        {STATUSES.map((status) => (
          <Chip
            key={status}
            status={status}
            on={chosen.includes(status)}
            toggle={() => write(withStatuses(text, toggled(chosen, status)), 0)}
          />
        ))}
      </fieldset>
    </div>
  );
}

const toggled = (chosen: JobStatus[], status: JobStatus) =>
  chosen.includes(status) ? chosen.filter((other) => other !== status) : [...chosen, status];

function Chip({ status, on, toggle }: { status: JobStatus; on: boolean; toggle: () => void }) {
  const sign = ofStatus(status);
  // Only of those that have ended: the counters know a job by its latest event, and no event tells of a begin.
  const jobs = isTerminal(status) ? (stats.data.value?.byStatus[status] ?? 0) : 0;
  return (
    <button type="button" class="chip" aria-pressed={on} onClick={toggle}>
      <span class={`is-${sign.tone}`} aria-hidden="true">
        {sign.glyph}
      </span>{" "}
      {status.toLowerCase()} {jobs > 0 && <span class="muted">{count(jobs)}</span>}
    </button>
  );
}
