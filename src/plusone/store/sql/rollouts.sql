-- name: rollout_add!
INSERT INTO rollout (id, model, release, digest, live, plan, by, reason, begun_at)
VALUES (:id, :model, :release, :digest, :live, :plan, :by, :reason, :begun_at);

-- name: rollout_get^
SELECT * FROM rollout WHERE id = :id;

-- name: rollout_list
SELECT * FROM rollout WHERE (:model IS NULL OR model = :model) ORDER BY id DESC LIMIT :count;

-- name: rollout_open
-- Those under way: no event has ended them.
SELECT r.* FROM rollout r WHERE (:model IS NULL OR r.model = :model)
  AND NOT EXISTS (SELECT 1 FROM rollout_event e WHERE e.rollout = r.id
                  AND e.kind IN ('promoted', 'rolled back', 'aborted', 'superseded'))
ORDER BY r.id;

-- name: rollout_event_add!
-- Behind the newest one that the caller saw; another that came meanwhile breaks the key.
INSERT INTO rollout_event (rollout, seq, at, kind, step, by, reason, figures, decision)
VALUES (:rollout, :seq, :at, :kind, :step, :by, :reason, :figures, :decision);

-- name: rollout_event_newest^
SELECT * FROM rollout_event WHERE rollout = :rollout ORDER BY seq DESC LIMIT 1;

-- name: rollout_event_list
-- What happened, without the looks.
SELECT * FROM rollout_event WHERE rollout = :rollout AND kind <> 'look' ORDER BY seq;

-- name: rollout_look_list
SELECT * FROM rollout_event WHERE rollout = :rollout AND kind = 'look' AND seq < :before ORDER BY seq DESC LIMIT :count;

-- name: rollout_look_count^
SELECT count(*) AS count FROM rollout_event WHERE rollout = :rollout AND kind = 'look';

-- name: rollout_state_get^
SELECT seq, state FROM rollout_state WHERE rollout = :rollout;

-- name: rollout_state_set!
INSERT INTO rollout_state (rollout, seq, state) VALUES (:rollout, :seq, :state)
ON CONFLICT (rollout) DO UPDATE SET seq = excluded.seq, state = excluded.state;

-- name: server_evidence
-- What other machines count of the releases that are compared, as they last said.
SELECT host, evidence, heartbeat_at FROM server WHERE evidence <> '{}' ORDER BY heartbeat_at;

-- name: label_first_since
-- The first labels of predictions, by when they came; corrections are left out. A page behind a place.
SELECT prediction_id, received_at, value FROM label l
WHERE model = :model AND received_at >= :since AND (received_at > :since OR prediction_id > :after_id)
  AND NOT EXISTS (SELECT 1 FROM label o WHERE o.model = l.model AND o.prediction_id = l.prediction_id
                  AND o.received_at < l.received_at)
ORDER BY received_at, prediction_id LIMIT :count;
