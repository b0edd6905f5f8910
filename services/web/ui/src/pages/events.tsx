import { useEffect, useMemo } from "preact/hooks";
import * as api from "../api/client";
import { EVENT_TYPES, type EventType } from "../api/types";
import { ofEvent } from "../look/sign";
import { line } from "../look/text";
import { Command } from "../parts/copy";
import { EventTable } from "../parts/event-table";
import { Empty, Panel, Trouble, Waiting } from "../parts/panel";
import { Pager } from "../parts/table";
import { Pages } from "../state/pages";
import { Resource, useResource } from "../state/resource";
import { replace, to } from "../state/route";
import { ofInstance, onBatch } from "../state/store";

const ROWS = 50;

/// The event log, newest first.
export function Events({ query }: { query: URLSearchParams }) {
  const text = query.toString();
  const wanted = useMemo(() => read(query), [text]);
  const pages = useMemo(() => new Pages(), [text]);
  const cursor = pages.cursor;
  const resource = useResource(
    () => new Resource((signal) => api.events(wanted, { cursor, limit: ROWS }, signal), 5_000),
    [text, cursor],
  );
  // Older pages stay as they are.
  useEffect(() => (cursor ? undefined : onBatch(() => resource.refresh())), [resource, cursor]);
  const page = resource.data.value;
  const error = resource.error.value;
  return (
    <div class="grid">
      <h1 class="unseen">Events</h1>
      <Panel
        title="Events"
        note={<Command text={`odd events --follow${ofInstance.value}`} />}
        of={resource}
        class="span-12"
      >
        <Types chosen={wanted.types} query={query} />
        <Only query={query} />
        {error && !page ? (
          <Trouble error={error} what="No events can be shown:" again={() => resource.refresh()} />
        ) : !page ? (
          <Waiting lines={8} />
        ) : page.events.length === 0 ? (
          <Empty>
            {text ? "No event fits." : "No events yet: "}
            {text ? <a href="#/events">Show all</a> : <a href="#/new">New task</a>}
          </Empty>
        ) : (
          <>
            <EventTable events={page.events} caption="Events, newest first" withJob />
            <Pager
              page={pages.number}
              rows={page.events.length}
              next={page.nextCursor}
              turn={(by) => pages.turn(by, page.nextCursor)}
              what="event"
            />
          </>
        )}
      </Panel>
    </div>
  );
}

function read(query: URLSearchParams): api.EventQuery {
  const asked = (query.get("type") ?? "").split(",");
  const wanted: api.EventQuery = { types: EVENT_TYPES.filter((type) => asked.includes(type)) };
  const job = query.get("job");
  const correlation = query.get("correlation");
  if (job) wanted.jobId = job;
  if (correlation) wanted.correlationId = correlation;
  return wanted;
}

function Types({ chosen, query }: { chosen: EventType[]; query: URLSearchParams }) {
  const toggle = (type: EventType) => {
    const types = chosen.includes(type) ? chosen.filter((other) => other !== type) : [...chosen, type];
    replace(to(["events"], { ...Object.fromEntries(query), type: types.join(",") }));
  };
  return (
    <fieldset class="chips">
      <legend class="unseen">Types of events</legend>
      {EVENT_TYPES.map((type) => (
        <button key={type} type="button" class="chip" aria-pressed={chosen.includes(type)} onClick={() => toggle(type)}>
          <span class={`is-${ofEvent(type)}`} aria-hidden="true">
            ●
          </span>{" "}
          {type}
        </button>
      ))}
    </fieldset>
  );
}

/// What else the list is limited to.
function Only({ query }: { query: URLSearchParams }) {
  const said = [
    ["job", query.get("job")],
    ["correlation", query.get("correlation")],
  ].filter(([, value]) => value);
  if (said.length === 0) return null;
  return (
    <p>
      Only{" "}
      {said.map(([name, value]) => (
        <span key={name}>
          {name} <span class="mono">{line(value ?? "")}</span>{" "}
        </span>
      ))}
      <a href="#/events">Show all</a>
    </p>
  );
}
