-- No store on PostgreSQL is older than this migration, so there is nothing in these tables to be carried over.
DROP TABLE metric_chunk;
