"""CPU time, memory, threads and context switches of process trees, read from outside."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from harness.models import Switches, Usage

#: The kernel derives the id of a process's CPU clock from its pid (linux/posix-timers.h,
#: CPUCLOCK_SCHED). The clock counts nanoseconds; /proc/PID/stat counts hundredths of a second.
_CPUCLOCK_SCHED = 2


def cpu_seconds(process: int) -> float:
    """CPU time of one process, including its ended threads; 0 when the process is gone."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return time.clock_gettime(~process << 3 | _CPUCLOCK_SCHED)
        return 0.0
    with contextlib.suppress(psutil.Error):
        times = psutil.Process(process).cpu_times()
        return float(times.user + times.system)
    return 0.0


class Meter:
    """Meters several roles, each a tree of processes, from the moment it is made.

    `cpu_seconds` is cheap enough to be read around every slice: one system call per process. Memory,
    threads and context switches are read once, at the end, because that takes many small files.
    """

    def __init__(self, roles: Mapping[str, Sequence[int]]) -> None:
        """Start metering; `roles` has role -> ids of its processes."""
        self.roles = roles
        self._first_switches = {role: _context_switches(pids) for role, pids in roles.items()}
        self._first_cpu_s = self.cpu_seconds()

    def cpu_seconds(self) -> dict[str, float]:
        """Role -> CPU seconds of its processes since each of them began."""
        return {role: sum(map(cpu_seconds, pids)) for role, pids in self.roles.items()}

    def usage(self) -> dict[str, Usage]:
        """Role -> what it has used since metering started, and what it holds now."""
        last_cpu_s = self.cpu_seconds()  # first, because reading the rest takes CPU time itself
        result = {}
        for role, pids in self.roles.items():
            first = self._first_switches[role]
            switches = _context_switches(pids)
            pss_bytes, uss_bytes, threads = _memory_and_threads(pids)
            result[role] = Usage(
                cpu_s=last_cpu_s[role] - self._first_cpu_s[role],
                pss_bytes=pss_bytes,
                threads=threads,
                context_switches=_total(_since(first, switches)),
                uss_bytes=uss_bytes,
            )
        return result


def lifetime(pids: Sequence[int]) -> Usage:
    """What these processes have used since they began, and what they hold now."""
    cpu_s = sum(map(cpu_seconds, pids))  # first, because reading the rest takes CPU time itself
    pss_bytes, uss_bytes, threads = _memory_and_threads(pids)
    return Usage(cpu_s, pss_bytes, threads, _total(_sum(_context_switches(pids))), uss_bytes)


class SwitchMeter:
    """Counts context switches of processes by their kind, from the moment it is made."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids
        self._first = _context_switches(pids)

    def switches(self) -> Switches:
        """Context switches since then, without those of threads that have ended."""
        return _since(self._first, _context_switches(self._pids))


def _memory_and_threads(pids: Iterable[int]) -> tuple[int, int | None, int]:
    """Proportional and unique set size in bytes, and threads; None without a unique set size."""
    pss_bytes = threads = 0
    uss_bytes: int | None = 0
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            memory = process.memory_full_info()
            pss_bytes += int(getattr(memory, "pss", memory.rss))
            unique = getattr(memory, "uss", None)
            uss_bytes = None if uss_bytes is None or unique is None else uss_bytes + int(unique)
            threads += process.num_threads()
    return pss_bytes, uss_bytes, threads


def _context_switches(pids: Iterable[int]) -> dict[int, Switches]:
    """Thread -> its context switches; without /proc, process -> the same."""
    switches = {}
    for pid in pids:
        if sys.platform == "linux":
            with contextlib.suppress(OSError):  # the process ended
                for thread in os.listdir(f"/proc/{pid}/task"):
                    switches[int(thread)] = _thread_switches(
                        Path(f"/proc/{pid}/task/{thread}/status")
                    )
        else:
            with contextlib.suppress(psutil.Error):
                counted = psutil.Process(pid).num_ctx_switches()
                switches[pid] = Switches(counted.voluntary, counted.involuntary)
    return switches


def _thread_switches(status: Path) -> Switches:
    counts = {"voluntary_ctxt_switches": 0, "nonvoluntary_ctxt_switches": 0}
    with contextlib.suppress(OSError):  # the thread ended
        for line in status.read_text().splitlines():
            name, _, count = line.partition(":")
            if name in counts:
                counts[name] = int(count)
    return Switches(*counts.values())


def _since(first: Mapping[int, Switches], last: Mapping[int, Switches]) -> Switches:
    """What all threads added; a thread that began meanwhile began with none."""
    none = Switches(0, 0)
    return _sum(
        {
            thread: Switches(
                switches.voluntary - first.get(thread, none).voluntary,
                switches.involuntary - first.get(thread, none).involuntary,
            )
            for thread, switches in last.items()
        }
    )


def _sum(switches: Mapping[int, Switches]) -> Switches:
    return Switches(
        sum(each.voluntary for each in switches.values()),
        sum(each.involuntary for each in switches.values()),
    )


def _total(switches: Switches) -> int:
    return switches.voluntary + switches.involuntary
