-- The counters: a projection of the event log. A generation is a whole set of them; a rebuild fills a
-- new one beside the one in use.
CREATE TABLE counter_generations (
    generation    INTEGER PRIMARY KEY,
    retries       INTEGER NOT NULL DEFAULT 0,
    dead_letters  INTEGER NOT NULL DEFAULT 0,
    last_event_at INTEGER
) STRICT;

-- The generation in use: one row.
CREATE TABLE counter_meta (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    generation INTEGER NOT NULL
) STRICT;

INSERT INTO counter_generations (generation) VALUES (1);
INSERT INTO counter_meta (id, generation) VALUES (1, 1);

-- Per job the largest sequence seen, and the type that the job is counted under.
CREATE TABLE counter_guards (
    generation INTEGER NOT NULL,
    job_id     BLOB    NOT NULL,
    sequence   INTEGER NOT NULL,
    type_id    INTEGER NOT NULL,
    PRIMARY KEY (generation, job_id)
) STRICT, WITHOUT ROWID;

-- Dead letters seen.
CREATE TABLE counter_dead_letters (
    generation INTEGER NOT NULL,
    id         BLOB    NOT NULL,
    PRIMARY KEY (generation, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE counter_statuses (
    generation INTEGER NOT NULL,
    status     INTEGER NOT NULL,
    jobs       INTEGER NOT NULL,
    PRIMARY KEY (generation, status)
) STRICT, WITHOUT ROWID;

-- Type 0 is `other`.
CREATE TABLE counter_types (
    generation INTEGER NOT NULL,
    type_id    INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    total      INTEGER NOT NULL,
    completed  INTEGER NOT NULL,
    failed     INTEGER NOT NULL,
    cancelled  INTEGER NOT NULL,
    PRIMARY KEY (generation, type_id),
    UNIQUE (generation, name)
) STRICT, WITHOUT ROWID;
