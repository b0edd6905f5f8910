import { Chart } from "../../charts/chart";
import type { Series } from "../../charts/plot";
import { count, duration, rate } from "../../look/format";
import { Panel, Trouble, Waiting } from "../../parts/panel";
import { history, stats } from "../../state/store";

const ENDED: Series[] = [{ label: "jobs ended a second", colour: "--accent", filled: true }];
const LATENCY: Series[] = [
  { label: "p50", colour: "--working", joined: true },
  { label: "p90", colour: "--cancelled", dashed: true, joined: true },
  { label: "p99", colour: "--attention", joined: true },
];

/// How much ends, and how long it took.
export const Charts = () => (
  <>
    <Throughput />
    <LatencyPanel />
  </>
);

function Throughput() {
  const told = stats.data.value;
  const [at, ended] = history.value.throughput;
  const peak = Math.max(0, ...ended.map((figure) => figure ?? 0));
  const note = told && (
    <>
      <strong>{rate(told.jobsPerSecond)}</strong> jobs/s · highest {count(peak)}
    </>
  );
  const label = `Jobs ended in each second of the last ${Math.round(at.length / 60)} minutes: highest ${peak}, now ${rate(told?.jobsPerSecond ?? 0)} a second`;
  return (
    <Panel title="Throughput" note={note} of={stats} class="span-6">
      {told ? <Chart label={label} series={ENDED} data={{ at, lines: [ended] }} format={count} /> : <NotYet />}
    </Panel>
  );
}

function LatencyPanel() {
  const told = stats.data.value;
  const past = history.value;
  const [at, p50] = past.latency("p50");
  const lines = [p50, past.latency("p90")[1], past.latency("p99")[1]];
  const latency = told?.latencyMs;
  const words = latency
    ? `p50 ${duration(latency.p50)} · p90 ${duration(latency.p90)} · p99 ${duration(latency.p99)}`
    : "no job ended in the last minute";
  return (
    <Panel title="Latency" note={told && words} of={stats} class="span-6">
      {told ? (
        <Chart
          label={`From publication to end, of the jobs that ended in the last minute: ${words}`}
          series={LATENCY}
          data={{ at, lines }}
          format={duration}
        />
      ) : (
        <NotYet />
      )}
    </Panel>
  );
}

function NotYet() {
  const error = stats.error.value;
  return error ? <Trouble error={error} what="No figures:" /> : <Waiting lines={4} />;
}
