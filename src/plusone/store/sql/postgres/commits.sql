-- name: commit_counter
-- What `version` reads and every commit adds one to. It belongs to this backend alone: SQLite counts by itself.
CREATE TABLE IF NOT EXISTS commit_count (id INTEGER PRIMARY KEY CHECK (id = 1), version BIGINT NOT NULL);
INSERT INTO commit_count (id, version) VALUES (1, 1) ON CONFLICT (id) DO NOTHING;

-- name: commit_add
UPDATE commit_count SET version = version + 1;

-- name: commit_version
SELECT version FROM commit_count;

-- name: migration_list
SELECT name FROM migration ORDER BY name;

-- name: migration_add
INSERT INTO migration (name, applied_at) VALUES (:name, :applied_at);

-- name: table_list
SELECT c.relname AS name FROM pg_catalog.pg_class c
WHERE c.relnamespace = to_regnamespace(current_schema()) AND c.relkind = 'r' ORDER BY 1;

-- name: column_list
SELECT c.relname AS name, a.attname AS part FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = to_regnamespace(current_schema()) AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY 1, 2;

-- name: rule_list
-- Rules that were switched off, by a restore for one: foreign keys that were never looked at, triggers that do not fire.
SELECT c.relname AS name, k.conname AS rule, 'is not valid' AS fault FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
WHERE c.relnamespace = to_regnamespace(current_schema()) AND NOT k.convalidated
UNION ALL
SELECT c.relname, t.tgname, 'is switched off' FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = to_regnamespace(current_schema()) AND t.tgenabled = 'D';

-- name: turn_take
-- Writers of one store take turns: the lock ends with the transaction, however it ends.
SELECT pg_advisory_xact_lock(hashtextextended('plusone ' || current_schema(), 0));
