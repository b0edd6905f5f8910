import { useState } from "preact/hooks";
import * as api from "../../api/client";
import { type ApiError, asApiError } from "../../api/http";
import type { JobDetail } from "../../api/types";
import { shortId } from "../../look/format";
import { isTerminal } from "../../look/sign";
import { Confirm } from "../../parts/confirm";
import { Trouble } from "../../parts/panel";
import { go, to } from "../../state/route";

/// What can be done with the job as it stands.
export function Actions({ job, changed }: { job: JobDetail; changed: () => void }) {
  const [asks, setAsks] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const act = async (run: () => Promise<void>) => {
    setBusy(true);
    setError(null);
    try {
      await run();
    } catch (thrown) {
      setError(asApiError(thrown));
    }
    setBusy(false);
    setAsks(false);
    changed();
  };
  const cancel = () => act(async () => void (await api.cancel(job.id)));
  const retry = () => act(async () => go(to(["jobs", (await api.retry(job.id)).jobId])));
  return (
    <div class="actions">
      {isTerminal(job.status) ? (
        <button type="button" disabled={busy} title="Submits it again, as a new job" onClick={() => void retry()}>
          {busy ? "Asking…" : "Retry"}
        </button>
      ) : (
        <button
          type="button"
          class="danger"
          disabled={busy || job.cancelRequested === true}
          onClick={() => setAsks(true)}
        >
          {job.cancelRequested ? "Cancellation asked for" : "Cancel"}
        </button>
      )}
      {error && <Trouble error={error} what="That was refused:" />}
      {asks && (
        <Confirm
          title={`Cancel job ${shortId(job.id)}?`}
          action="Cancel the job"
          busy={busy}
          onYes={() => void cancel()}
          onNo={() => setAsks(false)}
        >
          <p>The processor ends it as soon as its handler lets it. It can be run again later, as a new job.</p>
        </Confirm>
      )}
    </div>
  );
}
