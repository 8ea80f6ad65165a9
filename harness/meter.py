"""CPU time, memory and threads of process trees, read from outside."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterable

import psutil

from harness.models import Usage

#: The kernel's id of a process's CPU clock is made from its pid (linux/posix-timers.h,
#: CPUCLOCK_SCHED). It counts nanoseconds, where /proc/PID/stat counts hundredths of a second.
_CPUCLOCK_SCHED = 2


def cpu_seconds(process: int) -> float:
    """CPU time of one process, its ended threads included; 0 when it is gone."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return time.clock_gettime(~process << 3 | _CPUCLOCK_SCHED)
        return 0.0
    with contextlib.suppress(psutil.Error):
        times = psutil.Process(process).cpu_times()
        return float(times.user + times.system)
    return 0.0


def usage(processes: Iterable[int], cpu_s: float) -> Usage:
    """Memory and threads of a tree right now, beside the CPU time that it used before."""
    pss_bytes = 0
    threads = 0
    for pid in processes:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            pss_bytes += _pss_bytes(process)
            threads += process.num_threads()
    return Usage(cpu_s=cpu_s, pss_bytes=pss_bytes, threads=threads)


def _pss_bytes(process: psutil.Process) -> int:
    full = process.memory_full_info()
    return int(getattr(full, "pss", full.rss))
