-- name: prediction_chunk_add!
INSERT INTO prediction_chunk (id, model, release, package, first_at, last_at, first_id, last_id, count, size_bytes,
                              codec, blob, data)
VALUES (:id, :model, :release, :package, :first_at, :last_at, :first_id, :last_id, :count, :size_bytes, :codec, :blob,
        :data);

-- name: prediction_chunk_remove!
DELETE FROM prediction_chunk WHERE id = :id;

-- name: prediction_chunk_small
-- Those of a release that are no blobs yet, the newest first.
SELECT id, count, size_bytes, codec FROM prediction_chunk
WHERE model = :model AND release = :release AND package = :package AND blob = '' ORDER BY id DESC;

-- name: prediction_chunk_data^
SELECT codec, count, blob, data FROM prediction_chunk WHERE id = :id;

-- name: prediction_chunk_list
-- A page of them behind a place, the newest first, without what is in them.
SELECT id, model, release, package, first_at, last_at, first_id, last_id, count, size_bytes, blob FROM prediction_chunk
WHERE model = :model AND (:release IS NULL OR release = :release) AND last_at >= :since AND first_at <= :until
  AND last_at <= :before_at AND (last_at < :before_at OR id < :before_id)
ORDER BY last_at DESC, id DESC LIMIT :limit;

-- name: prediction_chunk_count^
SELECT coalesce(sum(count), 0) AS count FROM prediction_chunk
WHERE model = :model AND (:release IS NULL OR release = :release) AND last_at >= :since AND first_at <= :until;

-- name: prediction_chunk_around
-- Those that may hold a prediction of this id, the newest first.
SELECT id, model, release, package FROM prediction_chunk
WHERE first_id <= :prediction_id AND last_id >= :prediction_id ORDER BY last_at DESC, id DESC;

-- name: label_add!
-- Not when the one received before it, or the one after, says the same: it was sent twice then.
INSERT INTO label (model, prediction_id, received_at, value, at)
SELECT :model, :prediction_id, :received_at, :value, :at
WHERE coalesce((SELECT before.value FROM label before WHERE before.model = :model
                AND before.prediction_id = :prediction_id AND before.received_at <= :received_at
                ORDER BY before.received_at DESC LIMIT 1), '') <> :value
  AND coalesce((SELECT after.value FROM label after WHERE after.model = :model
                AND after.prediction_id = :prediction_id AND after.received_at > :received_at
                ORDER BY after.received_at LIMIT 1), '') <> :value
ON CONFLICT (model, prediction_id, received_at) DO NOTHING;

-- name: label_of
-- Every label of a prediction and of its rows, whose ids begin with its own; others that begin so may be among them.
SELECT model, prediction_id, received_at, value, at FROM label
WHERE model = :model AND prediction_id >= :first AND prediction_id < :last ORDER BY prediction_id, received_at;

-- name: label_between
-- A page of the labels whose ids are between two, behind a place.
SELECT model, prediction_id, received_at, value, at FROM label
WHERE model = :model AND prediction_id >= :first AND prediction_id < :last
  AND (prediction_id > :after_id OR (prediction_id = :after_id AND received_at > :after_at))
ORDER BY prediction_id, received_at LIMIT :count;

-- name: label_named
SELECT model FROM label WHERE prediction_id = :prediction_id LIMIT 1;

-- name: taken_segment_add!
INSERT INTO taken_segment (name, place) VALUES (:name, :place);

-- name: taken_segment_get^
SELECT place FROM taken_segment WHERE name = :name;

-- name: taken_segment_list
SELECT name FROM taken_segment WHERE place = :place ORDER BY name;

-- name: taken_segment_remove!
DELETE FROM taken_segment WHERE name = :name;
