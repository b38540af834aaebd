-- name: retention_runs
-- The code only where it has a diff: its files are in code_file.
SELECT id, status, started_at, finished_at, deleted_at, environment, log,
       CASE WHEN code LIKE '%"diff":"%' THEN code END AS code
FROM run;

-- name: retention_steps
SELECT run_id, digest, name FROM step_dataset;

-- name: retention_datasets
SELECT digest, blob FROM dataset;

-- name: retention_artifacts
SELECT owner, blob FROM artifact;

-- name: retention_inputs
SELECT run_id, digest FROM run_input;

-- name: retention_codes
SELECT run_id, version FROM run_code;

-- name: retention_code_files
SELECT version, digest FROM code_file;

-- name: retention_models
SELECT id, run_id, created_at, deleted_at FROM logged_model;

-- name: retention_run_models
SELECT run_id, model_id FROM run_model;

-- name: retention_versions
SELECT model, number, run_id, model_id FROM model_version WHERE deleted_at IS NULL;

-- name: retention_predictions
-- The blobs of logged predictions, and whether all that is in one was logged before a time.
SELECT blob, last_at < :before AS old FROM prediction_chunk WHERE blob <> '';

-- name: retention_old_predictions^
SELECT coalesce(sum(count), 0) AS count FROM prediction_chunk WHERE last_at < :before;

-- name: retention_forget_predictions!
DELETE FROM prediction_chunk WHERE last_at < :before;

-- name: retention_forget_artifacts!
DELETE FROM artifact WHERE owner = :owner;

-- name: retention_forget_points!
DELETE FROM series_chunk WHERE run_id = :run_id;

-- name: retention_forget_positions!
DELETE FROM journal_position WHERE run_id = :run_id;

-- name: retention_forget_metrics!
DELETE FROM run_metric WHERE run = (SELECT number FROM run WHERE id = :run_id);

-- name: retention_forget_latest!
UPDATE run SET metrics = '{}' WHERE id = :run_id;

-- name: retention_holdings^
-- What a deleted run still has of what gc takes away.
SELECT (SELECT count(*) FROM artifact WHERE owner = :run_id)
     + (SELECT count(*) FROM series_chunk WHERE run_id = :run_id)
     + (SELECT count(*) FROM run_metric WHERE run = (SELECT number FROM run WHERE id = :run_id)) AS count;

-- name: freed_add!
INSERT INTO freed (package, at) VALUES (:package, :at) ON CONFLICT (package) DO NOTHING;

-- name: freed_get^
SELECT at FROM freed WHERE package = :package;

-- name: freed_remove!
-- Its files were stored again.
DELETE FROM freed WHERE package = :package;

-- name: kept_add!
INSERT INTO kept (thing, by, reason, at) VALUES (:thing, :by, :reason, :at)
ON CONFLICT (thing) DO UPDATE SET by = excluded.by, reason = excluded.reason, at = excluded.at;

-- name: kept_remove!
DELETE FROM kept WHERE thing = :thing;

-- name: kept_list
SELECT thing, by, reason, at FROM kept ORDER BY at, thing;

-- name: collected_add!
INSERT INTO collected (at, since) VALUES (:at, :since) ON CONFLICT (at) DO NOTHING;

-- name: collected_since^
SELECT max(since) AS since FROM collected;
