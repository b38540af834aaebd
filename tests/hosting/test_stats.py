from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from plusone.hosting.stats import Stats
from plusone.workers.routes import SupervisorStats, write_supervisor


def _values(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_slots_add_up_and_a_restart_goes_on(tmp_path: Path):
    first, second = Stats(tmp_path, 0), Stats(tmp_path, 1)
    first.observe("m", 1, 200, 0.0004, 5)
    second.observe("m", 1, 200, 0.3, 2)
    second.observe("m", 1, 422, 20.0, 0)
    second.flush()
    restarted = Stats(tmp_path, 1)
    restarted.observe("m", 1, 200, 0.0004, 1)
    restarted.flush()
    write_supervisor(tmp_path, SupervisorStats(restarts=7, slots=[0, 1]))
    values = _values(first.prometheus({"m": 3}))
    labels = (("model", "m"), ("release", "1"))
    assert values["plusone_requests_total", (("code", "200"), *labels)] == 3
    assert values["plusone_requests_total", (("code", "422"), *labels)] == 1
    assert values["plusone_rows_total", labels] == 8
    assert values["plusone_request_duration_seconds_count", labels] == 4
    assert values["plusone_request_duration_seconds_bucket", (("le", "0.0005"), *labels)] == 2
    assert values["plusone_request_duration_seconds_bucket", (("le", "10.0"), *labels)] == 3
    assert abs(values["plusone_request_duration_seconds_sum", labels] - 20.3008) < 1e-9
    assert values["plusone_route_version", (("model", "m"),)] == 3
    assert values["plusone_worker_restarts_total", ()] == 7
    assert values["plusone_worker_up", (("slot", "0"),)] == 1
    assert values["plusone_worker_up", (("slot", "1"),)] == 0


def test_damaged_files_count_for_nothing(tmp_path: Path):
    (tmp_path / "stats").mkdir()
    (tmp_path / "stats" / "0.json").write_bytes(b"\xff\x00")
    (tmp_path / "stats" / "1.json").write_bytes(b'{"slot":1,"series":[{"model":"m","release":"1","buckets":[1]}]}')
    (tmp_path / "stats" / "supervisor.json").write_bytes(b"[")
    stats = Stats(tmp_path, 0)
    stats.observe("m", 1, 200, 0.001, 1)
    values = _values(stats.prometheus({}))
    assert values["plusone_requests_total", (("code", "200"), ("model", "m"), ("release", "1"))] == 1
    assert values["plusone_worker_restarts_total", ()] == 0
