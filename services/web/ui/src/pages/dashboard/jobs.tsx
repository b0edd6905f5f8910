import { useEffect, useMemo, useRef } from "preact/hooks";
import * as api from "../../api/client";
import { ApiError } from "../../api/http";
import type { JobSummary } from "../../api/types";
import { command, parse } from "../../look/filter";
import { duration, shortId } from "../../look/format";
import { line } from "../../look/text";
import { Command } from "../../parts/copy";
import { Empty, Panel, Trouble, Waiting } from "../../parts/panel";
import { Status } from "../../parts/signs";
import { type Column, Pager, Table } from "../../parts/table";
import { Ago } from "../../parts/time";
import { Pages } from "../../state/pages";
import { Resource, useResource } from "../../state/resource";
import { replace, to } from "../../state/route";
import { ofInstance, onBatch } from "../../state/store";
import { FilterBar } from "./filter";

const ROWS = 25;
const COLUMNS: Column[] = [
  { name: "id" },
  { name: "type" },
  { name: "status" },
  { name: "attempt", class: "number wide" },
  { name: "queued", class: "number wide" },
  { name: "ran", class: "number wide" },
  { name: "created", class: "number" },
];

/// The jobs that the filter lets through, live.
export function Jobs({ filter }: { filter: string }) {
  const pages = useMemo(() => new Pages(), [filter]);
  const cursor = pages.cursor;
  const resource = useResource(() => new Resource((signal) => load(filter, cursor, signal), 4_000), [filter, cursor]);
  useEffect(() => onBatch(() => resource.refresh()), [resource]);
  const page = resource.data.value;
  const error = resource.error.value;
  const change = (text: string) => replace(to([], { q: text }));
  const means = "query" in parse(filter, Date.now());
  return (
    <Panel
      title="Jobs"
      class="span-8"
      of={resource}
      note={means && <Command text={`${command(filter)}${ofInstance.value}`} />}
      tools={<FilterBar filter={filter} change={change} />}
    >
      {!means ? (
        <Empty>Nothing is asked for: the filter is not understood.</Empty>
      ) : error && !page ? (
        <Trouble error={error} what="No jobs can be shown:" again={() => resource.refresh()} />
      ) : !page ? (
        <Waiting lines={6} />
      ) : page.jobs.length === 0 ? (
        <NoJobs filter={filter} change={change} />
      ) : (
        <>
          <Table caption="Jobs, newest first" columns={COLUMNS}>
            {page.jobs.map((job) => (
              <Row key={job.id} job={job} />
            ))}
          </Table>
          <Pager
            page={pages.number}
            rows={page.jobs.length}
            next={page.nextCursor}
            turn={(by) => pages.turn(by, page.nextCursor)}
            what="job"
          />
        </>
      )}
    </Panel>
  );
}

/// `since:10m` means ten minutes before each question.
async function load(filter: string, cursor: string | undefined, signal: AbortSignal) {
  const parsed = parse(filter, Date.now());
  if ("error" in parsed) throw new ApiError("refused", parsed.error);
  return api.jobs(parsed.query, { cursor, limit: ROWS }, signal);
}

function NoJobs({ filter, change }: { filter: string; change: (text: string) => void }) {
  if (filter.trim() !== "") {
    return (
      <Empty>
        No job fits the filter.{" "}
        <button type="button" class="small" onClick={() => change("")}>
          Show all
        </button>
      </Empty>
    );
  }
  return (
    <Empty>
      No jobs yet: <Command text={`odd submit hello${ofInstance.value}`} />, or <a href="#/new">New task</a>.
    </Empty>
  );
}

function Row({ job }: { job: JobSummary }) {
  const link = useRef<HTMLAnchorElement>(null);
  const open = (event: MouseEvent) => {
    const chosen = getSelection()?.toString() !== "";
    if (!chosen && !(event.target instanceof HTMLAnchorElement)) link.current?.click();
  };
  return (
    // The link in the row does the same with the keyboard
    <tr class="opens" onClick={open}>
      <td>
        <a ref={link} class="mono" href={to(["jobs", job.id])} title={job.id}>
          {shortId(job.id)}
        </a>
      </td>
      <td class="name" title={line(job.type)}>
        {line(job.type)}
      </td>
      <td title={job.error ? line(job.error) : undefined}>
        <Status status={job.status} />
      </td>
      <td class="number wide">
        {job.attempt}/{job.maxAttempts}
      </td>
      <td class="number wide">{duration(job.queuedMs)}</td>
      <td class="number wide">{duration(job.ranMs)}</td>
      <td class="number">
        <Ago at={job.createdAt} />
      </td>
    </tr>
  );
}
