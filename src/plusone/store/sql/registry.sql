-- name: registered_add!
INSERT INTO registered_model (name, description, tags, created_at, updated_at)
VALUES (:name, :description, :tags, :created_at, :updated_at);

-- name: registered_get^
SELECT * FROM registered_model WHERE name = :name;

-- name: registered_list
SELECT * FROM registered_model ORDER BY name;

-- name: registered_change!
UPDATE registered_model SET name = :new_name, description = :description, tags = :tags, updated_at = :updated_at
WHERE name = :name;

-- name: registered_remove!
DELETE FROM registered_model WHERE name = :name;

-- name: release_list_registered
-- With the stage that the newest decision gave each, and what the registry says of its run.
SELECT r.*, run.experiment, run.by,
       coalesce((SELECT d.after FROM decision d WHERE d.model = r.model AND d.release = r.number
                 ORDER BY d.sequence DESC LIMIT 1), 'candidate') AS stage
FROM release r JOIN run ON run.id = r.run_id
WHERE (:model IS NULL OR r.model = :model) AND (:number IS NULL OR r.number = :number) ORDER BY r.model, r.number;

-- name: version_add!
INSERT INTO model_version (model, number, source, owner, path, run_id, model_id, description, tags, by, created_at,
                           updated_at, deleted_at)
VALUES (:model, :number, :source, :owner, :path, :run_id, :model_id, :description, :tags, :by, :created_at,
        :updated_at, :deleted_at);

-- name: version_list
-- Deleted ones too: their numbers stay used.
SELECT * FROM model_version
WHERE (:model IS NULL OR model = :model) AND (:number IS NULL OR number = :number) ORDER BY model, number;

-- name: version_change!
UPDATE model_version SET description = :description, tags = :tags, updated_at = :updated_at, deleted_at = :deleted_at
WHERE model = :model AND number = :number;

-- name: version_move!
INSERT INTO model_version (model, number, source, owner, path, run_id, model_id, description, tags, by, created_at,
                           updated_at, deleted_at)
SELECT :new_name, number, source, owner, path, run_id, model_id, description, tags, by, created_at, :at, deleted_at
FROM model_version WHERE model = :name;

-- name: version_delete_all!
UPDATE model_version SET deleted_at = :at WHERE model = :name AND deleted_at IS NULL;

-- name: alias_set!
INSERT INTO model_alias (model, alias, number) VALUES (:model, :alias, :number)
ON CONFLICT (model, alias) DO UPDATE SET number = excluded.number;

-- name: alias_remove!
DELETE FROM model_alias WHERE model = :model AND (:alias IS NULL OR alias = :alias)
AND (:number IS NULL OR number = :number);

-- name: alias_move!
UPDATE model_alias SET model = :new_name WHERE model = :name;

-- name: alias_list
SELECT * FROM model_alias WHERE (:model IS NULL OR model = :model) ORDER BY model, alias;

-- name: package_artifact_put!
-- The files of a release's package, among those of its run.
INSERT INTO artifact (owner, path, blob, size_bytes, kind, created_at)
VALUES (:owner, :path, :blob, :size_bytes, 'model', :created_at)
ON CONFLICT (owner, path) DO UPDATE SET blob = excluded.blob, size_bytes = excluded.size_bytes, kind = excluded.kind;

-- name: owner_files
SELECT path, blob, size_bytes FROM artifact WHERE owner = :owner ORDER BY path;

-- name: logged_model_add!
INSERT INTO logged_model (id, experiment, run_id, name, type, status, settings, tags, metrics, created_at, updated_at,
                          deleted_at)
VALUES (:id, :experiment, :run_id, :name, :type, :status, :settings, :tags, :metrics, :created_at, :updated_at,
        :deleted_at);

-- name: logged_model_get^
SELECT * FROM logged_model WHERE id = :id;

-- name: logged_model_list
SELECT * FROM logged_model WHERE experiment = :experiment AND deleted_at IS NULL ORDER BY created_at DESC, id DESC;

-- name: logged_model_change!
UPDATE logged_model SET status = :status, settings = :settings, tags = :tags, metrics = :metrics,
       updated_at = :updated_at, deleted_at = :deleted_at WHERE id = :id;

-- name: run_model_put!
INSERT INTO run_model (run_id, model_id, role, step) VALUES (:run_id, :model_id, :role, :step)
ON CONFLICT (run_id, model_id, role) DO UPDATE SET step = excluded.step;

-- name: run_model_list
SELECT * FROM run_model WHERE run_id = :run_id ORDER BY role, step, model_id;

-- name: version_list_of_model_id
SELECT * FROM model_version WHERE model_id = :model_id AND deleted_at IS NULL ORDER BY model, number;
