-- Chunks of before are kept as they are: `codec` says how their points are to be read, and they have no summary.
INSERT INTO series_chunk (run_id, key, sequence, count, codec, summary, points)
SELECT run_id, key, sequence, count, 'msgpack', x'', points FROM metric_chunk;
DROP TABLE metric_chunk;

INSERT INTO step_dataset (run_id, step, role, name, digest, reused)
SELECT s.run_id, s.step, 'output', part.key, part.value, s.status = 'cached' FROM step_run s, json_each(s.outputs) part;
INSERT INTO step_dataset (run_id, step, role, name, digest, reused)
SELECT s.run_id, s.step, 'input', part.key, part.value, s.status = 'cached' FROM step_run s, json_each(s.inputs) part;
INSERT INTO run_code (run_id, version)
SELECT r.id, g.version FROM run r JOIN (SELECT code, min(id) AS version FROM run GROUP BY code) g ON g.code = r.code;
INSERT INTO code_file (version, path, digest)
SELECT g.version, part.key, part.value
FROM (SELECT code, min(id) AS version FROM run GROUP BY code) g, json_each(g.code, '$.files') part;
