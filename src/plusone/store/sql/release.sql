-- name: release_next^
-- One sequence for releases and for versions registered through MLflow; a deleted version's number stays used.
SELECT coalesce(max(number), 0) + 1 AS number FROM (
    SELECT number FROM release WHERE model = :model UNION ALL SELECT number FROM model_version WHERE model = :model
) AS numbers;

-- name: release_add!
INSERT INTO release (model, number, digest, package, run_id, fingerprint, settings, tests, metrics, created_at)
VALUES (:model, :number, :digest, :package, :run_id, :fingerprint, :settings, :tests, :metrics, :created_at);

-- name: release_list
-- With the stage that the newest decision gave each.
SELECT r.*, coalesce((SELECT d.after FROM decision d WHERE d.model = r.model AND d.release = r.number
                      ORDER BY d.sequence DESC LIMIT 1), 'candidate') AS stage
FROM release r WHERE (:model IS NULL OR r.model = :model) ORDER BY r.model, r.number;

-- name: release_get^
SELECT r.*, coalesce((SELECT d.after FROM decision d WHERE d.model = r.model AND d.release = r.number
                      ORDER BY d.sequence DESC LIMIT 1), 'candidate') AS stage
FROM release r WHERE r.model = :model AND r.number = :number;

-- name: release_newest^
SELECT r.*, coalesce((SELECT d.after FROM decision d WHERE d.model = r.model AND d.release = r.number
                      ORDER BY d.sequence DESC LIMIT 1), 'candidate') AS stage
FROM release r WHERE r.model = :model ORDER BY r.number DESC LIMIT 1;

-- name: model_list
SELECT DISTINCT model FROM release ORDER BY model;

-- name: session_add!
INSERT INTO session (id, release, run_id, problems, started_at, finished_at)
VALUES (:id, :release, :run_id, :problems, :started_at, :finished_at);

-- name: session_newest^
SELECT * FROM session WHERE release = :release ORDER BY id DESC LIMIT 1;

-- name: session_list
SELECT * FROM session WHERE (:release IS NULL OR release = :release) AND (:run_id IS NULL OR run_id = :run_id) ORDER BY id;

-- name: check_add!
INSERT INTO check_result (session_id, position, test, subject, outcome, allowed, message, measured, duration_s, output)
VALUES (:session_id, :position, :test, :subject, :outcome, :allowed, :message, :measured, :duration_s, :output);

-- name: check_list
SELECT * FROM check_result WHERE session_id = :session_id ORDER BY position;

-- name: decision_add!
INSERT INTO decision (id, model, release, digest, before, after, by, reason, at, override, evidence, sequence)
VALUES (:id, :model, :release, :digest, :before, :after, :by, :reason, :at, :override, :evidence,
        (SELECT coalesce(max(sequence), 0) + 1 FROM decision));

-- name: decision_list
SELECT * FROM decision WHERE (:model IS NULL OR model = :model) AND (:release IS NULL OR release = :release)
ORDER BY sequence;

-- name: route_add!
-- Called from release/gate.py and from nowhere else: law 1.
INSERT INTO route (model, version, shares, previous, shadow, decision, at)
VALUES (:model, :version, :shares, :previous, :shadow, :decision, :at);

-- name: route_newest^
SELECT * FROM route WHERE model = :model ORDER BY version DESC LIMIT 1;

-- name: route_list
SELECT * FROM route WHERE model = :model ORDER BY version;

-- name: route_current
SELECT r.* FROM route r WHERE r.version = (SELECT max(s.version) FROM route s WHERE s.model = r.model) ORDER BY r.model;

-- name: server_report!
INSERT INTO server (id, host, pid, address, control, workers, evidence, started_at, heartbeat_at)
VALUES (:id, :host, :pid, :address, :control, :workers, :evidence, :started_at, :heartbeat_at)
ON CONFLICT (id) DO UPDATE SET workers = excluded.workers, evidence = excluded.evidence,
                               heartbeat_at = excluded.heartbeat_at;

-- name: server_remove!
DELETE FROM server WHERE id = :id OR heartbeat_at < :older_than;

-- name: server_list
SELECT * FROM server WHERE heartbeat_at >= :since ORDER BY id;
