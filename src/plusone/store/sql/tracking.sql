-- name: dataset_add!
INSERT INTO dataset (digest, blob, kind, flavour, size_bytes, rows, columns, created_at)
VALUES (:digest, :blob, :kind, :flavour, :size_bytes, :rows, :columns, :created_at)
ON CONFLICT (digest) DO NOTHING;

-- name: dataset_get^
SELECT * FROM dataset WHERE digest = :digest;

-- name: run_add!
INSERT INTO run (id, name, status, started_at, finished_at, model, settings, code, environment, log, error, resumed_from)
VALUES (:id, :name, :status, :started_at, :finished_at, :model, :settings, :code, :environment, :log, :error, :resumed_from);

-- name: run_finish!
-- A log that is kept already stays: its file is gone by then.
UPDATE run SET status = :status, finished_at = :finished_at, log = coalesce(:log, log), error = :error WHERE id = :id;

-- name: run_get^
SELECT * FROM run WHERE id = :id;

-- name: run_find
SELECT * FROM run WHERE id LIKE :prefix || '%' ORDER BY id DESC LIMIT 2;

-- name: run_list
-- The newest first; `before` is the id to go on from.
SELECT * FROM run WHERE (:model IS NULL OR model = :model) AND (:before IS NULL OR id < :before) ORDER BY id DESC LIMIT :count;

-- name: run_list_unfinished
SELECT * FROM run WHERE status = 'running' ORDER BY id;

-- name: step_run_add!
INSERT INTO step_run (run_id, step, fingerprint, status, inputs, outputs, settings, started_at, duration_s)
VALUES (:run_id, :step, :fingerprint, :status, :inputs, :outputs, :settings, :started_at, :duration_s);

-- name: step_run_list
SELECT * FROM step_run WHERE run_id = :run_id ORDER BY started_at, step;

-- name: step_run_same
-- The newest first: the outputs of a step with this fingerprint.
SELECT * FROM step_run WHERE step = :step AND fingerprint = :fingerprint ORDER BY run_id DESC LIMIT 5;

-- name: step_run_made^
-- Where a step with this fingerprint was run the last time, not taken over.
SELECT * FROM step_run WHERE step = :step AND fingerprint = :fingerprint AND status = 'done' ORDER BY run_id DESC LIMIT 1;

-- name: step_run_latest
-- For each step, what it made in the newest run that ran or reused it.
SELECT s.* FROM step_run s
WHERE s.run_id = (SELECT max(t.run_id) FROM step_run t WHERE t.step = s.step) ORDER BY s.step;

-- name: metric_chunk_add!
INSERT INTO metric_chunk (run_id, key, sequence, count, last_value, points)
VALUES (:run_id, :key, (SELECT coalesce(max(sequence), 0) + 1 FROM metric_chunk WHERE run_id = :run_id AND key = :key),
        :count, :last_value, :points);

-- name: metric_chunk_list
SELECT * FROM metric_chunk WHERE run_id = :run_id AND (:key IS NULL OR key = :key) ORDER BY key, sequence;

-- name: run_describe!
UPDATE run SET model = :model, environment = :environment, settings = :settings WHERE id = :id;
