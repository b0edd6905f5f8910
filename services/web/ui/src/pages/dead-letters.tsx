import { useEffect, useMemo, useState } from "preact/hooks";
import * as api from "../api/client";
import { type ApiError, asApiError } from "../api/http";
import type { DeadLetter } from "../api/types";
import { bytes, shortId } from "../look/format";
import { line, plain } from "../look/text";
import { Confirm } from "../parts/confirm";
import { Command } from "../parts/copy";
import { JsonBlock } from "../parts/json";
import { Empty, Panel, Trouble, Waiting } from "../parts/panel";
import { type Column, Pager, Table } from "../parts/table";
import { Ago } from "../parts/time";
import { JobCell, Unfold } from "../parts/unfold";
import { Pages } from "../state/pages";
import { Resource, useResource } from "../state/resource";
import { ofInstance, onBatch } from "../state/store";

const ROWS = 25;
const COLUMNS: Column[] = [
  { name: "id", class: "wide" },
  { name: "reason" },
  { name: "queue", class: "wide" },
  { name: "job" },
  { name: "size", class: "number wide" },
  { name: "put aside", class: "number" },
  { name: "message", class: "number" },
];

/// Messages that no consumer could take.
export function DeadLetters() {
  const pages = useMemo(() => new Pages(), []);
  const cursor = pages.cursor;
  const resource = useResource(
    () => new Resource((signal) => api.deadLetters({ cursor, limit: ROWS }, signal), 5_000),
    [cursor],
  );
  useEffect(
    () =>
      onBatch(({ events, gap }) => {
        if (gap || events.some(({ type }) => type === "job.dead_lettered")) resource.refresh();
      }),
    [resource],
  );
  const page = resource.data.value;
  const error = resource.error.value;
  return (
    <div class="grid">
      <h1 class="unseen">Dead letters</h1>
      <Panel
        title="Dead letters"
        note={<Command text={`odd dead-letters list${ofInstance.value}`} />}
        of={resource}
        class="span-12"
      >
        <p class="muted">
          Messages that no consumer could take. Each is kept with its bytes and the reason; put back, it goes to the
          queue it was taken from. The list is the log of what was put aside: a message stays in it after it was put
          back.
        </p>
        {error && !page ? (
          <Trouble error={error} what="No dead letters can be shown:" again={() => resource.refresh()} />
        ) : !page ? (
          <Waiting lines={5} />
        ) : page.deadLetters.length === 0 ? (
          <Empty>
            <span class="is-ok" aria-hidden="true">
              ✓{" "}
            </span>
            None: every message found its consumer.
          </Empty>
        ) : (
          <>
            <Table caption="Dead letters, newest first" columns={COLUMNS}>
              {page.deadLetters.map((letter) => (
                <Row key={letter.id} letter={letter} />
              ))}
            </Table>
            <Pager
              page={pages.number}
              rows={page.deadLetters.length}
              next={page.nextCursor}
              turn={(by) => pages.turn(by, page.nextCursor)}
              what="dead letter"
            />
          </>
        )}
      </Panel>
    </div>
  );
}

const Row = ({ letter }: { letter: DeadLetter }) => (
  <Unfold
    width={COLUMNS.length}
    cells={
      <>
        <td class="mono wide" title={letter.id}>
          {shortId(letter.id)}
        </td>
        <td class="error-text">
          <span class="is-bad" aria-hidden="true">
            ✗{" "}
          </span>
          {line(letter.reason)}
          <small class="muted">{line(letter.detail)}</small>
        </td>
        <td class="wide">{line(letter.queue)}</td>
        <JobCell id={letter.jobId} />
        <td class="number wide">{bytes(letter.size)}</td>
        <td class="number">
          <Ago at={letter.deadLetteredAt} />
        </td>
      </>
    }
  >
    {() => (
      <>
        <Message letter={letter} />
        <Requeue id={letter.id} />
      </>
    )}
  </Unfold>
);

const Message = ({ letter }: { letter: DeadLetter }) => (
  <>
    <h3>Headers</h3>
    <JsonBlock value={letter.headers} what="the headers" />
    <h3>Body {letter.contentType && <span class="muted">{line(letter.contentType)}</span>}</h3>
    {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable with the keyboard */}
    <pre tabIndex={0}>{letter.bodyText === undefined ? `base64: ${letter.bodyBase64}` : plain(letter.bodyText)}</pre>
  </>
);

type Progress = "idle" | "asks" | "busy" | "done";

function Requeue({ id }: { id: string }) {
  const [progress, setProgress] = useState<Progress>("idle");
  const [error, setError] = useState<ApiError | null>(null);
  const requeue = async () => {
    setProgress("busy");
    setError(null);
    try {
      await api.requeue(id);
      setProgress("done");
    } catch (thrown) {
      setError(asApiError(thrown));
      setProgress("idle");
    }
  };
  if (progress === "done") {
    return (
      <p role="status">
        <span class="is-ok">✓</span> It is on its queue again. If nothing changed, it will be put aside again.
      </p>
    );
  }
  return (
    <div class="actions">
      <button type="button" onClick={() => setProgress("asks")}>
        Put back on its queue
      </button>
      {error &&
        (error.isNotFound ? (
          <p role="alert">It is not there any more: it was put back before.</p>
        ) : (
          <Trouble error={error} what="It stays where it is:" />
        ))}
      {(progress === "asks" || progress === "busy") && (
        <Confirm
          title="Put the message back?"
          action="Put it back"
          busy={progress === "busy"}
          onYes={() => void requeue()}
          onNo={() => setProgress("idle")}
        >
          <p>Its bytes go unchanged to the queue it was taken from. What was wrong with it should be mended first.</p>
        </Confirm>
      )}
    </div>
  );
}
