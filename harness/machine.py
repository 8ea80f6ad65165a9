"""Reading what of this machine could disturb a measurement; what it means: disturbances.py.

Every figure has its own small function, and where a file is missing it is unknown: containers
hide some, other systems than Linux have none.
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

from harness import placement
from harness.meter import cpu_seconds
from harness.models import BusyProcess, Machine

_ROOT = Path("/")
_CPUS = "sys/devices/system/cpu"
#: Processes that used less of a core than this are not worth a name; nor are more than a few.
_WORTH_A_NAME = 0.02
_NAMED = 3
_CLOCK_READS = 20_000
#: "No limit", as version 1 of control groups writes it: some number of this size.
_NO_LIMIT_BYTES = 1 << 60


def read(seconds: float = 1.0, *, root: Path = _ROOT) -> Machine:
    """Look at the machine for so many seconds.

    Args:
        seconds: how long to watch what others do.
        root: where /proc and /sys are.
    """
    cores = placement.usable_cores()
    before = psutil.swap_memory()
    seen = _watch(cores, seconds)
    after = psutil.swap_memory()
    swapped = (after.sin + after.sout) - (before.sin + before.sout)
    return Machine(
        cores=len(cores) or os.cpu_count() or 1,
        physical_cores=_physical_cores(cores),
        can_pin=bool(cores),
        load_average=_load_average(),
        others_core_share=seen.others_core_share,
        busiest=seen.busiest,
        steal_share=seen.steal_share,
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


# ------------------------------------------------------------------------- others


@dataclass(frozen=True, slots=True)
class _Seen:
    """What happened while we watched."""

    others_core_share: float | None
    busiest: tuple[BusyProcess, ...]
    steal_share: float | None


def _watch(cores: Sequence[int], seconds: float) -> _Seen:
    """What everybody but us used of these cores (of all, where we can't know)."""
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
        if (used := cpu_seconds(pid)) > used_before[pid] > 0
    }
    if before is None or after is None:
        return _Seen(None, _named(shares), None)
    busy_s, total_s = after.busy_s - before.busy_s - own_s, after.total_s - before.total_s
    steal_s = (after.steal_s or 0.0) - (before.steal_s or 0.0)
    return _Seen(
        others_core_share=max(0.0, busy_s / wall_s),
        busiest=_named(shares),
        steal_share=steal_s / total_s if after.steal_s is not None and total_s > 0 else None,
    )


def others_cpu_seconds() -> dict[int, float]:
    """Process id -> CPU seconds so far, of all processes that are neither ours nor our children's.

    Takes some microseconds a process: to be called beside slices, not in them.
    """
    us = psutil.Process()
    ours = {us.pid, *(child.pid for child in us.children(recursive=True))}
    return {pid: cpu_seconds(pid) for pid in psutil.pids() if pid not in ours}


def busiest_others(
    before: Mapping[int, float], seconds: float, cores: Iterable[int]
) -> tuple[BusyProcess, ...]:
    """Processes that used most CPU time since an earlier look and may run on some cores.

    Args:
        before: what `others_cpu_seconds` returned.
        seconds: how long ago that was.
        cores: the cores of interest.
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
    except OSError:  # it ended
        return False


@dataclass(frozen=True, slots=True)
class _CoreTimes:
    busy_s: float
    total_s: float
    steal_s: float | None


def _core_times(cores: Iterable[int]) -> _CoreTimes | None:
    """Since the system's start, all these cores together."""
    try:
        each = psutil.cpu_times(percpu=True)
    except (OSError, RuntimeError):
        return None
    wanted = [each[core] for core in cores if core < len(each)] or each
    busy = ("user", "nice", "system", "irq", "softirq")  # `guest` is in `user` already
    have_steal = hasattr(wanted[0], "steal")
    return _CoreTimes(
        busy_s=sum(getattr(one, name, 0.0) for one in wanted for name in busy),
        total_s=sum(
            getattr(one, name, 0.0) for one in wanted for name in (*busy, "idle", "iowait", "steal")
        ),
        steal_s=sum(one.steal for one in wanted) if have_steal else None,
    )


