"""System metrics: on a switch, from a thread that ends."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from plusone.base.errors import ConfigError, UsageError
from plusone.scripts.system import SystemMetrics, gpu_metrics, wanted_interval


def test_it_logs_at_the_beginning_and_at_the_end_and_its_thread_is_gone():
    seen: list[Mapping[str, float]] = []
    metrics = SystemMetrics(seen.append, 3600.0)
    metrics.stop()
    assert len(seen) == 2
    assert {"system/cpu_percent", "system/memory_percent", "system/process_memory_bytes"} <= set(seen[0])
    assert all(isinstance(value, float | int) for value in seen[1].values())
    assert seen[0]["system/process_memory_bytes"] > 1e6
    assert "plusone system metrics" not in {thread.name for thread in threading.enumerate()}


def test_it_samples_by_the_clock():
    often = threading.Event()
    seen: list[Mapping[str, float]] = []

    def log(metrics: Mapping[str, float]) -> None:
        seen.append(metrics)
        if len(seen) == 4:
            often.set()

    metrics = SystemMetrics(log, 0.01)
    assert often.wait(60)
    metrics.stop()


def test_a_failure_is_told_and_ends_nothing_else():
    warned = threading.Event()

    def log(metrics: Mapping[str, float]) -> None:
        warned.set()
        raise OSError("disk full")

    with pytest.warns(UserWarning, match="no more system metrics: OSError: disk full"):
        SystemMetrics(log, 3600.0).stop()
    assert warned.is_set()


@pytest.mark.parametrize(
    ("asked", "variable", "expected"),
    [
        (None, None, None), (None, "0", None), (None, "off", None), (None, "1", 10.0), (None, "true", 10.0),
        (None, "2.5", 2.5), (True, None, 10.0), (False, "1", None), (0.5, None, 0.5),
    ],
)  # fmt: skip
def test_the_switch(
    monkeypatch: pytest.MonkeyPatch, asked: bool | float | None, variable: str | None, expected: float | None
):
    if variable is not None:
        monkeypatch.setenv("PLUSONE_SYSTEM_METRICS", variable)
    assert wanted_interval(asked) == expected


@pytest.mark.parametrize("asked", [0.0, -1.0, float("nan"), float("inf")])
def test_an_interval_that_is_none(asked: float, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UsageError):
        wanted_interval(asked)
    monkeypatch.setenv("PLUSONE_SYSTEM_METRICS", "sometimes")
    with pytest.raises(ConfigError, match="sometimes"):
        wanted_interval(None)


def test_without_psutil_the_error_names_the_command(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(UsageError, match="psutil") as error:
        SystemMetrics(lambda metrics: None, 1.0)
    assert "plusone[system]" in error.value.mend


def test_what_nvidia_smi_prints_is_read_without_what_a_card_does_not_measure(tmp_path: Path):
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho '0, 87, 1024, 250.5, 61'\necho '1, 3, 2, [N/A], 40'\n")
    smi.chmod(0o755)
    assert gpu_metrics(str(smi)) == {
        "system/gpu/0/percent": 87.0,
        "system/gpu/0/memory_used_bytes": 1024.0 * 1024 * 1024,
        "system/gpu/0/power_watts": 250.5,
        "system/gpu/0/temperature_celsius": 61.0,
        "system/gpu/1/percent": 3.0,
        "system/gpu/1/memory_used_bytes": 2.0 * 1024 * 1024,
        "system/gpu/1/temperature_celsius": 40.0,
    }
    smi.write_text("#!/bin/sh\nexit 9\n")
    assert gpu_metrics(str(smi)) == {}
