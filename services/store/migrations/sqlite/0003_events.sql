-- The event log. Rows are never changed or deleted, so a position never repeats and never has a gap.
-- Identifiers are 16 bytes: the indexes over them decide the speed of recording.
CREATE TABLE events (
    position       INTEGER PRIMARY KEY,
    event_id       BLOB    NOT NULL UNIQUE,
    -- The job that the event is about. Null where it names none.
    job_id         BLOB,
    -- Place in the job's history. Null exactly for dead letters, which are no part of one.
    sequence       INTEGER,
    event_type     INTEGER NOT NULL,
    correlation_id TEXT    NOT NULL,
    occurred_at    INTEGER NOT NULL,
    envelope       TEXT    NOT NULL
) STRICT;

CREATE INDEX events_job ON events (job_id, sequence) WHERE job_id IS NOT NULL;
-- Grows at the right edge of each type only, so it costs next to nothing.
CREATE INDEX events_type ON events (event_type);
-- One entry a job: the event that opens its history (created, or failed or cancelled before a first
-- attempt), and every dead letter. The other events are found through their job.
CREATE INDEX events_correlation ON events (correlation_id) WHERE sequence IS NULL OR sequence IN (0, 4, 5);
