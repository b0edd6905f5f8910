import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import type { ApiError } from "../api/http";
import { clock } from "../look/format";
import { line } from "../look/text";
import type { Resource } from "../state/resource";
import { now, staleness } from "../state/store";

interface PanelProps {
  title: ComponentChildren;
  /// What stands beside the title.
  note?: ComponentChildren;
  /// What the panel shows; while it is old, the panel is greyed and dated.
  of?: Resource<unknown>;
  class?: string;
  /// What steers the panel: never greyed.
  tools?: ComponentChildren;
  children: ComponentChildren;
}

/// A part of a page under a title.
export function Panel({ title, note, of, class: name = "", tools, children }: PanelProps) {
  const id = useId();
  const known = of !== undefined && of.data.value !== null;
  const since = known ? staleness(of, now.value) : null;
  const waits = of !== undefined && !known && of.error.value === null;
  return (
    <section class={`panel ${name} ${since === null ? "" : "stale"}`} aria-labelledby={id} aria-busy={waits}>
      <div class="panel-head">
        <h2 id={id}>{title}</h2>
        {note !== undefined && <div class="note">{note}</div>}
      </div>
      {tools}
      {of && since !== null && <AsOf since={since} error={of.error.value} />}
      <div class="panel-body">{children}</div>
    </section>
  );
}

/// How old it is, and why.
function AsOf({ since, error }: { since: number; error: ApiError | null }) {
  const why = error ? `: ${line(error.message)}` : "";
  return (
    <p class="asof" role="status">
      <span aria-hidden="true">⚠ </span>
      as of {clock(new Date(since).toISOString()).slice(0, 8)} UTC, not live{why}
    </p>
  );
}

/// What is shown where there is nothing else to show.
export const Empty = ({ children }: { children: ComponentChildren }) => <p class="empty">{children}</p>;

/// Lines that stand for what is being asked for.
export const Waiting = ({ lines = 3 }: { lines?: number }) => (
  <div class="waiting" role="status">
    <span class="unseen">Asking…</span>
    {Array.from({ length: lines }, (_, at) => (
      // They are all the same
      <span key={at} class="bone" aria-hidden="true" />
    ))}
  </div>
);

/// An error in its place, with what to try.
export function Trouble({ error, what, again }: { error: ApiError; what: string; again?: () => void }) {
  const { code, correlationId } = error.problem;
  return (
    <div class="trouble" role="alert">
      <p>
        <strong>{what}</strong> {line(error.message)}
        {code && <span class="muted"> ({line(code)})</span>}
      </p>
      {error.next && <p class="muted">{error.next}</p>}
      {correlationId && (
        <p class="muted">
          correlation <span class="mono">{line(correlationId)}</span>
        </p>
      )}
      {again && (
        <button type="button" onClick={again}>
          Ask again
        </button>
      )}
    </div>
  );
}
