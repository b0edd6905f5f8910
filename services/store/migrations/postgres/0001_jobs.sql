-- The authoritative state of every job. Texts that may hold any character (U+0000 among them, which the types
-- text and jsonb refuse) are of the type json, strings too. What never changes stands first, so that the log of
-- an update holds little more than what changed; room is left on each page for that update.
CREATE TABLE jobs (
    id               uuid        PRIMARY KEY,
    created_at       timestamptz NOT NULL,
    submitted_at     timestamptz NOT NULL,
    taken_at         timestamptz NOT NULL,
    scheduled_for    timestamptz,
    retry_of         uuid,
    valid            boolean     NOT NULL,
    digest           bytea       NOT NULL,
    type             text        NOT NULL,
    payload          json        NOT NULL,
    metadata         json,
    options          json,
    correlation_id   text        NOT NULL,
    traceparent      text,
    submitted_by     json        NOT NULL,
    taken_by         json        NOT NULL,
    -- What changes while the job runs.
    status           smallint    NOT NULL,
    cancel_requested boolean     NOT NULL,
    backed           boolean     NOT NULL,
    attempt          integer     NOT NULL,
    takes            integer     NOT NULL,
    lost             integer     NOT NULL,
    updated_at       timestamptz NOT NULL,
    started_at       timestamptz,
    finished_at      timestamptz,
    due_at           timestamptz,
    token            uuid        NOT NULL,
    executor         json,
    attempts         json        NOT NULL,
    error            json,
    result           json
) WITH (fillfactor = 70);

COMMENT ON COLUMN jobs.status IS
    '0 PENDING, 1 VALIDATED, 2 SCHEDULED, 3 EXECUTING, 4 RETRYING, 5 COMPLETED, 6 FAILED, 7 CANCELLED';
COMMENT ON COLUMN jobs.due_at IS 'by the clock of this server; null exactly when nobody owes the job anything';
COMMENT ON COLUMN jobs.token IS 'proof of the latest taking: only its holder may change the job';
COMMENT ON COLUMN jobs.backed IS 'whether an unacknowledged message stands for the job';
COMMENT ON COLUMN jobs.lost IS 'executions whose processor was lost';
COMMENT ON COLUMN jobs.started_at IS 'when the attempt that runs was started; it joins attempts when it ends';
COMMENT ON COLUMN jobs.executor IS 'who runs the attempt that runs, where it is not taken_by';
COMMENT ON COLUMN jobs.attempts IS 'attempts that ended, in order; without executor where it is taken_by';

CREATE INDEX jobs_due ON jobs (due_at) WHERE due_at IS NOT NULL;
-- Jobs that ended and whose events are not confirmed: few, however many others are due.
CREATE INDEX jobs_due_ended ON jobs (due_at) WHERE due_at IS NOT NULL AND status >= 5;
-- Read backwards, newest first; kept in ascending order, as an index takes new entries most cheaply at its end.
CREATE INDEX jobs_created ON jobs (created_at, id);
CREATE INDEX jobs_type ON jobs (type, created_at, id);
-- Most jobs are COMPLETED (5); those that are not are the ones that people filter for.
CREATE INDEX jobs_not_completed ON jobs (status, created_at, id) WHERE status <> 5;

-- Requests to cancel that came before their job.
CREATE TABLE cancellations (
    job_id       uuid        PRIMARY KEY,
    requested_at timestamptz NOT NULL
);
