-- Tracking: experiments, what runs logged (searchable), series in chunks, artifacts, inputs, MLflow's registry.

CREATE TABLE experiment (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, status TEXT NOT NULL, tags TEXT NOT NULL,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL
);
INSERT INTO experiment (id, name, status, tags, created_at, updated_at)
VALUES ('0', 'Default', 'active', '{}', '1970-01-01T00:00:00.000000Z', '1970-01-01T00:00:00.000000Z');

ALTER TABLE run ADD COLUMN experiment TEXT NOT NULL DEFAULT '0';
ALTER TABLE run ADD COLUMN source TEXT NOT NULL DEFAULT 'release';
ALTER TABLE run ADD COLUMN by TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN tags TEXT NOT NULL DEFAULT '{}';
-- The latest point of each metric. With settings and tags it is here so that a page of runs is one query, and in the
-- three tables below so that it can be searched.
ALTER TABLE run ADD COLUMN metrics TEXT NOT NULL DEFAULT '{}';
ALTER TABLE run ADD COLUMN deleted_at TEXT;
-- What the three tables below know a run by: a tenth of its id, and faster to compare.
ALTER TABLE run ADD COLUMN number INTEGER;
UPDATE run SET number = (SELECT count(*) FROM run AS other WHERE other.id <= run.id);
-- What is searched and sorted by is in both indexes, so that a search never reads the runs it does not show.
CREATE UNIQUE INDEX run_by_number ON run (number, deleted_at, experiment, started_at, finished_at, status, id, name, by, model, source);
CREATE INDEX run_by_start ON run (started_at, number, deleted_at, experiment, finished_at, status, id, name, by, model, source);

-- A run's start stands beside each value, as the index by value then has the very order of a page: by value, and of
-- equal values the newest run first. It never changes. A row of one that is removed is removed with it.
-- PostgreSQL's indexes hold no long text: `value` is its first 300 characters, `rest` what comes behind them.
CREATE TABLE run_setting (
    key TEXT NOT NULL, run INTEGER NOT NULL, value TEXT NOT NULL, rest TEXT NOT NULL, started_at TEXT NOT NULL,
    PRIMARY KEY (key, run)
) WITHOUT ROWID;
CREATE INDEX run_setting_by_value ON run_setting (key, value, started_at, run);
CREATE TABLE run_tag (
    key TEXT NOT NULL, run INTEGER NOT NULL, value TEXT NOT NULL, rest TEXT NOT NULL, started_at TEXT NOT NULL,
    PRIMARY KEY (key, run)
) WITHOUT ROWID;
CREATE INDEX run_tag_by_value ON run_tag (key, value, started_at, run);
-- A NaN is a row whose value is NULL: no comparison finds it.
CREATE TABLE run_metric (
    key TEXT NOT NULL, run INTEGER NOT NULL, value REAL, started_at TEXT NOT NULL, PRIMARY KEY (key, run)
) WITHOUT ROWID;
CREATE INDEX run_metric_by_value ON run_metric (key, value, started_at, run);

-- `points` comes last: SQLite then reads the summaries of a series without its points.
CREATE TABLE series_chunk (
    run_id TEXT NOT NULL REFERENCES run (id), key TEXT NOT NULL, sequence INTEGER NOT NULL, count INTEGER NOT NULL,
    codec TEXT NOT NULL, summary BLOB NOT NULL, points BLOB NOT NULL, PRIMARY KEY (run_id, key, sequence)
);
-- How far into each file of a run's journal the store has it: written in the transaction that adds the chunks.
CREATE TABLE journal_position (
    run_id TEXT NOT NULL REFERENCES run (id), segment TEXT NOT NULL, position INTEGER NOT NULL,
    PRIMARY KEY (run_id, segment)
);

-- Files of a run or of a logged model, by path.
CREATE TABLE artifact (
    owner TEXT NOT NULL, path TEXT NOT NULL, blob TEXT NOT NULL, size_bytes INTEGER NOT NULL, kind TEXT NOT NULL,
    created_at TEXT NOT NULL, PRIMARY KEY (owner, path)
);
CREATE INDEX artifact_by_blob ON artifact (blob);

