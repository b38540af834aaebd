-- name: copying_get^
-- Which store this one is a copy of, while the copy is not finished.
SELECT source FROM copying;

-- name: copying_begin!
INSERT INTO copying (source) VALUES (:source) ON CONFLICT (source) DO NOTHING;

-- name: copying_end!
DELETE FROM copying;
