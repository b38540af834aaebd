-- name: run_counts^
-- What the store has of one run, counted where it lies and not where it was read from.
SELECT (SELECT coalesce(sum(c.count), 0) FROM series_chunk c WHERE c.run_id = r.id) AS points,
       (SELECT count(*) FROM artifact a WHERE a.owner = r.id) AS files,
       (SELECT coalesce(sum(a.size_bytes), 0) FROM artifact a WHERE a.owner = r.id) AS size_bytes
FROM run r WHERE r.id = :run_id;

-- name: run_setting_remove!
DELETE FROM run_setting WHERE key = :key AND run = (SELECT number FROM run WHERE id = :run_id);

-- name: run_metric_remove!
DELETE FROM run_metric WHERE key = :key AND run = (SELECT number FROM run WHERE id = :run_id);

-- name: run_forget_points!
DELETE FROM series_chunk WHERE run_id = :run_id;

-- name: run_forget_positions!
DELETE FROM journal_position WHERE run_id = :run_id;

-- name: run_forget_files!
DELETE FROM artifact WHERE owner = :run_id;

-- name: run_forget_inputs!
DELETE FROM run_input WHERE run_id = :run_id;

-- name: run_forget_models!
DELETE FROM run_model WHERE run_id = :run_id;

-- name: run_forget!
DELETE FROM run WHERE id = :run_id;
