-- name: dataset_add!
INSERT INTO dataset (digest, blob, kind, flavour, size_bytes, rows, columns, created_at)
VALUES (:digest, :blob, :kind, :flavour, :size_bytes, :rows, :columns, :created_at)
ON CONFLICT (digest) DO NOTHING;

-- name: dataset_get^
SELECT * FROM dataset WHERE digest = :digest;

-- name: run_add!
INSERT INTO run (id, name, status, started_at, finished_at, model, settings, code, environment, log, error, resumed_from,
                 experiment, source, by, tags, metrics, deleted_at, number)
VALUES (:id, :name, :status, :started_at, :finished_at, :model, :settings, :code, :environment, :log, :error, :resumed_from,
        :experiment, :source, :by, :tags, :metrics, :deleted_at, (SELECT coalesce(max(number), 0) + 1 FROM run));

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

-- name: run_change!
UPDATE run SET name = :name, status = :status, finished_at = :finished_at, deleted_at = :deleted_at WHERE id = :id;

-- name: run_describe!
UPDATE run SET model = :model, environment = :environment WHERE id = :id;

-- name: run_set_settings!
UPDATE run SET settings = :settings WHERE id = :id;

-- name: run_set_tags!
UPDATE run SET tags = :tags WHERE id = :id;

-- name: run_set_metrics!
UPDATE run SET metrics = :metrics WHERE id = :id;

-- name: run_setting_set!
INSERT INTO run_setting (key, run, value, rest, started_at)
SELECT :key, number, substr(:value, 1, 300), substr(:value, 301), started_at FROM run WHERE id = :run_id
ON CONFLICT (key, run) DO UPDATE SET value = excluded.value, rest = excluded.rest;

-- name: run_tag_set!
INSERT INTO run_tag (key, run, value, rest, started_at)
SELECT :key, number, substr(:value, 1, 300), substr(:value, 301), started_at FROM run WHERE id = :run_id
ON CONFLICT (key, run) DO UPDATE SET value = excluded.value, rest = excluded.rest;

-- name: run_tag_remove!
DELETE FROM run_tag WHERE key = :key AND run = (SELECT number FROM run WHERE id = :run_id);

-- name: run_metric_set!
-- NULL stands for NaN.
INSERT INTO run_metric (key, run, value, started_at)
SELECT :key, number, CAST(:value AS DOUBLE PRECISION), started_at FROM run WHERE id = :run_id
ON CONFLICT (key, run) DO UPDATE SET value = excluded.value;

-- name: series_chunk_add!
INSERT INTO series_chunk (run_id, key, sequence, count, codec, summary, points)
VALUES (:run_id, :key, (SELECT coalesce(max(sequence), 0) + 1 FROM series_chunk WHERE run_id = :run_id AND key = :key),
        :count, :codec, :summary, :points);

-- name: series_chunk_list
SELECT * FROM series_chunk WHERE run_id = :run_id AND (:key IS NULL OR key = :key) ORDER BY key, sequence;

-- name: series_chunk_summaries
-- Without the points, which come last in a row: they are not read.
SELECT sequence, count, codec, summary FROM series_chunk WHERE run_id = :run_id AND key = :key ORDER BY sequence;

-- name: series_chunk_tail
-- The newest first.
SELECT sequence, count, codec FROM series_chunk WHERE run_id = :run_id AND key = :key ORDER BY sequence DESC LIMIT :count;

-- name: series_chunk_get^
SELECT sequence, count, codec, summary, points FROM series_chunk WHERE run_id = :run_id AND key = :key AND sequence = :sequence;

-- name: series_chunk_remove!
-- The last chunks of a series, which are merged into one.
DELETE FROM series_chunk WHERE run_id = :run_id AND key = :key AND sequence >= :sequence;

-- name: series_key_list
SELECT DISTINCT key FROM series_chunk WHERE run_id = :run_id ORDER BY key;

-- name: journal_position_get^
SELECT position FROM journal_position WHERE run_id = :run_id AND segment = :segment;

-- name: journal_position_list
SELECT segment, position FROM journal_position WHERE run_id = :run_id ORDER BY segment;

-- name: journal_position_set!
INSERT INTO journal_position (run_id, segment, position) VALUES (:run_id, :segment, :position)
ON CONFLICT (run_id, segment) DO UPDATE SET position = excluded.position;

-- name: journal_position_remove!
DELETE FROM journal_position WHERE run_id = :run_id AND segment = :segment;

-- name: run_get_metrics^
SELECT metrics FROM run WHERE id = :id;

-- name: experiment_add!
INSERT INTO experiment (id, name, status, tags, created_at, updated_at)
VALUES (:id, :name, :status, :tags, :created_at, :updated_at);

-- name: experiment_get^
SELECT * FROM experiment WHERE id = :id;

-- name: experiment_named^
SELECT * FROM experiment WHERE name = :name;

-- name: experiment_list
SELECT * FROM experiment ORDER BY created_at, id;

-- name: experiment_change!
UPDATE experiment SET name = :name, status = :status, tags = :tags, updated_at = :updated_at WHERE id = :id;

-- name: run_delete_of_experiment!
-- Without a time they are brought back.
UPDATE run SET deleted_at = :deleted_at WHERE experiment = :experiment;
