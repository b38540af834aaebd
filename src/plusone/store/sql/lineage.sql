-- `total` is how many there are: a page of some shows it.
-- name: step_dataset_add!
INSERT INTO step_dataset (run_id, step, role, name, digest, reused)
VALUES (:run_id, :step, :role, :name, :digest, :reused);

-- name: code_version^
SELECT version FROM code_file WHERE version = :version LIMIT 1;

-- name: code_file_add!
INSERT INTO code_file (version, path, digest) VALUES (:version, :path, :digest) ON CONFLICT (version, path) DO NOTHING;

-- name: run_code_add!
INSERT INTO run_code (run_id, version) VALUES (:run_id, :version) ON CONFLICT (run_id) DO NOTHING;

-- name: lineage_makers
-- The steps that made a dataset or a package, not those that took it over; the newest first.
SELECT run_id, step, name, count(*) OVER () AS total FROM step_dataset
WHERE digest = :digest AND role = 'output' AND reused = 0 ORDER BY run_id DESC LIMIT :count;

-- name: lineage_readers
SELECT run_id, step, name, count(*) OVER () AS total FROM step_dataset
WHERE digest = :digest AND role = 'input' AND reused = 0 ORDER BY run_id DESC LIMIT :count;

-- name: lineage_takers
-- The runs that took a dataset or a package over instead of making it.
SELECT run_id, step, name, count(*) OVER () AS total FROM step_dataset
WHERE digest = :digest AND role = 'output' AND reused = 1 ORDER BY run_id DESC LIMIT :count;

-- name: lineage_run_readers
SELECT run_id, name, source, count(*) OVER () AS total FROM run_input WHERE digest = :digest ORDER BY run_id DESC LIMIT :count;

-- name: lineage_owners
SELECT owner, path, count(*) OVER () AS total FROM artifact WHERE blob = :digest ORDER BY owner DESC, path LIMIT :count;

-- name: lineage_files
SELECT path, blob, kind, size_bytes, count(*) OVER () AS total FROM artifact WHERE owner = :owner ORDER BY path LIMIT :count;

-- name: lineage_code_runs
SELECT c.run_id, f.path, count(*) OVER () AS total FROM code_file f JOIN run_code c ON c.version = f.version
WHERE f.digest = :digest ORDER BY c.run_id DESC LIMIT :count;

-- name: lineage_step
SELECT name, digest FROM step_dataset WHERE run_id = :run_id AND step = :step AND role = :role ORDER BY name;

-- name: lineage_outputs
SELECT name, digest FROM step_dataset WHERE run_id = :run_id AND role = 'output' AND reused = :reused ORDER BY step, name;

-- name: lineage_named^
-- What the newest run has under the name of an output.
SELECT run_id, step, digest FROM step_dataset WHERE name = :name AND role = 'output' ORDER BY run_id DESC LIMIT 1;

-- name: lineage_step_named^
SELECT run_id, step FROM step_run WHERE step = :step ORDER BY run_id DESC LIMIT 1;

-- name: lineage_datasets_of_blob
SELECT digest FROM dataset WHERE blob = :digest ORDER BY digest;

-- name: lineage_releases_of_run
SELECT model, number FROM release WHERE run_id = :run_id ORDER BY model, number;

-- name: lineage_releases_of_package
SELECT model, number FROM release WHERE package = :digest OR digest = :digest ORDER BY model, number;

-- name: lineage_versions_of_run
SELECT model, number FROM model_version WHERE run_id = :run_id AND deleted_at IS NULL ORDER BY model, number;

-- name: lineage_versions_of_model
SELECT model, number FROM model_version WHERE model_id = :model_id AND deleted_at IS NULL ORDER BY model, number;

-- name: lineage_version^
SELECT * FROM model_version WHERE model = :model AND number = :number AND deleted_at IS NULL;

-- name: lineage_resumed
SELECT id FROM run WHERE resumed_from = :run_id ORDER BY id;

-- name: lineage_run_models
SELECT model_id, role FROM run_model WHERE run_id = :run_id ORDER BY role, model_id;

-- name: lineage_model_runs
SELECT run_id, role, count(*) OVER () AS total FROM run_model WHERE model_id = :model_id ORDER BY run_id DESC LIMIT :count;

-- name: lineage_model^
SELECT id, name, run_id, status, created_at FROM logged_model WHERE id = :id;

-- name: lineage_digests
-- Every kind of digest that begins so; `g` comes after every hex digit.
SELECT digest FROM dataset WHERE digest >= :first AND digest < :last
UNION SELECT blob FROM artifact WHERE blob >= :first AND blob < :last
UNION SELECT digest FROM run_input WHERE digest >= :first AND digest < :last
UNION SELECT digest FROM step_dataset WHERE digest >= :first AND digest < :last
UNION SELECT digest FROM code_file WHERE digest >= :first AND digest < :last
UNION SELECT blob FROM dataset WHERE blob >= :first AND blob < :last
UNION SELECT package FROM release WHERE package >= :first AND package < :last
UNION SELECT digest FROM release WHERE digest >= :first AND digest < :last
LIMIT 3;
