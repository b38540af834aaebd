-- Signatures of releases, and which packages people trust: added, never changed.

CREATE TABLE release_signature (
    digest TEXT NOT NULL, key TEXT NOT NULL, model TEXT NOT NULL, release INTEGER NOT NULL, signature TEXT NOT NULL,
    by TEXT NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (digest, key),
    FOREIGN KEY (model, release) REFERENCES release (model, number)
);

-- What is trusted now is what the newest record of a digest says.
CREATE TABLE trust (
    id TEXT PRIMARY KEY, digest TEXT NOT NULL, model TEXT NOT NULL, release INTEGER NOT NULL, types TEXT NOT NULL,
    by TEXT NOT NULL, reason TEXT NOT NULL, at TEXT NOT NULL, withdrawn INTEGER NOT NULL, sequence INTEGER NOT NULL UNIQUE,
    FOREIGN KEY (model, release) REFERENCES release (model, number)
);
CREATE INDEX trust_by_digest ON trust (digest, sequence);

CREATE TRIGGER release_signature_is_final BEFORE UPDATE ON release_signature BEGIN SELECT RAISE(ABORT, 'a signature never changes'); END;
CREATE TRIGGER release_signature_stays BEFORE DELETE ON release_signature BEGIN SELECT RAISE(ABORT, 'a signature is never deleted'); END;
CREATE TRIGGER trust_is_final BEFORE UPDATE ON trust BEGIN SELECT RAISE(ABORT, 'a record of trust never changes'); END;
CREATE TRIGGER trust_stays BEFORE DELETE ON trust BEGIN SELECT RAISE(ABORT, 'a record of trust is never deleted'); END;
