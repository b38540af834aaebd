-- What people note about the tests of the ML Test Score: added, never changed.

CREATE TABLE score_note (
    id TEXT PRIMARY KEY, test TEXT NOT NULL, model TEXT NOT NULL, release INTEGER, note TEXT NOT NULL,
    checked_by TEXT NOT NULL, by TEXT NOT NULL, at TEXT NOT NULL
);
CREATE INDEX score_note_by_model ON score_note (model, id);

CREATE TRIGGER score_note_is_final BEFORE UPDATE ON score_note BEGIN SELECT RAISE(ABORT, 'a note never changes'); END;
CREATE TRIGGER score_note_stays BEFORE DELETE ON score_note BEGIN SELECT RAISE(ABORT, 'a note is never deleted'); END;
