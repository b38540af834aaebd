-- name: score_note_add!
INSERT INTO score_note (id, test, model, release, note, checked_by, by, at)
VALUES (:id, :test, :model, :release, :note, :checked_by, :by, :at);

-- name: score_note_list
SELECT * FROM score_note WHERE (:model IS NULL OR model = :model) ORDER BY id;
