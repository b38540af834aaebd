-- name: check_datasets
SELECT digest, blob FROM dataset;

-- name: check_runs
SELECT id, log, environment, code FROM run;

-- name: check_artifacts
SELECT owner, path, blob FROM artifact;

-- name: check_releases
SELECT model, number, digest, package, tests FROM release;
