-- The authoritative state of every job. Instants are microseconds since the Unix epoch.
CREATE TABLE jobs (
    row              INTEGER PRIMARY KEY,
    id               TEXT    NOT NULL UNIQUE,
    type             TEXT    NOT NULL,
    status           INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    digest           BLOB    NOT NULL,
    payload          TEXT    NOT NULL,
    metadata         TEXT,
    options          TEXT,
    retry_of         TEXT,
    correlation_id   TEXT    NOT NULL,
    traceparent      TEXT,
    submitted_at     INTEGER NOT NULL,
    submitted_by     TEXT    NOT NULL,
    taken_at         INTEGER NOT NULL,
    taken_by         TEXT    NOT NULL,
    valid            INTEGER NOT NULL,
    scheduled_for    INTEGER,
    -- What changes while the job runs.
    attempt          INTEGER NOT NULL,
    takes            INTEGER NOT NULL,
    lost             INTEGER NOT NULL DEFAULT 0,
    started_at       INTEGER,
    executor         TEXT,
    attempts         TEXT    NOT NULL DEFAULT '[]',
    finished_at      INTEGER,
    result           TEXT,
    error            TEXT,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    -- The lease: null due_at exactly when nobody owes the job anything.
    due_at           INTEGER,
    token            BLOB,
    backed           INTEGER NOT NULL
) STRICT;

CREATE INDEX jobs_due ON jobs (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX jobs_created ON jobs (created_at DESC, id DESC);
CREATE INDEX jobs_type ON jobs (type, created_at DESC, id DESC);
-- Most jobs are COMPLETED (5); those that are not are the ones that people filter for.
CREATE INDEX jobs_not_completed ON jobs (status, created_at DESC, id DESC) WHERE status <> 5;

-- Requests to cancel that came before their job.
CREATE TABLE cancellations (
    job_id       TEXT    NOT NULL PRIMARY KEY,
    requested_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
