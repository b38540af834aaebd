-- What workers logged: predictions in chunks of one release, and labels.

-- The index of the chunks. A small one holds its predictions here, in `data`, until it is merged with later ones; a big
-- one is a blob. `data` comes last: SQLite then reads the index without it.
CREATE TABLE prediction_chunk (
    id TEXT PRIMARY KEY, model TEXT NOT NULL, release INTEGER NOT NULL, package TEXT NOT NULL,
    first_at TEXT NOT NULL, last_at TEXT NOT NULL, first_id TEXT NOT NULL, last_id TEXT NOT NULL,
    count INTEGER NOT NULL, size_bytes INTEGER NOT NULL, codec TEXT NOT NULL, blob TEXT NOT NULL, data BLOB NOT NULL
);
CREATE INDEX prediction_chunk_by_time ON prediction_chunk (model, last_at, id);
CREATE INDEX prediction_chunk_by_release ON prediction_chunk (model, release, package, blob);

-- Every label as it was received: the newest of a prediction counts, the others are what it was corrected from. Whoever
-- sends one twice adds nothing.
CREATE TABLE label (
    model TEXT NOT NULL, prediction_id TEXT NOT NULL, received_at TEXT NOT NULL, value TEXT NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (model, prediction_id, received_at)
);
CREATE INDEX label_by_prediction ON label (prediction_id);

-- Segments that are in the store and whose files may still be there: written in the transaction that takes them over.
-- `place` is the machine and the folder of the file.
CREATE TABLE taken_segment (name TEXT PRIMARY KEY, place TEXT NOT NULL);
