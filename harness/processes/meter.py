"""CPU time, memory, threads and context switches of process trees, read from outside."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

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


class Meter:
    """Several roles, each a tree of processes, from now on.

    `cpu_seconds` is cheap: one system call a process, to be read around every slice. Memory,
    threads and context switches are read from many small files, once, at the end.
    """

    def __init__(self, roles: Mapping[str, Sequence[int]]) -> None:
        self.roles = roles
        self._switches = {role: _context_switches(pids) for role, pids in roles.items()}
        self._first = self.cpu_seconds()

    def cpu_seconds(self) -> dict[str, float]:
        """Role -> CPU seconds of its processes since they began."""
        return {role: sum(map(cpu_seconds, pids)) for role, pids in self.roles.items()}

    def usage(self) -> dict[str, Usage]:
        """Role -> what it used since this meter was made, and what it holds now."""
        last = self.cpu_seconds()  # before reading the rest, which costs ourselves something
        result = {}
        for role, pids in self.roles.items():
            before = self._switches[role]
            switches = _context_switches(pids)
            pss_bytes, threads = _memory_and_threads(pids)
            result[role] = Usage(
                cpu_s=last[role] - self._first[role],
                pss_bytes=pss_bytes,
                threads=threads,
                context_switches=sum(n - before.get(thread, 0) for thread, n in switches.items()),
            )
        return result


def lifetime(pids: Sequence[int]) -> Usage:
    """What these processes used since they began, and hold now."""
    cpu_s = sum(map(cpu_seconds, pids))  # before reading the rest, as above
    pss_bytes, threads = _memory_and_threads(pids)
    return Usage(cpu_s, pss_bytes, threads, sum(_context_switches(pids).values()))


def _memory_and_threads(pids: Iterable[int]) -> tuple[int, int]:
    pss_bytes = threads = 0
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            full = process.memory_full_info()
            pss_bytes += int(getattr(full, "pss", full.rss))
            threads += process.num_threads()
    return pss_bytes, threads


def _context_switches(pids: Iterable[int]) -> dict[int, int]:
    """Thread -> its context switches, voluntary or not; where there is no /proc, process -> …."""
    result = {}
    for pid in pids:
        if sys.platform == "linux":
            with contextlib.suppress(OSError):  # it ended
                for thread in os.listdir(f"/proc/{pid}/task"):
                    result[int(thread)] = _thread_switches(
                        Path(f"/proc/{pid}/task/{thread}/status")
                    )
        else:
            with contextlib.suppress(psutil.Error):
                result[pid] = sum(psutil.Process(pid).num_ctx_switches())
    return result


def _thread_switches(status: Path) -> int:
    with contextlib.suppress(OSError):  # it ended
        lines = status.read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
    return 0