def _named(shares: dict[int, float]) -> tuple[BusyProcess, ...]:
    """The largest, by name."""
    largest = sorted(shares.items(), key=lambda item: -item[1])[:_NAMED]
    found = []
    for pid, share in largest:
        if share >= _WORTH_A_NAME:
            with contextlib.suppress(psutil.Error):  # it ended
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
    """The different governors of these cores."""
    found = {
        _text(root / _CPUS / f"cpu{core}" / "cpufreq" / "scaling_governor") for core in cores
    } - {None}
    return tuple(sorted(str(one) for one in found))


def boost(root: Path) -> bool | None:
    """Whether cores may run faster than their nominal clock."""
    no_turbo = _number(root / _CPUS / "intel_pstate" / "no_turbo")
    if no_turbo is not None:
        return not no_turbo
    allowed = _number(root / _CPUS / "cpufreq" / "boost")
    return None if allowed is None else bool(allowed)


def on_battery(root: Path) -> bool | None:
    """Whether a battery is what keeps it running; None without one."""
    if sys.platform != "linux":
        battery = psutil.sensors_battery()
        return None if battery is None else not battery.power_plugged
    # A mouse has a battery, too: only what the system lives on counts.
    supplies = [
        path.parent
        for path in (root / "sys/class/power_supply").glob("*/type")
        if _text(path) == "Battery" and _text(path.parent / "scope") != "Device"
    ]
    if not supplies:
        return None
    return any(_text(supply / "status") == "Discharging" for supply in supplies)


def hypervisor(root: Path) -> str | None:
    """Whose guest this machine is; empty for nobody's, None where the system does not say."""
    said = _text(root / "sys/hypervisor/type")
    if said:
        return said
    info = _text(root / "proc/cpuinfo")
    if info is None:
        return None
    if "hypervisor" not in info.split():
        return ""
    names = (_text(root / "sys/class/dmi/id" / name) for name in ("sys_vendor", "product_name"))
    return " ".join(name for name in names if name) or "unnamed"


def _clock_read_ns() -> float:
    """What one look at the clock costs: the best of a few tries, free of interruptions."""
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

    Limits of outer groups hold for inner ones, so the smallest counts.
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
    # Version 2 writes no limit into its outermost group: no file is no limit there.
    return math.inf if (root / "proc/self/cgroup").exists() else None


def limits(root: Path = _ROOT) -> dict[str, float | int | None]:
    """What our control groups allow, as run.json has it; None without a limit."""
    cpu_cores = quota_cores(root)
    return {
        "cpu_cores": None if cpu_cores is None or math.isinf(cpu_cores) else cpu_cores,
        "memory_bytes": min((limit for _, limit in _memory_limits(root)), default=None),
    }


def memory_left_bytes(root: Path) -> int | None:
    """Memory that our control groups still allow; None without a limit."""
    left = []
    for group, limit in _memory_limits(root):
        used = _number(group / "memory.current") or _number(group / "memory.usage_in_bytes")
        if used is not None:
            left.append(limit - used + _cached_bytes(group))
    return min(left, default=None)


def _memory_limits(root: Path) -> Iterator[tuple[Path, int]]:
    """Those of our control groups that limit memory, and to how many bytes."""
    for group in _groups(root, "memory"):
        limit = _number(group / "memory.max") or _number(group / "memory.limit_in_bytes")
        if limit and limit < _NO_LIMIT_BYTES:
            yield group, limit


def _cached_bytes(group: Path) -> int:
    """File pages that count as used and are given up when they are needed."""
    lines = (_text(group / "memory.stat") or "").splitlines()
    values = dict(line.split(maxsplit=1) for line in lines if " " in line)
    return int(values.get("total_inactive_file", values.get("inactive_file", 0)))


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Our control group and all around it, of both versions."""
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
            # In a container the path is often the host's: then only the outermost exists here.
            yield from (top / one for one in (inner, *inner.parents) if (top / one).is_dir())


def _files(limit: int) -> int:
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit


def local_ports(root: Path) -> int | None:
    """How many ports there are for connections to others."""
    words = (_text(root / "proc/sys/net/ipv4/ip_local_port_range") or "").split()
    return int(words[1]) - int(words[0]) + 1 if len(words) == 2 else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None


def _number(path: Path) -> int | None:
    """A file that holds one whole number; None also for `max`."""
    text = _text(path)
    try:
        return None if text is None else int(text)
    except ValueError:
        return None
