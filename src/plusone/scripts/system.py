"""What the machine does while a run is under way: processor, memory, disk, network and NVIDIA's cards, as metrics."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from ..base.errors import ConfigError, UsageError

__all__ = ["SystemMetrics", "gpu_metrics", "wanted_interval"]

_INTERVAL_S = 10.0
_SMI = ("index", "utilization.gpu", "memory.used", "power.draw", "temperature.gpu")
_SMI_NAMES = ("percent", "memory_used_bytes", "power_watts", "temperature_celsius")
_SMI_FACTORS = (1.0, 1024.0 * 1024.0, 1.0, 1.0)  # it writes memory in MiB


def wanted_interval(asked: bool | float | None) -> float | None:
    """Return how many seconds lie between two samples, or None when system metrics are off.

    Args:
        asked: what `plusone.run(system_metrics=...)` was given: True, False, seconds, or None to ask
            `PLUSONE_SYSTEM_METRICS` (`1`, `0`, or seconds from 0.1).

    Raises:
        UsageError: for a number below 0.1.
        ConfigError: when the variable is no such number.
    """
    if asked is None:
        text = os.environ.get("PLUSONE_SYSTEM_METRICS", "").strip().lower()
        if text in ("", "0", "false", "off", "no"):
            return None
        try:
            asked = True if text in ("1", "true", "on", "yes") else float(text)
        except ValueError:
            raise ConfigError(f"PLUSONE_SYSTEM_METRICS={text}: expected 1, 0, or a number of seconds.") from None
    if isinstance(asked, bool):
        return _INTERVAL_S if asked else None
    if not 0.1 <= asked <= 86400:
        raise UsageError(f"System metrics every {asked} s: expected 0.1 to 86400.")
    return float(asked)


class SystemMetrics:
    """A thread that logs what the machine does, at once, then every `interval_s`, and once more when it is stopped.

    Disk and network are what was read and written, sent and received since it began.

    Raises:
        UsageError: when psutil is not installed.
    """

    def __init__(self, log: Callable[[Mapping[str, float]], None], interval_s: float) -> None:
        try:
            import psutil
        except ImportError:
            raise UsageError(
                "System metrics need psutil, which is not installed.", mend="pip install 'plusone[system]'"
            ) from None
        self._psutil: Any = psutil
        self._log = log
        self._interval_s = interval_s
        self._process: Any = psutil.Process()
        self._smi = shutil.which("nvidia-smi")
        self._before = self._counters()
        # Asked once: the next answer is of the time in between.
        psutil.cpu_percent(None)
        self._process.cpu_percent(None)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._go, name="plusone system metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; when this returns it has logged for the last time."""
        self._end.set()
        self._thread.join()

    def _go(self) -> None:
        try:
            self._log(self._sample())
            while not self._end.wait(self._interval_s):
                self._log(self._sample())
            self._log(self._sample())
        except Exception as error:  # the training goes on without them, and is told
            warnings.warn(f"plusone: no more system metrics: {type(error).__name__}: {error}", stacklevel=1)

    def _sample(self) -> dict[str, float]:
        memory = self._psutil.virtual_memory()
        found = {
            "system/cpu_percent": self._psutil.cpu_percent(None),
            "system/memory_percent": memory.percent,
            "system/memory_used_bytes": float(memory.total - memory.available),
            "system/process_cpu_percent": self._process.cpu_percent(None),
            "system/process_memory_bytes": float(self._process.memory_info().rss),
            "system/disk_percent": self._psutil.disk_usage(os.getcwd()).percent,
        }
        for name, value in self._counters().items():
            found[name] = value - self._before.get(name, 0.0)
        return found | (gpu_metrics(self._smi) if self._smi else {})

    def _counters(self) -> dict[str, float]:
        # A container may have neither disks nor networks of its own: psutil answers None.
        found: dict[str, float] = {}
        if disk := self._psutil.disk_io_counters():
            found["system/disk_read_bytes"] = float(disk.read_bytes)
            found["system/disk_written_bytes"] = float(disk.write_bytes)
        if network := self._psutil.net_io_counters():
            found["system/network_sent_bytes"] = float(network.bytes_sent)
            found["system/network_received_bytes"] = float(network.bytes_recv)
        return found


def gpu_metrics(smi: str) -> dict[str, float]:
    """Return what `nvidia-smi` (its path) says of each card, e.g. `system/gpu/0/percent`; {} when it says nothing.

    What a card does not measure ("[N/A]") is left out.
    """
    words = [smi, f"--query-gpu={','.join(_SMI)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    found: dict[str, float] = {}
    for line in done.stdout.splitlines():
        index, *values = (part.strip() for part in line.split(","))
        for name, factor, text in zip(_SMI_NAMES, _SMI_FACTORS, values, strict=False):
            try:
                found[f"system/gpu/{index}/{name}"] = float(text) * factor
            except ValueError:
                continue
    return found
