import type { DependencyHealth, QueueDepth, RoleHealth } from "../../api/types";
import { count, duration } from "../../look/format";
import { ofAlert } from "../../look/sign";
import { line } from "../../look/text";
import { Empty, Panel, Trouble, Waiting } from "../../parts/panel";
import { Health, Mark } from "../../parts/signs";
import { Ago } from "../../parts/time";
import { overview } from "../../state/store";

const MOST_ALERTS = 6;

function NotYet() {
  const error = overview.error.value;
  return error ? <Trouble error={error} what="Not known:" /> : <Waiting />;
}

export function AlertsPanel() {
  const seen = overview.data.value;
  return (
    <Panel title="Alerts" note={<a href="#/alerts">history</a>} of={overview}>
      {!seen ? (
        <NotYet />
      ) : seen.alerts.length === 0 ? (
        <p>
          <Mark sign={{ glyph: "✓", tone: "ok" }} /> none fires
        </p>
      ) : (
        <ul class="rows">
          {seen.alerts.slice(0, MOST_ALERTS).map((alert) => (
            <li key={`${alert.name} ${alert.subject}`}>
              <Mark sign={ofAlert(alert.severity, alert.state)} />
              <span class="grow">
                {line(alert.name)} <span class="muted">{line(alert.subject)}</span>
                <small>{line(alert.summary)}</small>
              </span>
              <span class="end muted">
                <Ago at={alert.since} />
              </span>
            </li>
          ))}
          <More
            shown={Math.min(MOST_ALERTS, seen.alerts.length)}
            all={seen.alerts.length + (seen.alertsOmitted ?? 0)}
          />
        </ul>
      )}
    </Panel>
  );
}

const More = ({ shown, all }: { shown: number; all: number }) =>
  all > shown ? (
    <li>
      <a href="#/alerts">and {count(all - shown)} more</a>
    </li>
  ) : null;

export function QueuesPanel() {
  const seen = overview.data.value;
  return (
    <Panel title="Queues" of={overview}>
      {!seen ? (
        <NotYet />
      ) : seen.queues.length === 0 ? (
        <Empty>{seen.queuesUnknown ? `not known: ${line(seen.queuesUnknown)}` : "not known now"}</Empty>
      ) : (
        <ul class="rows">
          {seen.queues.map((queue) => (
            <Queue key={queue.name} queue={queue} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

const Queue = ({ queue: { name, ready, unacknowledged, oldestMs } }: { queue: QueueDepth }) => (
  <li>
    <span class="grow">
      {line(name)}
      {oldestMs ? <small>oldest {duration(oldestMs)}</small> : null}
    </span>
    <span class="end">
      {count(ready)}
      {unacknowledged > 0 && <span class="muted"> + {count(unacknowledged)} in hand</span>}
    </span>
  </li>
);

export function RolesPanel() {
  const seen = overview.data.value;
  return (
    <Panel title="Roles and stores" of={overview}>
      {!seen ? (
        <NotYet />
      ) : (
        <>
          <ul class="rows" aria-label="roles">
            {seen.roles.map((role) => (
              <Role key={role.role} role={role} />
            ))}
          </ul>
          <ul class="rows more" aria-label="stores">
            {seen.dependencies.map((store) => (
              <Store key={store.name} store={store} />
            ))}
          </ul>
        </>
      )}
    </Panel>
  );
}

const Role = ({ role: { role, state, version, detail, replicas } }: { role: RoleHealth }) => (
  <li>
    <Health state={state} />
    <span class="grow">
      {line(role)}
      {detail && <small>{line(detail)}</small>}
    </span>
    <span class="end muted">
      {replicas && `${replicas.ready} of ${replicas.total} · `}
      {state === "healthy" ? version : state}
    </span>
  </li>
);

const Store = ({ store: { name, adapter, state, latencyMs, detail } }: { store: DependencyHealth }) => (
  <li>
    <Health state={state} />
    <span class="grow">
      {line(name)} <span class="muted">{line(adapter)}</span>
      {detail && <small>{line(detail)}</small>}
    </span>
    <span class="end muted">{state === "healthy" ? duration(latencyMs) : state}</span>
  </li>
);
