CREATE TABLE migration (name TEXT PRIMARY KEY, applied_at TEXT NOT NULL);

CREATE TABLE dataset (
    digest TEXT PRIMARY KEY, blob TEXT NOT NULL, kind TEXT NOT NULL, flavour TEXT NOT NULL, size_bytes INTEGER NOT NULL, rows INTEGER,
    columns TEXT NOT NULL, created_at TEXT NOT NULL
);

CREATE TABLE run (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, status TEXT NOT NULL, started_at TEXT NOT NULL, finished_at TEXT,
    model TEXT, settings TEXT NOT NULL, code TEXT NOT NULL, environment TEXT, log TEXT, error TEXT, resumed_from TEXT
);
CREATE INDEX run_by_model ON run (model, id);

CREATE TABLE step_run (
    run_id TEXT NOT NULL REFERENCES run (id), step TEXT NOT NULL, fingerprint TEXT NOT NULL, status TEXT NOT NULL,
    inputs TEXT NOT NULL, outputs TEXT NOT NULL, settings TEXT NOT NULL, started_at TEXT NOT NULL,
    duration_s REAL NOT NULL, PRIMARY KEY (run_id, step)
);
CREATE INDEX step_run_by_fingerprint ON step_run (step, fingerprint);

CREATE TABLE metric_chunk (
    run_id TEXT NOT NULL REFERENCES run (id), key TEXT NOT NULL, sequence INTEGER NOT NULL, count INTEGER NOT NULL,
    last_value REAL, points BLOB NOT NULL, PRIMARY KEY (run_id, key, sequence)
);

CREATE TABLE release (
    model TEXT NOT NULL, number INTEGER NOT NULL, digest TEXT NOT NULL UNIQUE, package TEXT NOT NULL,
    run_id TEXT NOT NULL REFERENCES run (id), fingerprint TEXT NOT NULL, settings TEXT NOT NULL, tests TEXT NOT NULL,
    metrics TEXT NOT NULL, created_at TEXT NOT NULL, PRIMARY KEY (model, number)
);

CREATE TABLE session (
    id TEXT PRIMARY KEY, release TEXT REFERENCES release (digest), run_id TEXT NOT NULL, problems TEXT NOT NULL,
    started_at TEXT NOT NULL, finished_at TEXT NOT NULL
);
CREATE INDEX session_by_release ON session (release, id);
CREATE INDEX session_by_run ON session (run_id, id);

CREATE TABLE check_result (
    session_id TEXT NOT NULL REFERENCES session (id), position INTEGER NOT NULL, test TEXT NOT NULL,
    subject TEXT NOT NULL, outcome TEXT NOT NULL, allowed INTEGER NOT NULL, message TEXT NOT NULL,
    measured TEXT NOT NULL, duration_s REAL NOT NULL, output TEXT NOT NULL, PRIMARY KEY (session_id, position)
);

CREATE TABLE decision (
    id TEXT PRIMARY KEY, model TEXT NOT NULL, release INTEGER NOT NULL, digest TEXT NOT NULL, before TEXT,
    after TEXT NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL, at TEXT NOT NULL, override INTEGER NOT NULL,
    evidence TEXT NOT NULL, sequence INTEGER NOT NULL UNIQUE,
    FOREIGN KEY (model, release) REFERENCES release (model, number)
);
CREATE INDEX decision_by_release ON decision (model, release, sequence);

CREATE TABLE route (
    model TEXT NOT NULL, version INTEGER NOT NULL, shares TEXT NOT NULL, previous TEXT,
    decision TEXT NOT NULL REFERENCES decision (id), at TEXT NOT NULL, PRIMARY KEY (model, version)
);

CREATE TABLE server (
    id TEXT PRIMARY KEY, host TEXT NOT NULL, pid INTEGER NOT NULL, address TEXT NOT NULL, control TEXT NOT NULL,
    workers TEXT NOT NULL, started_at TEXT NOT NULL, heartbeat_at TEXT NOT NULL
);

-- A release, its checks, its decisions and its routes are added and never changed: not by a bug either.
CREATE TRIGGER release_is_final BEFORE UPDATE ON release BEGIN SELECT RAISE(ABORT, 'a release never changes'); END;
CREATE TRIGGER session_is_final BEFORE UPDATE ON session BEGIN SELECT RAISE(ABORT, 'a session never changes'); END;
CREATE TRIGGER check_is_final BEFORE UPDATE ON check_result BEGIN SELECT RAISE(ABORT, 'a check never changes'); END;
CREATE TRIGGER decision_is_final BEFORE UPDATE ON decision BEGIN SELECT RAISE(ABORT, 'a decision never changes'); END;
CREATE TRIGGER route_is_final BEFORE UPDATE ON route BEGIN SELECT RAISE(ABORT, 'a route never changes'); END;
CREATE TRIGGER release_stays BEFORE DELETE ON release BEGIN SELECT RAISE(ABORT, 'a release is never deleted'); END;
CREATE TRIGGER session_stays BEFORE DELETE ON session BEGIN SELECT RAISE(ABORT, 'a session is never deleted'); END;
CREATE TRIGGER check_stays BEFORE DELETE ON check_result BEGIN SELECT RAISE(ABORT, 'a check is never deleted'); END;
CREATE TRIGGER decision_stays BEFORE DELETE ON decision BEGIN SELECT RAISE(ABORT, 'a decision is never deleted'); END;
CREATE TRIGGER route_stays BEFORE DELETE ON route BEGIN SELECT RAISE(ABORT, 'a route is never deleted'); END;
