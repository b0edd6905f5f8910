import { useState } from "preact/hooks";
import * as api from "../../api/client";
import { type ApiError, asApiError } from "../../api/http";
import { line } from "../../look/text";
import { Command } from "../../parts/copy";
import { Panel, Trouble } from "../../parts/panel";
import { go, to } from "../../state/route";
import { ofInstance, stats } from "../../state/store";
import { check, command, type Draft, EMPTY, type Field, others } from "./draft";
import { Input } from "./field";

const EXAMPLES: [string, Partial<Draft>][] = [
  ["At once", { type: "hello", payload: "{}" }],
  ["Takes a while", { type: "resize", payload: '{\n  "simulate": { "durationMs": 2000, "jitterMs": 500 }\n}' }],
  ["Fails once", { type: "resize", payload: '{\n  "simulate": { "durationMs": 300, "failTimes": 1 }\n}' }],
  ["Fails", { type: "resize", payload: '{\n  "simulate": { "durationMs": 300, "error": "upstream 502" }\n}' }],
  ["Works hard", { type: "hash", payload: '{\n  "rounds": 100000\n}' }],
];

/// A form for one job. What is written is checked against the contract at once, and by the gateway in the end.
export function NewTask({ like }: { like: URLSearchParams }) {
  const [draft, setDraft] = useState<Draft>({ ...EMPTY, type: like.get("type") ?? "" });
  const [touched, setTouched] = useState<ReadonlySet<Field>>(new Set());
  const [all, setAll] = useState(false);
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<ApiError | null>(null);
  const checked = check(draft);
  const told = refused?.errors ?? [];
  const errors = [...checked.errors, ...told.filter(({ path }) => !checked.errors.some((own) => own.path === path))];
  const write = (field: Field, text: string) => {
    setDraft((present) => ({ ...present, [field]: text }));
    setTouched((present) => new Set([...present, field]));
    setRefused(null);
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    setAll(true);
    if (checked.errors.length > 0 || busy) return;
    setBusy(true);
    setRefused(null);
    try {
      const { jobId } = await api.submit(checked.submission);
      go(to(["jobs", jobId]));
    } catch (thrown) {
      setRefused(asApiError(thrown));
      setBusy(false);
    }
  };
  const field = (name: Field) => ({
    field: name,
    draft,
    errors,
    tells: all || touched.has(name) || told.length > 0,
    write,
  });
  const types = Object.keys(stats.data.value?.byType ?? {}).filter((type) => type !== "other");
  return (
    <div class="grid">
      <h1 class="unseen">New task</h1>
      <Panel title="New task" class="span-8">
        <form class="form" onSubmit={(event) => void submit(event)} noValidate>
          <Input
            {...field("type")}
            label="Type"
            help="1 to 50 of A-Z a-z 0-9 . _ -. It chooses what executes the job."
            list={types}
          />
          <Input {...field("payload")} label="Payload" kind="area" help="A JSON object: the input of the handler." />
          <Options field={field} />
          {others(errors).map(({ path, message }) => (
            <p key={path} class="field-error" role="alert">
              {line(path)} {line(message)}
            </p>
          ))}
          {refused && <Trouble error={refused} what="Not accepted:" />}
          <div class="actions">
            <button type="submit" class="primary" disabled={busy}>
              {busy ? "Submitting…" : "Submit"}
            </button>
            <span class="muted" role="status">
              {all &&
                checked.errors.length > 0 &&
                `${checked.errors.length} ${checked.errors.length === 1 ? "place is" : "places are"} not right yet`}
            </span>
          </div>
        </form>
      </Panel>
      <div class="span-4 column">
        <Examples take={(example) => setDraft((present) => ({ ...present, ...example }))} />
        <Panel title="The same on the command line">
          <Command text={`${command(checked)}${ofInstance.value}`} />
        </Panel>
      </div>
    </div>
  );
}

type FieldProps = Omit<Parameters<typeof Input>[0], "label" | "help" | "kind" | "list">;

const Options = ({ field }: { field: (name: Field) => FieldProps }) => (
  <details>
    <summary>Options</summary>
    <div class="form-options">
      <Input {...field("maxAttempts")} label="Most attempts" kind="number" help="1 to 25; 3 where empty." />
      <Input
        {...field("backoffMs")}
        label="Backoff, ms"
        kind="number"
        help="Before the second attempt, doubled for each further one; 500 where empty."
      />
      <Input
        {...field("timeoutMs")}
        label="Time limit of an attempt, ms"
        kind="number"
        help="Up to a day; 30,000 where empty."
      />
      <Input
        {...field("delayMs")}
        label="Delay, ms"
        kind="number"
        help="Before the first attempt. Not together with a time."
      />
      <Input
        {...field("runAt")}
        label="Not before"
        kind="datetime-local"
        help="In your own time zone. Not together with a delay."
      />
      <Input {...field("id")} label="Id" help="A UUID; a random one where empty. The same id makes no second job." />
    </div>
    <Input
      {...field("metadata")}
      label="Metadata"
      kind="area"
      help="A JSON object of notes; no part of the system reads it."
    />
  </details>
);

const Examples = ({ take }: { take: (example: Partial<Draft>) => void }) => (
  <Panel title="Examples">
    <ul class="rows">
      {EXAMPLES.map(([name, example]) => (
        <li key={name}>
          <button type="button" class="small" onClick={() => take(example)}>
            {name}
          </button>
          <span class="muted mono grow">{example.type}</span>
        </li>
      ))}
    </ul>
  </Panel>
);
