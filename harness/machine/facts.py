"""Reads what about this machine could disturb a measurement; disturbances.py judges it.

Each figure has a small function of its own. A figure is unknown where its file is missing:
containers hide some files, and systems other than Linux have none of them.
"""

from __future__ import annotations

import contextlib
import math
import os
import resource
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness.machine import placement
from harness.models import BusyProcess, Machine
from harness.processes.meter import cpu_seconds

_ROOT = Path("/")
_CPUS = "sys/devices/system/cpu"
#: Processes are named if they used at least this share of a core, and only the busiest few.
_WORTH_A_NAME = 0.02
_NAMED = 3
_CLOCK_READS = 20_000
#: Version 1 of control groups writes "no limit" as a number of this size.
_NO_LIMIT_BYTES = 1 << 60


def read(seconds: float = 1.0, *, root: Path = _ROOT) -> Machine:
    """Read all figures of this machine.

    Args:
        seconds: how long to watch what other processes do.
        root: folder that contains /proc and /sys.
    """
    cores = placement.usable_cores()
    before = psutil.swap_memory()
    watched = _watch(cores, seconds)
    after = psutil.swap_memory()
    swapped = (after.sin + after.sout) - (before.sin + before.sout)
    return Machine(
        cores=len(cores) or os.cpu_count() or 1,
        physical_cores=_physical_cores(cores),
        can_pin=bool(cores),
        load_average=_load_average(),
        others_core_share=watched.others_core_share,
        busiest=watched.busiest,
        steal_share=watched.steal_share,
        governors=governors(root, cores),
        boost=boost(root),
        quota_cores=quota_cores(root),
        memory_available_bytes=min(
            psutil.virtual_memory().available, memory_left_bytes(root) or _NO_LIMIT_BYTES
        ),
        swap_used_bytes=after.used,
        swapped_bytes_per_s=max(0.0, swapped / seconds),
        open_files=_files(resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
        on_battery=on_battery(root),
        hypervisor=hypervisor(root),
        clock_source=_text(
            root / "sys/devices/system/clocksource/clocksource0/current_clocksource"
        ),
        clock_read_ns=_clock_read_ns(),
        local_ports=local_ports(root),
        listen_backlog=_number(root / "proc/sys/net/core/somaxconn"),
    )


# ---------------------------------------------------------------- other processes


@dataclass(frozen=True, slots=True)
class _Watched:
    """What other processes did during some seconds."""

    others_core_share: float | None
    busiest: tuple[BusyProcess, ...]
    steal_share: float | None


def _watch(cores: Sequence[int], seconds: float) -> _Watched:
    """Watch what all other processes use of some cores (of all cores where none are given)."""
    own = os.getpid()
    pids = [pid for pid in psutil.pids() if pid != own]
    used_before = {pid: cpu_seconds(pid) for pid in pids}
    own_before, before = cpu_seconds(own), _core_times(cores)
    begun = time.perf_counter()
    time.sleep(seconds)
    wall_s = time.perf_counter() - begun
    after, own_s = _core_times(cores), cpu_seconds(own) - own_before
    shares = {
        pid: (used - used_before[pid]) / wall_s
        for pid in pids
        if (used := cpu_seconds(pid)) > used_before[pid]
    }
    if before is None or after is None:
        return _Watched(None, _named(shares), None)
    busy_s, total_s = after.busy_s - before.busy_s - own_s, after.total_s - before.total_s
    steal_s = (after.steal_s or 0.0) - (before.steal_s or 0.0)
    return _Watched(
        others_core_share=max(0.0, busy_s / wall_s),
        busiest=_named(shares),
        steal_share=steal_s / total_s if after.steal_s is not None and total_s > 0 else None,
    )


def others_cpu_seconds() -> dict[int, float]:
    """Process id -> CPU seconds so far, of all processes but this one and its descendants.

    This takes some microseconds per process, so call it between slices and not within them.
    """
    this = psutil.Process()
    ours = {this.pid, *(child.pid for child in this.children(recursive=True))}
    return {pid: cpu_seconds(pid) for pid in psutil.pids() if pid not in ours}


def busiest_others(
    before: Mapping[int, float], seconds: float, cores: Iterable[int]
) -> tuple[BusyProcess, ...]:
    """Name the processes that used most CPU time in the last seconds and may run on some cores.

    Processes that began in the meantime are not found.

    Args:
        before: what `others_cpu_seconds` returned.
        seconds: how long ago it was called.
        cores: the cores that a process must be allowed to run on.
    """
    wanted = set(cores)
    shares = {
        pid: (used - before[pid]) / seconds
        for pid in before
        if (used := cpu_seconds(pid)) > before[pid] and _may_run_on(pid, wanted)
    }
    return _named(shares)


def _may_run_on(pid: int, cores: set[int]) -> bool:
    try:
        return bool(os.sched_getaffinity(pid) & cores)
    except OSError:  # the process ended
        return False


@dataclass(frozen=True, slots=True)
class _CoreTimes:
    busy_s: float
    total_s: float
    steal_s: float | None


def _core_times(cores: Iterable[int]) -> _CoreTimes | None:
    """Times of some cores since the system started, added up; None where it does not tell."""
    try:
        each = psutil.cpu_times(percpu=True)
    except (OSError, RuntimeError):
        return None
    wanted = [each[core] for core in cores if core < len(each)] or each
    busy = ("user", "nice", "system", "irq", "softirq")  # `user` includes `guest`
    total = (*busy, "idle", "iowait", "steal")
    has_steal = hasattr(wanted[0], "steal")
    return _CoreTimes(
        busy_s=sum(getattr(times, column, 0.0) for times in wanted for column in busy),
        total_s=sum(getattr(times, column, 0.0) for times in wanted for column in total),
        steal_s=sum(times.steal for times in wanted) if has_steal else None,
    )


def _named(shares: dict[int, float]) -> tuple[BusyProcess, ...]:
    """Name the processes with the largest shares of a core.

    Args:
        shares: process id -> share of a core.
    """
    largest = sorted(shares.items(), key=lambda item: -item[1])[:_NAMED]
    found = []
    for pid, share in largest:
        if share >= _WORTH_A_NAME:
            with contextlib.suppress(psutil.Error):  # the process ended
                found.append(BusyProcess(pid, psutil.Process(pid).name(), share))
    return tuple(found)


def _load_average() -> float | None:
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


# -------------------------------------------------------------------------- cores


def _physical_cores(cores: Sequence[int]) -> int | None:
    if not cores:
        count: int | None = psutil.cpu_count(logical=False)
        return count
    return len({min(group) for group in placement.read_siblings(cores).values()})


def governors(root: Path, cores: Iterable[int]) -> tuple[str, ...]:
    """Names of the frequency governors of some cores, each once."""
    found = {
        _text(root / _CPUS / f"cpu{core}" / "cpufreq" / "scaling_governor") for core in cores
    } - {None}
    return tuple(sorted(str(governor) for governor in found))


def boost(root: Path) -> bool | None:
    """Whether cores may run faster than their nominal clock rate; None where it is unknown."""
    no_turbo = _number(root / _CPUS / "intel_pstate" / "no_turbo")
    if no_turbo is not None:
        return not no_turbo
    allowed = _number(root / _CPUS / "cpufreq" / "boost")
    return None if allowed is None else bool(allowed)


def on_battery(root: Path) -> bool | None:
    """Whether the machine runs on a battery; None where it has none."""
    if sys.platform != "linux":
        battery = psutil.sensors_battery()
        return None if battery is None else not battery.power_plugged
    # A mouse has a battery too: only batteries that power the system count.
    supplies = [
        path.parent
        for path in (root / "sys/class/power_supply").glob("*/type")
        if _text(path) == "Battery" and _text(path.parent / "scope") != "Device"
    ]
    if not supplies:
        return None
    return any(_text(supply / "status") == "Discharging" for supply in supplies)


def hypervisor(root: Path) -> str | None:
    """Name of the hypervisor; empty on bare metal, None where the system does not tell."""
    name = _text(root / "sys/hypervisor/type")
    if name:
        return name
    info = _text(root / "proc/cpuinfo")
    if info is None:
        return None
    if "hypervisor" not in info.split():
        return ""
    words = (_text(root / "sys/class/dmi/id" / file) for file in ("sys_vendor", "product_name"))
    return " ".join(word for word in words if word) or "unnamed"


def _clock_read_ns() -> float:
    """Time that one reading of the clock takes: the best of five tries, to avoid interruptions."""
    read = time.perf_counter_ns
    best = math.inf
    for _ in range(5):
        begun = read()
        for _ in range(_CLOCK_READS):
            read()
        best = min(best, (read() - begun) / _CLOCK_READS)
    return best


# ----------------------------------------------------------------- limits and groups


def quota_cores(root: Path) -> float | None:
    """CPU time that our control groups allow, in cores; infinite without a limit.

    The limits of outer groups apply to inner groups, so the smallest limit counts.
    """
    allowed = []
    for group in _groups(root, "cpu"):
        if (line := _text(group / "cpu.max")) is not None:
            limit, _, period = line.partition(" ")
            allowed.append(math.inf if limit == "max" else int(limit) / int(period or 100_000))
        elif (quota := _number(group / "cpu.cfs_quota_us")) is not None:
            period_us = _number(group / "cpu.cfs_period_us") or 100_000
            allowed.append(quota / period_us if quota > 0 else math.inf)
    if allowed:
        return min(allowed)
    # The outermost group of version 2 has no such file, and no limit.
    return math.inf if (root / "proc/self/cgroup").exists() else None


def limits(root: Path = _ROOT) -> dict[str, float | int | None]:
    """Limits of our control groups for run.json; None without a limit."""
    cpu_cores = quota_cores(root)
    return {
        "cpu_cores": None if cpu_cores is None or math.isinf(cpu_cores) else cpu_cores,
        "memory_bytes": min((limit for _, limit in _memory_limits(root)), default=None),
    }


def memory_left_bytes(root: Path) -> int | None:
    """Memory that our control groups still allow us to take; None without a limit."""
    left = []
    for group, limit in _memory_limits(root):
        used = _number(group / "memory.current") or _number(group / "memory.usage_in_bytes")
        if used is not None:
            left.append(limit - used + _cached_bytes(group))
    return min(left, default=None)


def _memory_limits(root: Path) -> Iterator[tuple[Path, int]]:
    """Our control groups that limit memory, each with its limit in bytes."""
    for group in _groups(root, "memory"):
        limit = _number(group / "memory.max") or _number(group / "memory.limit_in_bytes")
        if limit and limit < _NO_LIMIT_BYTES:
            yield group, limit


def _cached_bytes(group: Path) -> int:
    """Cached file pages, which count as used but are freed when memory is needed."""
    lines = (_text(group / "memory.stat") or "").splitlines()
    values = dict(line.split(maxsplit=1) for line in lines if " " in line)
    return int(values.get("total_inactive_file", values.get("inactive_file", 0)))


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Our control group and all groups that contain it, of both versions."""
    mount = root / "sys/fs/cgroup"
    for line in (_text(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            tops = [mount, mount / "unified"]
        elif controller in controllers.split(","):
            tops = [mount / controllers, mount / controller]
        else:
            continue
        inner = Path(path.lstrip("/"))
        for top in tops:
            # In a container the path is often the host's: then only the outermost group exists.
            groups = (top / folder for folder in (inner, *inner.parents))
            yield from (group for group in groups if group.is_dir())


def _files(limit: int) -> int:
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit


def local_ports(root: Path) -> int | None:
    """Number of local ports for outgoing connections."""
    words = (_text(root / "proc/sys/net/ipv4/ip_local_port_range") or "").split()
    return int(words[1]) - int(words[0]) + 1 if len(words) == 2 else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None


def _number(path: Path) -> int | None:
    """Whole number in a file; None where there is no file or it holds something else."""
    text = _text(path)
    try:
        return None if text is None else int(text)
    except ValueError:
        return None
