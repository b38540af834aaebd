-- name: signature_add!
INSERT INTO release_signature (digest, key, model, release, signature, by, at)
VALUES (:digest, :key, :model, :release, :signature, :by, :at);

-- name: signature_list
SELECT * FROM release_signature WHERE digest = :digest ORDER BY key;

-- name: trust_add!
INSERT INTO trust (id, digest, model, release, types, by, reason, at, withdrawn, sequence)
VALUES (:id, :digest, :model, :release, :types, :by, :reason, :at, :withdrawn,
        (SELECT coalesce(max(sequence), 0) + 1 FROM trust));

-- name: trust_list
SELECT * FROM trust ORDER BY sequence;

-- name: trust_current
-- The newest record of each digest.
SELECT t.* FROM trust t WHERE t.sequence = (SELECT max(s.sequence) FROM trust s WHERE s.digest = t.digest) ORDER BY t.digest;
