-- Messages of the durable queues of the embedded event spine. AUTOINCREMENT: a row number is never given
-- twice, so that the order of rows is the order of publication for ever. Instants are microseconds since the Unix epoch.
CREATE TABLE messages (
    row          INTEGER PRIMARY KEY AUTOINCREMENT,
    queue        INTEGER NOT NULL,
    message_id   BLOB    NOT NULL,
    routing_key  TEXT    NOT NULL,
    content_type TEXT    NOT NULL,
    -- A JSON object of texts; null where there are none.
    headers      TEXT,
    body         BLOB    NOT NULL,
    enqueued_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX messages_queue ON messages (queue, row);
-- Queue 3 holds the dead letters: the same message dead-lettered twice is one.
CREATE UNIQUE INDEX messages_dead_letter ON messages (message_id) WHERE queue = 3;
