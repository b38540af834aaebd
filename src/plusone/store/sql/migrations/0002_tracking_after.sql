-- Chunks of before are kept as they are: `codec` says how their points are to be read, and they have no summary.
INSERT INTO series_chunk (run_id, key, sequence, count, codec, summary, points)
SELECT run_id, key, sequence, count, 'msgpack', x'', points FROM metric_chunk;
DROP TABLE metric_chunk;
