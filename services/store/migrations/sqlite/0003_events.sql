-- The event log. Rows are never changed or deleted, so a position never repeats and never has a gap.
-- Identifiers are 16 bytes: the indexes over them decide the speed of recording.
CREATE TABLE events (
    position       INTEGER PRIMARY KEY,
    event_id       BLOB    NOT NULL,
    -- The job that the event is about. Null where it names none.
    job_id         BLOB,
    -- Place in the job's history. Null exactly for dead letters, which are no part of one.
    sequence       INTEGER,
    event_type     INTEGER NOT NULL,
    correlation_id TEXT    NOT NULL,
    occurred_at    INTEGER NOT NULL,
    envelope       TEXT    NOT NULL
) STRICT;

-- An event is recorded once. Histories of jobs lie together and jobs are made in the order of their ids, so this
-- index grows near its end; one by event id alone would be hit all over, a page of the file for each event.
CREATE UNIQUE INDEX events_job ON events (job_id, sequence, event_id);
-- The same for the few events that are no part of a history: nulls are all different to the index above.
CREATE UNIQUE INDEX events_apart ON events (event_id) WHERE job_id IS NULL OR sequence IS NULL;
-- Grows at the right edge of each type only, so it costs next to nothing.
CREATE INDEX events_type ON events (event_type);
-- One entry a job: the event that opens its history (created, or failed or cancelled before a first
-- attempt), and every dead letter. The other events are found through their job.
CREATE INDEX events_correlation ON events (correlation_id) WHERE sequence IS NULL OR sequence IN (0, 4, 5);
