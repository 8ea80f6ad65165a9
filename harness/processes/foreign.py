"""Seconds that cores were busy, to find what other programs used of them.

The kernel counts the busy time of each core in /proc/stat. What our own processes used of it is known
from their CPU clocks; the rest is somebody else's. The figures have three limits:

- The kernel looks at a core once a tick (1 to 10 ms) and shows what it saw in units of 10 ms, so a
  single short slice is coarse. The error has no direction, so its share shrinks in a sum over slices.
- Time in interrupts (the columns irq and softirq) is loopback traffic for the most part, and so the
  servers' own work: up to 17 % of their core in `hello`. A kernel that samples leaves that time in the
  clock of the process that it interrupts; then it is busy time like any other, and is subtracted with
  our clocks. A kernel that measures it (CONFIG_IRQ_TIME_ACCOUNTING) takes it off the processes'
  clocks; then it is not counted as busy, or it would be blamed on others. A sampling kernel never sees
  the inside of a hard interrupt, so its column irq stays at zero, by which it is recognised.
- Stolen time is what a virtual machine's host gave to other guests. No process here used it, so it is
  neither busy time nor ours, and has a figure of its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.models import CoreUsage

_STAT = Path("/proc/stat")
#: Columns of a core's line in /proc/stat, in the kernel's order (man 5 proc_stat). Time of guests,
#: which comes after these, is in `user` and `nice` already.
_COLUMNS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


@dataclass(frozen=True, slots=True)
class CoreSeconds:
    """Readings of some cores, added up; only differences between two of them mean something."""

    available_s: float  # cores × time
    busy_s: float  # what processes' clocks count, of whomever
    interrupt_s: float
    steal_s: float

    def __add__(self, other: CoreSeconds) -> CoreSeconds:
        return CoreSeconds(
            self.available_s + other.available_s,
            self.busy_s + other.busy_s,
            self.interrupt_s + other.interrupt_s,
            self.steal_s + other.steal_s,
        )

    def since(self, before: CoreSeconds) -> CoreSeconds | None:
        """What happened after an earlier reading; None when a counter went backwards.

        A core that was taken away and came back counts from zero again.
        """
        passed = CoreSeconds(
            self.available_s - before.available_s,
            self.busy_s - before.busy_s,
            self.interrupt_s - before.interrupt_s,
            self.steal_s - before.steal_s,
        )
        if min(passed.available_s, passed.busy_s, passed.interrupt_s, passed.steal_s) < 0:
            return None
        return passed


NO_TIME = CoreSeconds(0.0, 0.0, 0.0, 0.0)


def read(groups: Mapping[str, Sequence[int]], *, stat: Path = _STAT) -> dict[str, CoreSeconds]:
    """Read the clocks of groups of cores.

    A reading takes about 30 µs on two cores, little enough to do it around every slice.

    Args:
        groups: name -> its cores.
        stat: the kernel's file.

    Returns:
        Name -> reading. A group is left out when the system does not tell about all its cores.
    """
    try:
        text = stat.read_bytes()
    except OSError:  # not Linux, or hidden
        return {}
    now_s = time.perf_counter()
    counters = parse(text)
    found = {}
    for name, cores in groups.items():
        if cores and all(core in counters for core in cores):
            found[name] = sum((_reading(counters[core], now_s) for core in cores), start=NO_TIME)
    return found


def parse(stat: bytes) -> dict[int, dict[str, int]]:
    """Core -> column -> ticks, from the text of /proc/stat.

    A core of which all counters are zero is left out: a sandbox shows it, but does not count.
    """
    found = {}
    for line in stat.splitlines():
        name, _, rest = line.partition(b" ")
        if not name.startswith(b"cpu"):
            break  # the lines of the cores come first
        ticks = dict(zip(_COLUMNS, map(int, rest.split()), strict=False))
        if name != b"cpu" and any(ticks.values()):
            found[int(name[3:])] = ticks
    return found


def _reading(ticks: Mapping[str, int], now_s: float) -> CoreSeconds:
    tick_s = 1 / os.sysconf("SC_CLK_TCK")

    def seconds(*columns: str) -> float:
        return sum(ticks.get(column, 0) for column in columns) * tick_s

    processes_s, interrupt_s = seconds("user", "nice", "system"), seconds("irq", "softirq")
    measured = ticks.get("irq", 0) > 0
    return CoreSeconds(
        available_s=now_s,
        busy_s=processes_s if measured else processes_s + interrupt_s,
        interrupt_s=interrupt_s,
        steal_s=seconds("steal"),
    )


class Account:
    """Adds up what groups of cores did in some slices, beside what our processes used of them."""

    def __init__(self) -> None:
        self._passed: dict[str, CoreSeconds] = {}
        self._own_s: dict[str, float] = {}
        self._unknown: set[str] = set()

    def add(
        self,
        before: Mapping[str, CoreSeconds],
        after: Mapping[str, CoreSeconds],
        own_s: Mapping[str, float],
    ) -> None:
        """Add one slice.

        Args:
            before: group of cores -> reading at the slice's begin.
            after: likewise at its end.
            own_s: group of cores -> CPU seconds that our processes used there in between.
        """
        for group, own in own_s.items():
            passed = (
                after[group].since(before[group]) if group in before and group in after else None
            )
            if passed is None:
                self._unknown.add(group)
                continue
            self._passed[group] = self._passed.get(group, NO_TIME) + passed
            self._own_s[group] = self._own_s.get(group, 0.0) + own

    def usage(self) -> dict[str, CoreUsage]:
        """Group of cores -> the sums; a group that could not be read in every slice is left out."""
        return {
            group: CoreUsage(
                available_s=passed.available_s,
                busy_s=passed.busy_s,
                own_s=self._own_s[group],
                interrupt_s=passed.interrupt_s,
                steal_s=passed.steal_s,
            )
            for group, passed in self._passed.items()
            if group not in self._unknown
        }
