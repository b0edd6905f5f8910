import * as api from "../api/client";
import { ApiError } from "../api/http";
import type { Interfaces, TargetList, UiEntry } from "../api/types";
import { offered, portOf, type Reach, reach } from "../look/ports";
import { ofHealth, type Sign } from "../look/sign";
import { line } from "../look/text";
import { Command } from "../parts/copy";
import { Panel, Trouble, Waiting } from "../parts/panel";
import { Mark } from "../parts/signs";
import { Resource, useResource } from "../state/resource";
import { ofInstance, overview } from "../state/store";

const WORDS: Record<Reach, string> = {
  healthy: "answers",
  degraded: "answers, but not all is well",
  down: "does not answer",
  unknown: "cannot be told from here",
};
const UNKNOWN: Sign = { glyph: "◌", tone: "waiting" };

interface Asked {
  interfaces: Interfaces;
  targets: TargetList | null;
}

/// Every user interface of the instance.
export function InterfacesPage() {
  const resource = useResource(() => new Resource(load, 5_000), []);
  const asked = resource.data.value;
  const error = resource.error.value;
  const engine = overview.data.value?.engine ?? "";
  return (
    <div class="grid">
      <h1 class="unseen">Interfaces</h1>
      <Panel title="Interfaces" note={<Command text={`odd urls${ofInstance.value}`} />} of={resource} class="span-12">
        {error && !asked ? (
          <Trouble error={error} what="Not known:" again={() => resource.refresh()} />
        ) : !asked ? (
          <Waiting lines={5} />
        ) : (
          <ul class="rows interfaces">
            {offered(asked.interfaces.entries, engine).map((entry) => (
              <One key={entry.id} entry={entry} asked={asked} />
            ))}
          </ul>
        )}
      </Panel>
    </div>
  );
}

async function load(signal: AbortSignal): Promise<Asked> {
  const [interfaces, targets] = await Promise.all([api.interfaces(signal), scraped(signal)]);
  return { interfaces, targets };
}

/// None where the instance has no Prometheus, or none that answers.
async function scraped(signal: AbortSignal): Promise<TargetList | null> {
  if (overview.data.peek()?.engine === "embedded") return null;
  try {
    return await api.targets(signal);
  } catch (error) {
    if (error instanceof ApiError) return null;
    throw error;
  }
}

function One({ entry, asked: { interfaces, targets } }: { entry: UiEntry; asked: Asked }) {
  const port = portOf(entry, interfaces, Number(location.port) || 0);
  const state = reach(entry, overview.data.value, targets);
  const address = port === null ? null : `${location.protocol}//${location.hostname}:${port}${entry.path}`;
  return (
    <li>
      <Mark sign={state === "unknown" ? UNKNOWN : ofHealth(state)} />
      <div class="grow">
        <p>
          {address ? (
            <a href={address} target="_blank" rel="noreferrer noopener">
              {line(entry.name)}
            </a>
          ) : (
            line(entry.name)
          )}
        </p>
        <small>
          {line(entry.description)}.
          {entry.profiles?.length
            ? ` Only with the profile ${entry.profiles.map(line).join(", ")}: odd up --profile ${entry.profiles.map(line).join(" --profile ")}.`
            : ""}
        </small>
      </div>
      <span class="end muted">
        {WORDS[state]}
        {port !== null && <span class="port"> :{port}</span>}
      </span>
    </li>
  );
}
