-- name: artifact_put!
INSERT INTO artifact (owner, path, blob, size_bytes, kind, created_at)
VALUES (:owner, :path, :blob, :size_bytes, :kind, :created_at)
ON CONFLICT (owner, path) DO UPDATE SET
    blob = excluded.blob, size_bytes = excluded.size_bytes, kind = excluded.kind, created_at = excluded.created_at;

-- name: artifact_get^
SELECT * FROM artifact WHERE owner = :owner AND path = :path;

-- name: artifact_list
-- Of one owner: those between two paths. `0` is the character after `/`, so `a/` to `a0` is what lies below `a`.
SELECT * FROM artifact WHERE owner = :owner AND path >= :first AND path < :last ORDER BY path;

-- name: artifact_below^
SELECT path FROM artifact WHERE owner = :owner AND path >= :first AND path < :last LIMIT 1;

-- name: artifact_remove!
DELETE FROM artifact WHERE owner = :owner AND path = :path;

-- name: run_input_put!
INSERT INTO run_input (run_id, name, digest, source_type, source, schema, profile, tags)
VALUES (:run_id, :name, :digest, :source_type, :source, :schema, :profile, :tags)
ON CONFLICT (run_id, name, digest) DO UPDATE SET
    source_type = excluded.source_type, source = excluded.source, schema = excluded.schema, profile = excluded.profile,
    tags = excluded.tags;

-- name: run_input_list
SELECT * FROM run_input WHERE run_id = :run_id ORDER BY name, digest;

-- name: run_reopen!
UPDATE run SET status = 'running', finished_at = NULL, error = NULL WHERE id = :id;
