-- Rollouts: what was begun, and what happened since. Which release gets copies of requests.

ALTER TABLE route ADD COLUMN shadow TEXT;
ALTER TABLE server ADD COLUMN evidence TEXT NOT NULL DEFAULT '{}';

CREATE TABLE rollout (
    id TEXT PRIMARY KEY, model TEXT NOT NULL, release INTEGER NOT NULL, digest TEXT NOT NULL, live INTEGER NOT NULL,
    plan TEXT NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL, begun_at TEXT NOT NULL,
    FOREIGN KEY (model, release) REFERENCES release (model, number),
    FOREIGN KEY (model, live) REFERENCES release (model, number)
);
CREATE INDEX rollout_by_model ON rollout (model, id);

-- What a rollout is at any moment follows from its events. Whoever adds one says which was the newest that it saw, so that
-- two who saw the same can't both go on from there.
CREATE TABLE rollout_event (
    rollout TEXT NOT NULL REFERENCES rollout (id), seq INTEGER NOT NULL, at TEXT NOT NULL, kind TEXT NOT NULL,
    step INTEGER NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL, figures TEXT NOT NULL, decision TEXT NOT NULL,
    PRIMARY KEY (rollout, seq)
);
CREATE INDEX rollout_event_by_kind ON rollout_event (rollout, kind, seq);

-- What the judge remembers as of the newest look: it goes on from there, whichever process looks next.
CREATE TABLE rollout_state (
    rollout TEXT PRIMARY KEY REFERENCES rollout (id), seq INTEGER NOT NULL, state TEXT NOT NULL
);

CREATE TRIGGER rollout_is_final BEFORE UPDATE ON rollout BEGIN SELECT RAISE(ABORT, 'a rollout never changes'); END;
CREATE TRIGGER rollout_event_is_final BEFORE UPDATE ON rollout_event BEGIN SELECT RAISE(ABORT, 'an event of a rollout never changes'); END;
CREATE TRIGGER rollout_stays BEFORE DELETE ON rollout BEGIN SELECT RAISE(ABORT, 'a rollout is never deleted'); END;
CREATE TRIGGER rollout_event_stays BEFORE DELETE ON rollout_event BEGIN SELECT RAISE(ABORT, 'an event of a rollout is never deleted'); END;

-- Labels by when they came: rollouts count those that came since the look before.
CREATE INDEX label_by_receipt ON label (model, received_at);
