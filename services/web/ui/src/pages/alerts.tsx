import * as api from "../api/client";
import type { Alert, AlertSource } from "../api/types";
import { dateAndClock, duration } from "../look/format";
import { ofAlert } from "../look/sign";
import { line, plain } from "../look/text";
import { Empty, Panel, Trouble, Waiting } from "../parts/panel";
import { Mark } from "../parts/signs";
import { Ago } from "../parts/time";
import { Resource, useResource } from "../state/resource";

/// What fires, and what fired.
export function Alerts() {
  const firing = useResource(() => new Resource(api.alerts), []);
  const history = useResource(() => new Resource(api.alertHistory, 5_000), []);
  const list = firing.data.value;
  return (
    <div class="grid">
      <h1 class="unseen">Alerts</h1>
      <Panel
        title="Alerts"
        note={list?.alertSource && <Source source={list.alertSource} />}
        of={firing}
        class="span-12"
      >
        <Shown resource={firing} none="✓ None fires, and none ended in the last 15 minutes." />
        {list?.omitted ? <p class="muted">and {list.omitted} more</p> : null}
      </Panel>
      <Panel title="History" note="those that changed last first" of={history} class="span-12">
        <Shown resource={history} none="Nothing has fired since the read-model started." />
      </Panel>
    </div>
  );
}

const Source = ({ source }: { source: AlertSource }) => (
  <span class={source.state === "healthy" ? "muted" : "is-attention"}>
    {source.name === "native" ? "evaluated by the read-model" : `told by ${line(source.name)}`}
    {source.state !== "healthy" && ` · ${source.state}`}
    {source.detail && `: ${line(source.detail)}`}
  </span>
);

function Shown({ resource, none }: { resource: Resource<{ alerts: Alert[] }>; none: string }) {
  const list = resource.data.value;
  const error = resource.error.value;
  if (!list) return error ? <Trouble error={error} what="Not known:" again={() => resource.refresh()} /> : <Waiting />;
  if (list.alerts.length === 0) return <Empty>{none}</Empty>;
  return (
    <ul class="rows alerts">
      {list.alerts.map((alert) => (
        <One key={`${alert.name} ${alert.subject} ${alert.since}`} alert={alert} />
      ))}
    </ul>
  );
}

const One = ({ alert }: { alert: Alert }) => (
  <li>
    <Mark sign={ofAlert(alert.severity, alert.state)} />
    <div class="grow">
      <p>
        <strong>{line(alert.name)}</strong> {line(alert.subject)}{" "}
        <span class="muted">
          {alert.severity} · {alert.state}
        </span>
      </p>
      <p>{line(alert.summary)}</p>
      <details>
        <summary>What to do</summary>
        <p class="runbook">{plain(alert.runbook)}</p>
        {alert.runbookUrl && isWeb(alert.runbookUrl) && (
          <p>
            <a href={alert.runbookUrl} rel="noreferrer noopener" target="_blank">
              More about it
            </a>
          </p>
        )}
      </details>
    </div>
    <span class="end muted">
      {alert.resolvedAt ? (
        <span title={dateAndClock(alert.resolvedAt)}>
          lasted {duration(Math.max(0, Date.parse(alert.resolvedAt) - Date.parse(alert.since)))}, ended{" "}
          <Ago at={alert.resolvedAt} />
        </span>
      ) : (
        <>
          began <Ago at={alert.since} />
        </>
      )}
    </span>
  </li>
);

/// Nothing but a page of the web is linked, whatever a rule says.
const isWeb = (address: string) => /^https?:\/\//i.test(address);