-- What a run that is not of the pipeline says it read.
CREATE TABLE run_input (
    run_id TEXT NOT NULL REFERENCES run (id), name TEXT NOT NULL, digest TEXT NOT NULL, source_type TEXT NOT NULL,
    source TEXT NOT NULL, schema TEXT NOT NULL, profile TEXT NOT NULL, tags TEXT NOT NULL,
    PRIMARY KEY (run_id, name, digest)
);
CREATE INDEX run_input_by_digest ON run_input (digest);

CREATE TABLE logged_model (
    id TEXT PRIMARY KEY, experiment TEXT NOT NULL, run_id TEXT, name TEXT NOT NULL, type TEXT NOT NULL,
    status TEXT NOT NULL, settings TEXT NOT NULL, tags TEXT NOT NULL, metrics TEXT NOT NULL, created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL, deleted_at TEXT
);
CREATE INDEX logged_model_by_experiment ON logged_model (experiment, created_at);
-- Which logged models a run made (`output`, with the step) or used (`input`).
CREATE TABLE run_model (
    run_id TEXT NOT NULL REFERENCES run (id), model_id TEXT NOT NULL, role TEXT NOT NULL, step INTEGER NOT NULL,
    PRIMARY KEY (run_id, model_id, role)
);

CREATE TABLE registered_model (
    name TEXT PRIMARY KEY, description TEXT NOT NULL, tags TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL
);
-- A version registered through MLflow: a candidate. Its number is of the one sequence that releases have. A release that
-- was given tags or a description has a row too, with no source. `owner` and `path` say which artifacts are its files:
-- while it is not deleted they are kept.
CREATE TABLE model_version (
    model TEXT NOT NULL, number INTEGER NOT NULL, source TEXT NOT NULL, owner TEXT NOT NULL, path TEXT NOT NULL,
    run_id TEXT NOT NULL, model_id TEXT NOT NULL, description TEXT NOT NULL, tags TEXT NOT NULL, by TEXT NOT NULL,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL, deleted_at TEXT, PRIMARY KEY (model, number)
);
CREATE INDEX model_version_by_owner ON model_version (owner);
CREATE TABLE model_alias (
    model TEXT NOT NULL, alias TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (model, alias)
);

-- What gc leaves alone because a person said so.
CREATE TABLE kept (thing TEXT PRIMARY KEY, by TEXT NOT NULL, reason TEXT NOT NULL, at TEXT NOT NULL);

-- Which step of which run read or made which dataset or package; what step_run says as JSON, by digest.
CREATE TABLE step_dataset (
    run_id TEXT NOT NULL REFERENCES run (id), step TEXT NOT NULL, role TEXT NOT NULL, name TEXT NOT NULL,
    digest TEXT NOT NULL, reused INTEGER NOT NULL, PRIMARY KEY (run_id, step, role, name)
);
CREATE INDEX step_dataset_by_digest ON step_dataset (digest, role, run_id);
CREATE INDEX step_dataset_by_name ON step_dataset (name, role, run_id);
-- Many runs have equal code: each version of it is listed once, and named by its first run.
CREATE TABLE code_file (
    version TEXT NOT NULL, path TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (version, path)
);
CREATE INDEX code_file_by_digest ON code_file (digest);
CREATE TABLE run_code (run_id TEXT PRIMARY KEY REFERENCES run (id), version TEXT NOT NULL);
CREATE INDEX run_code_by_version ON run_code (version, run_id);
-- From a thing to what was made of it.
CREATE INDEX dataset_by_blob ON dataset (blob);
CREATE INDEX release_by_run ON release (run_id);
CREATE INDEX release_by_package ON release (package);
CREATE INDEX run_by_resumed ON run (resumed_from);
CREATE INDEX run_model_by_model ON run_model (model_id, role, run_id);
CREATE INDEX model_version_by_run ON model_version (run_id);
CREATE INDEX model_version_by_logged_model ON model_version (model_id);

-- Packages whose files gc removed: no release of them goes live again.
CREATE TABLE freed (package TEXT PRIMARY KEY, at TEXT NOT NULL);
-- Each gc: runs that ended before `since` held nothing.
CREATE TABLE collected (at TEXT PRIMARY KEY, since TEXT NOT NULL);

-- The store that this one is a copy of, while the copy is not finished.
CREATE TABLE copying (source TEXT PRIMARY KEY);
