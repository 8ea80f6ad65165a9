"""What about a machine would spoil a measurement: pure functions from a figure to a finding.

Each finding names what was looked at, its figure, how much that matters, and what to do about it.
Where the system can't tell (it is not Linux, or a container hides it), the figure is `unknown`,
which is no fault. machine.py reads the figures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from harness.models import BusyProcess, Finding, Level, Machine

_UNKNOWN = "unknown: the system does not tell"

#: Share of one core. Stacks take turns, so a little steady work slows all of them alike. From a fifth
#: of a core on, the scheduler decides which slice it hits.
OTHERS_NOTED = 0.05
OTHERS_DISTURB = 0.2
#: Load average per core. It covers a minute, so it also shows work that pauses at the moment.
LOAD_NOTED = 0.5
LOAD_DISTURBS = 1.0
#: The host takes time away in pieces of milliseconds, which can spoil whole slices of 0.1 s.
STEAL_NOTED = 0.005
STEAL_DISTURBS = 0.03
#: No run uses more cores unless it is told to: one for servers, one for load, two for services.
ROLES_CORES = 4
#: PostgreSQL, the upstream, a load process and six stacks hold about 800 MiB.
MEMORY_NOTED_BYTES = 2 << 30
MEMORY_DISTURBS_BYTES = 1 << 30
SWAP_NOTED_BYTES = 64 << 20
#: The largest number of users that a run accepts, and the other files that a process has open.
FILES_WANTED = 10_240
#: Below this, there are not even enough for the thousand connections of open load.
FILES_NEEDED = 1_100
#: A load process sends a request every 15 µs at best, and reads the clock twice for each.
CLOCK_NOTED_NS = 200.0
CLOCK_DISTURBS_NS = 600.0
PORTS_WANTED = 12_000
BACKLOG_WANTED = 1_024
#: Several times what one process of the fastest Python server answers.
CEILING_WANTED_RPS = 30_000
CEILING_NEEDED_RPS = 12_000


def judge(machine: Machine, ceiling_rps: Mapping[str, float]) -> tuple[Finding, ...]:
    """Judge all figures of a machine.

    Args:
        machine: what machine.read returned.
        ceiling_rps: number of connections -> requests/s that one load process reached.
    """
    return (
        other_work(machine.others_core_share, machine.busiest, machine.cores),
        load_average(machine.load_average, machine.cores),
        steal(machine.steal_share),
        cores(machine.physical_cores, machine.cores),
        siblings(machine.physical_cores, machine.cores),
        pinning(can_pin=machine.can_pin),
        quota(machine.quota_cores, machine.cores),
        frequency(machine.governors),
        boost(on=machine.boost),
        battery(on=machine.on_battery),
        hypervisor(machine.hypervisor),
        clock(machine.clock_source, machine.clock_read_ns),
        memory(machine.memory_available_bytes),
        swap(machine.swap_used_bytes, machine.swapped_bytes_per_s),
        open_files(machine.open_files),
        ports(machine.local_ports),
        backlog(machine.listen_backlog),
        ceiling(ceiling_rps),
    )


def worst(findings: Sequence[Finding]) -> Level:
    """Return the most serious level."""
    return max((finding.level for finding in findings), key=list(Level).index, default=Level.FINE)


def _level(value: float, noted: float, disturbs: float) -> Level:
    """Judge a figure that is worse the larger it is."""
    if value >= disturbs:
        return Level.DISTURBS
    return Level.NOTE if value >= noted else Level.FINE


def _finding(what: str, level: Level, figure: str, mend: str) -> Finding:
    return Finding(what, level, figure, "" if level is Level.FINE else mend)


# ----------------------------------------------------------------------- other work


def other_work(share: float | None, busiest: Sequence[BusyProcess], cores: int) -> Finding:
    """Judge what other processes used while the machine was watched."""
    if share is None:
        return Finding("other work", Level.FINE, _UNKNOWN)
    figure = f"other processes use {share:.2f} of {_plural(cores, 'core')}"
    names = ", ".join(
        f"{process.name} (pid {process.pid}) {process.core_share:.2f}" for process in busiest
    )
    if names:
        figure += f": {names}"
    mend = "find them with 'top'; end them, or wait until they are done"
    if busiest:
        pid = busiest[0].pid
        mend = f"end {busiest[0].name}, or pause it: kill -STOP {pid} (kill -CONT {pid} afterwards)"
    elif share >= OTHERS_NOTED:
        figure += ", but none of them can be seen from here"
        mend = "run 'top' outside this container or session, and end what it shows"
    return _finding("other work", _level(share, OTHERS_NOTED, OTHERS_DISTURB), figure, mend)


def load_average(load: float | None, cores: int) -> Finding:
    """Judge how many processes wanted to run, on average over the last minute."""
    if load is None:
        return Finding("load average", Level.FINE, _UNKNOWN)
    level = _level(load / max(1, cores), LOAD_NOTED, LOAD_DISTURBS)
    figure = f"{load:.2f} on {_plural(cores, 'core')} over the last minute"
    mend = "wait a minute and look again; if it stays high, run 'top' to see what comes and goes"
    return _finding("load average", level, figure, mend)


def steal(share: float | None) -> Finding:
    """Judge the time that this virtual machine wanted and its host gave to others."""
    if share is None:
        return Finding("steal time", Level.FINE, _UNKNOWN)
    return _finding(
        "steal time",
        _level(share, STEAL_NOTED, STEAL_DISTURBS),
        f"the host gave {share:.1%} of the cores' time to other virtual machines",
        "measure at a quieter hour, on a machine with cores of its own, or with more --rounds",
    )


# ---------------------------------------------------------------------------- cores


def cores(physical: int | None, logical: int) -> Finding:
    """Judge whether servers, load and services can have cores of their own."""
    count = physical or logical
    if count >= ROLES_CORES - 1:
        level, effect = Level.FINE, "servers, load and services each have their own"
    elif count == 2:
        level, effect = Level.NOTE, "load, PostgreSQL and the upstream share one"
    else:
        level, effect = Level.DISTURBS, "servers and load take time from each other"
    figure = f"{_plural(count, 'physical core')}: {effect}"
    return _finding("cores", level, figure, "measure on a machine with 4 cores")


def siblings(physical: int | None, logical: int) -> Finding:
    """Judge whether cores have hyperthreads, which share the execution units of one core."""
    if physical is None:
        return Finding("hyperthreads", Level.FINE, _UNKNOWN)
    if logical <= physical:
        return Finding("hyperthreads", Level.FINE, "none: each core runs one thread")
    return Finding(
        "hyperthreads",
        Level.NOTE,
        f"{logical} threads on {_plural(physical, 'core')}: threads of one core slow each other",
        "twinbench keeps the roles on different cores; to be sure that nothing else runs beside "
        "them: echo off | sudo tee /sys/devices/system/cpu/smt/control",
    )


def pinning(*, can_pin: bool) -> Finding:
    """Judge whether processes can be kept on cores of their own."""
    return _finding(
        "pinning",
        Level.FINE if can_pin else Level.DISTURBS,
        "processes can be pinned to cores"
        if can_pin
        else "this system can't pin processes to cores",
        "measure on Linux, if only in a virtual machine; on this system, take more --rounds",
    )


def quota(allowed: float | None, cores: int) -> Finding:
    """Judge a limit on CPU time, which stops processes for tens of milliseconds when it is used up."""
    if allowed is None:
        return Finding("CPU quota", Level.FINE, _UNKNOWN)
    if math.isinf(allowed):
        return Finding("CPU quota", Level.FINE, "none")
    needed = min(cores, ROLES_CORES)
    return _finding(
        "CPU quota",
        Level.DISTURBS if allowed < needed else Level.FINE,
        f"processes may use the time of {allowed:.2g} cores; a run uses up to {needed}",
        f"grant whole cores instead of a share of time: docker run --cpuset-cores=0-{needed - 1} "
        "without --cpus (in Kubernetes, whole CPUs with the static CPU manager policy)",
    )


def frequency(governors: Sequence[str]) -> Finding:
    """Judge whether the cores keep their clock rate."""
    if not governors:
        return Finding("frequency scaling", Level.FINE, "the system shows none")
    steady = set(governors) == {"performance"}
    return _finding(
        "frequency scaling",
        Level.FINE if steady else Level.NOTE,
        f"governor {', '.join(governors)}" + ("" if steady else ": an idle core restarts slowly"),
        "sudo cpupower frequency-set --governor performance",
    )


def boost(*, on: bool | None) -> Finding:
    """Judge whether a core runs faster while it is cool and its neighbours are idle."""
    if on is None:
        return Finding("boost", Level.FINE, "the system shows none")
    return _finding(
        "boost",
        Level.NOTE if on else Level.FINE,
        "on: the clock rate depends on heat and on the other cores" if on else "off",
        "Intel: echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo; "
        "others: echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost",
    )


def battery(*, on: bool | None) -> Finding:
    """Judge whether the machine runs on a battery."""
    if on is None:
        return Finding("power", Level.FINE, "the system shows no battery")
    return _finding(
        "power",
        Level.DISTURBS if on else Level.FINE,
        "on battery: the system saves power" if on else "plugged in",
        "plug the machine in",
    )


def hypervisor(name: str | None) -> Finding:
    """Note a virtual machine, which shares its hardware; steal time shows how much that matters."""
    if name is None:
        return Finding("virtual machine", Level.FINE, _UNKNOWN)
    return _finding(
        "virtual machine",
        Level.NOTE if name else Level.FINE,
        f"yes ({name}): other virtual machines share its caches, memory and cores"
        if name
        else "no",
        "'twinbench calibrate' measures how much noise that adds; bare metal has less",
    )


def clock(source: str | None, read_ns: float) -> Finding:
    """Judge how long it takes to read the time."""
    return _finding(
        "clock",
        _level(read_ns, CLOCK_NOTED_NS, CLOCK_DISTURBS_NS),
        f"{source or 'source unknown'}, {read_ns:.0f} ns to read",
        "if the file available_clocksource beside it lists tsc: "
        "echo tsc | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource",
    )


# --------------------------------------------------------------------------- memory


def memory(available_bytes: int) -> Finding:
    """Judge how much memory is left for stacks, PostgreSQL and load."""
    gib = available_bytes / (1 << 30)
    level = _level(-available_bytes, -MEMORY_NOTED_BYTES, -MEMORY_DISTURBS_BYTES)
    return _finding(
        "memory",
        level,
        f"{gib:.1f} GiB available",
        "end programs that hold memory, or raise the memory limit of this container",
    )


def swap(used_bytes: int, bytes_per_s: float) -> Finding:
    """Judge whether processes wait for swapped memory; what was swapped out long ago matters less."""
    figure = f"{used_bytes / (1 << 20):,.0f} MiB in use"
    if bytes_per_s > 0:
        figure += f", {bytes_per_s / (1 << 20):.1f} MiB/s moved just now"
        level = Level.DISTURBS
    else:
        level = Level.NOTE if used_bytes >= SWAP_NOTED_BYTES else Level.FINE
    return _finding("swap", level, figure, "end programs that hold memory, then: sudo swapoff -a")


# ------------------------------------------------------------------------ connections


def open_files(limit: int) -> Finding:
    """Judge how many files, and so connections, one process may have open.

    Servers and load processes raise their own limit as far as the system allows.
    """
    return _finding(
        "open files",
        _level(-limit, -FILES_WANTED + 1, -FILES_NEEDED + 1),
        f"a process may have {limit:,}",
        f"raise nofile to {FILES_WANTED} in /etc/security/limits.conf to allow more users",
    )


def ports(count: int | None) -> Finding:
    """Judge how many local ports there are; every connection to a server takes one."""
    if count is None:
        return Finding("local ports", Level.FINE, _UNKNOWN)
    return _finding(
        "local ports",
        Level.NOTE if count < PORTS_WANTED else Level.FINE,
        f"{count:,} for connections to servers",
        "sudo sysctl net.ipv4.ip_local_port_range='15000 64999'",
    )


def backlog(count: int | None) -> Finding:
    """Judge how many connections may wait to be accepted when many users start at once."""
    if count is None:
        return Finding("listen backlog", Level.FINE, _UNKNOWN)
    return _finding(
        "listen backlog",
        Level.NOTE if count < BACKLOG_WANTED else Level.FINE,
        f"at most {count:,} connections wait to be accepted",
        "sudo sysctl net.core.somaxconn=4096",
    )


def ceiling(reached_rps: Mapping[str, float]) -> Finding:
    """Judge how fast one load process is; near that, the load is measured and not the stack."""
    least = min(reached_rps.values(), default=0.0)
    figures = ", ".join(
        f"{rps:,.0f} requests/s with {connections} connections"
        for connections, rps in reached_rps.items()
    )
    return _finding(
        "load process",
        _level(-least, -CEILING_WANTED_RPS + 1, -CEILING_NEEDED_RPS + 1),
        f"{figures}, to a server that does nothing" if figures else "not measured",
        "remedy the other findings first; for stacks that reach more than half of that, "
        "use --generators 2",
    )


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'s' if count != 1 else ''}"
