import { useEffect } from "preact/hooks";
import * as api from "../../api/client";
import { ApiError } from "../../api/http";
import type { JobDetail, Timeline } from "../../api/types";
import { isId } from "../../look/filter";
import { duration, shortId } from "../../look/format";
import { isTerminal } from "../../look/sign";
import { line } from "../../look/text";
import { Copy } from "../../parts/copy";
import { Panel, Trouble, Waiting } from "../../parts/panel";
import { Status } from "../../parts/signs";
import { Ago } from "../../parts/time";
import { Resource, useResource } from "../../state/resource";
import { to } from "../../state/route";
import { onBatch } from "../../state/store";
import { Actions } from "./actions";
import { Attempts } from "./attempts";
import { Documents } from "./documents";
import { History } from "./history";
import { Waterfall } from "./waterfall";

interface Seen {
  job: JobDetail;
  timeline: Timeline;
}

/// Between two questions about a job that has not ended, where no event tells of it.
const OPEN_MS = 1_000;
/// Between two questions about one that has.
const ENDED_MS = 30_000;

/// Everything about one job.
export function JobPage({ id }: { id: string }) {
  const resource = useResource(() => new Resource((signal) => load(id, signal), OPEN_MS, 500), [id]);
  useEffect(
    () =>
      onBatch(({ events, gap, dropped }) => {
        if (gap || dropped > 0 || events.some(({ data }) => data.includes(id))) resource.refresh();
      }),
    [resource, id],
  );
  const seen = resource.data.value;
  const error = resource.error.value;
  if (!seen) {
    return (
      <div class="grid">
        <section class="panel span-12">
          <h1>
            Job <span class="mono">{line(shortId(id))}</span>
          </h1>
          {error ? <Missing error={error} again={() => resource.refresh()} /> : <Waiting lines={6} />}
        </section>
      </div>
    );
  }
  return (
    <div class="grid">
      <Title seen={seen} resource={resource} />
      <Panel title="Timeline" note={whole(seen.timeline)} of={resource} class="span-12">
        <Waterfall spans={seen.timeline.spans} />
      </Panel>
      <Panel title="Attempts" note={`${seen.job.attempts.length}`} class="span-12">
        <Attempts attempts={seen.job.attempts} />
      </Panel>
      <Documents job={seen.job} />
      <Panel title="Events" note={seen.timeline.complete ? "complete" : "not complete yet"} class="span-12">
        <History events={seen.timeline.events} />
      </Panel>
    </div>
  );
}

async function load(id: string, signal: AbortSignal): Promise<Seen> {
  if (!isId(id)) throw new ApiError("refused", `${line(id)} is no job id; one has 36 characters`);
  const [job, timeline] = await Promise.all([api.job(id, signal), api.timeline(id, signal)]);
  return { job, timeline };
}

const whole = (timeline: Timeline) =>
  `${duration(timeline.totalMs)}${isTerminal(timeline.status) ? "" : " so far"} from publication`;

function Missing({ error, again }: { error: ApiError; again: () => void }) {
  if (!error.isNotFound) return <Trouble error={error} what="The job cannot be shown:" again={again} />;
  return (
    <div class="empty" role="status">
      <p>{line(error.message)}.</p>
      <p>A job that was accepted just now appears in a moment; this page asks again by itself.</p>
      <p>
        <a href="#/">All jobs</a>
      </p>
    </div>
  );
}

function Title({ seen: { job }, resource }: { seen: Seen; resource: Resource<Seen> }) {
  // One that has ended changes no more, but for what is recorded late.
  useEffect(() => {
    resource.pace(isTerminal(job.status) ? ENDED_MS : OPEN_MS);
  }, [resource, job.status]);
  return (
    <section class="panel span-12 title" aria-label="The job">
      <div class="title-line">
        <h1>
          <span class="mono" title={job.id}>
            {shortId(job.id)}
          </span>{" "}
          {line(job.type)}
        </h1>
        <p role="status">
          <Status status={job.status} /> <span class="muted">{after(job)}</span>
        </p>
        <Copy text={job.id} what="the id" />
        <Actions job={job} changed={() => resource.refresh()} />
      </div>
      {job.error && <p class="job-error is-bad">{line(job.error)}</p>}
      <dl class="facts">
        <Fact name="submitted">
          <Ago at={job.submittedAt} />
        </Fact>
        <Fact name="attempt">{job.attempt === 0 ? "none yet" : job.attempt}</Fact>
        <Fact name="correlation">
          <a class="mono" href={to(["events"], { correlation: job.correlationId })} title={line(job.correlationId)}>
            {line(shortId(job.correlationId))}
          </a>
        </Fact>
        <Fact name="accepted by">{line(job.submittedBy.instanceId)}</Fact>
        {job.scheduledFor && (
          <Fact name="not before">
            <time dateTime={job.scheduledFor}>{job.scheduledFor}</time>
          </Fact>
        )}
        {job.retryOf && (
          <Fact name="repeats">
            <a class="mono" href={to(["jobs", job.retryOf])}>
              {line(shortId(job.retryOf))}
            </a>
          </Fact>
        )}
      </dl>
    </section>
  );
}

const Fact = ({ name, children }: { name: string; children: preact.ComponentChildren }) => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
);

function after(job: JobDetail): string {
  if (job.cancelRequested && !isTerminal(job.status)) return "cancellation asked for";
  if (!isTerminal(job.status)) return "";
  const attempts = job.attempts.length;
  return attempts === 0 ? "without an attempt" : `after ${attempts} ${attempts === 1 ? "attempt" : "attempts"}`;
}
