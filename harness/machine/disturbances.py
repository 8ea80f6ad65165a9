"""What of a machine would spoil a measurement: pure functions from a figure to a finding.

Each says what it looked at, how it is, how much that matters and what to do. Where the system
does not say (another system than Linux, a container that hides it), the figure is `unknown`:
that is no fault, and is said. machine.py does the reading.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from harness.models import BusyProcess, Finding, Level, Machine

_UNKNOWN = "unknown: the system does not say"

#: Of one core. Stacks take turns, so steady work beside them slows all alike; from a fifth of a
#: core on it is the scheduler that decides which slice it hits.
OTHERS_NOTED = 0.05
OTHERS_DISTURB = 0.2
#: Load average per core. It remembers a minute, so it also tells of what pauses at the moment.
LOAD_NOTED = 0.5
LOAD_DISTURBS = 1.0
#: Time that the host gave to other guests comes in pieces of milliseconds: whole slices of 0.1 s.
STEAL_NOTED = 0.005
STEAL_DISTURBS = 0.03
#: More cores than this no run uses by itself: servers, load, two for services.
ROLES_CORES = 4
#: PostgreSQL, upstream, load process and six stacks hold about 800 MiB.
MEMORY_NOTED_BYTES = 2 << 30
MEMORY_DISTURBS_BYTES = 1 << 30
SWAP_NOTED_BYTES = 64 << 20
#: The largest number of users that a run takes, and what a process has open besides.
FILES_WANTED = 10_240
#: Below this, not even the thousand connections of open load can be had.
FILES_NEEDED = 1_100
#: The load side reads the clock twice a request, of which it sends one every 15 µs.
CLOCK_NOTED_NS = 200.0
CLOCK_DISTURBS_NS = 600.0
PORTS_WANTED = 12_000
BACKLOG_WANTED = 1_024
#: Several times what one process of the fastest Python servers answers.
CEILING_WANTED_RPS = 30_000
CEILING_NEEDED_RPS = 12_000


def judge(machine: Machine, ceiling_rps: Mapping[str, float]) -> tuple[Finding, ...]:
    """All findings of a machine.

    Args:
        machine: as machine.read found it.
        ceiling_rps: connections -> what one load process reached.
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
    """The gravest level."""
    return max((one.level for one in findings), key=list(Level).index, default=Level.FINE)


def _level(value: float, noted: float, disturbs: float) -> Level:
    """For what is the worse the more there is of it."""
    if value >= disturbs:
        return Level.DISTURBS
    return Level.NOTE if value >= noted else Level.FINE


def _finding(what: str, level: Level, figure: str, mend: str) -> Finding:
    return Finding(what, level, figure, "" if level is Level.FINE else mend)


# --------------------------------------------------------------------------- others


def other_work(share: float | None, busiest: Sequence[BusyProcess], cores: int) -> Finding:
    """What other processes used while we looked."""
    if share is None:
        return Finding("other work", Level.FINE, _UNKNOWN)
    figure = f"{share:.2f} of {cores} cores busy"
    named = ", ".join(f"{one.name} (pid {one.pid}) {one.core_share:.2f}" for one in busiest)
    if named:
        figure += f": {named}"
    mend = "see 'top': end it, or wait until it is done"
    if busiest:
        mend = f"end it or let it pause: kill -STOP {busiest[0].pid} (-CONT afterwards)"
    elif share >= OTHERS_NOTED:
        figure += ", by processes that can't be seen from here"
        mend = "look from outside of this container or session ('top' on the host), and end it"
    return _finding("other work", _level(share, OTHERS_NOTED, OTHERS_DISTURB), figure, mend)


def load_average(load: float | None, cores: int) -> Finding:
    """How many processes wanted to run, on average over the last minute."""
    if load is None:
        return Finding("load average", Level.FINE, _UNKNOWN)
    level = _level(load / max(1, cores), LOAD_NOTED, LOAD_DISTURBS)
    figure = f"{load:.2f} on {cores} core{'s' if cores != 1 else ''}, over the last minute"
    mend = "wait a minute and look again; if it stays, see 'top' for what comes and goes"
    return _finding("load average", level, figure, mend)


def steal(share: float | None) -> Finding:
    """Time that this guest wanted and its host gave to others."""
    if share is None:
        return Finding("steal time", Level.FINE, _UNKNOWN)
    return _finding(
        "steal time",
        _level(share, STEAL_NOTED, STEAL_DISTURBS),
        f"{share:.1%} of the cores' time",
        "measure at a quieter hour, or on a machine with cores of its own; take more --rounds",
    )


# ---------------------------------------------------------------------------- cores


def cores(physical: int | None, logical: int) -> Finding:
    """Whether servers, load and services can be apart."""
    count = physical or logical
    if count >= ROLES_CORES - 1:
        level, told = Level.FINE, "servers, load and services are apart"
    elif count == 2:
        level, told = Level.NOTE, "load, PostgreSQL and upstream share one"
    else:
        level, told = Level.DISTURBS, "servers and load take time from each other"
    figure = f"{count} physical core{'s' if count != 1 else ''}: {told}"
    return _finding("cores", level, figure, "use a machine with 4 cores, or give this one more")


def siblings(physical: int | None, logical: int) -> Finding:
    """Hyperthreads, which share the units of one core."""
    if physical is None:
        return Finding("hyperthreads", Level.FINE, _UNKNOWN)
    if logical <= physical:
        return Finding("hyperthreads", Level.FINE, "none: a core is a core")
    return Finding(
        "hyperthreads",
        Level.NOTE,
        f"{logical} threads on {physical} cores: what runs on a sibling slows its core",
        "echo off | sudo tee /sys/devices/system/cpu/smt/control (roles are kept apart anyway)",
    )


def pinning(*, can_pin: bool) -> Finding:
    """Whether processes can be given cores of their own."""
    return _finding(
        "pinning",
        Level.FINE if can_pin else Level.DISTURBS,
        "processes are pinned" if can_pin else "this system can't pin processes to cores",
        "measure on Linux, in a virtual machine if need be; here, take more --rounds",
    )


def quota(allowed: float | None, cores: int) -> Finding:
    """A limit on CPU time stops a process for tens of milliseconds when it is used up."""
    if allowed is None:
        return Finding("CPU quota", Level.FINE, _UNKNOWN)
    if math.isinf(allowed):
        return Finding("CPU quota", Level.FINE, "none")
    needed = min(cores, ROLES_CORES)
    return _finding(
        "CPU quota",
        Level.DISTURBS if allowed < needed else Level.FINE,
        f"{allowed:.2g} of {cores} cores' time, a run uses up to {needed}",
        f"give whole cores in place of a share of time: docker run --cpuset-cores=0-{needed - 1} "
        "without --cpus (in Kubernetes, whole CPUs under the static CPU manager)",
    )


def frequency(governors: Sequence[str]) -> Finding:
    """Whether the cores' clock is left alone."""
    if not governors:
        return Finding("frequency scaling", Level.FINE, "none that the system shows")
    calm = set(governors) == {"performance"}
    return _finding(
        "frequency scaling",
        Level.FINE if calm else Level.NOTE,
        f"governor {', '.join(governors)}" + ("" if calm else ": a core that waited starts slowly"),
        "sudo cpupower frequency-set --governor performance",
    )


def boost(*, on: bool | None) -> Finding:
    """Whether a core runs faster while it is cool and its neighbours are idle."""
    if on is None:
        return Finding("boost", Level.FINE, "none that the system shows")
    return _finding(
        "boost",
        Level.NOTE if on else Level.FINE,
        "on: the clock depends on heat and on the other cores" if on else "off",
        "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo "
        "(elsewhere: echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost)",
    )


def battery(*, on: bool | None) -> Finding:
    """Whether the machine saves power."""
    if on is None:
        return Finding("power", Level.FINE, "no battery that the system shows")
    return _finding(
        "power",
        Level.DISTURBS if on else Level.FINE,
        "on battery: the system saves power" if on else "plugged in",
        "plug it in",
    )


def hypervisor(name: str | None) -> Finding:
    """A virtual machine shares what it runs on; steal time says how much of that is felt."""
    if name is None:
        return Finding("virtual machine", Level.FINE, _UNKNOWN)
    return _finding(
        "virtual machine",
        Level.NOTE if name else Level.FINE,
        f"yes ({name}): other guests share caches, memory and cores" if name else "no",
        "'twinbench calibrate' says what that comes to; bare metal is calmer",
    )


def clock(source: str | None, read_ns: float) -> Finding:
    """What it costs to ask for the time."""
    return _finding(
        "clock",
        _level(read_ns, CLOCK_NOTED_NS, CLOCK_DISTURBS_NS),
        f"{source or 'source unknown'}, {read_ns:.0f} ns to read",
        "echo tsc | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource "
        "(if it is among available_clocksource beside it)",
    )


# --------------------------------------------------------------------------- memory


def memory(available_bytes: int) -> Finding:
    """What is left for stacks, PostgreSQL and load."""
    gib = available_bytes / (1 << 30)
    level = _level(-available_bytes, -MEMORY_NOTED_BYTES, -MEMORY_DISTURBS_BYTES)
    return _finding(
        "memory", level, f"{gib:.1f} GiB available", "end what holds memory, or allow us more of it"
    )


def swap(used_bytes: int, bytes_per_s: float) -> Finding:
    """Whether memory is waited for; what was swapped out long ago matters less."""
    figure = f"{used_bytes / (1 << 20):,.0f} MiB in use"
    if bytes_per_s > 0:
        figure += f", {bytes_per_s / (1 << 20):.1f} MiB/s moved while we looked"
        level = Level.DISTURBS
    else:
        level = Level.NOTE if used_bytes >= SWAP_NOTED_BYTES else Level.FINE
    return _finding("swap", level, figure, "end what holds memory, then: sudo swapoff -a")


# ------------------------------------------------------------------------ connections


def open_files(limit: int) -> Finding:
    """Connections that one process may hold; servers and load processes get all that is allowed."""
    return _finding(
        "open files",
        _level(-limit, -FILES_WANTED + 1, -FILES_NEEDED + 1),
        f"a process may have {limit:,}",
        f"for more users: raise nofile to {FILES_WANTED} in /etc/security/limits.conf",
    )


def ports(count: int | None) -> Finding:
    """Local ports: every connection to a server takes one."""
    if count is None:
        return Finding("local ports", Level.FINE, _UNKNOWN)
    return _finding(
        "local ports",
        Level.NOTE if count < PORTS_WANTED else Level.FINE,
        f"{count:,}",
        "sudo sysctl net.ipv4.ip_local_port_range='15000 64999'",
    )


def backlog(count: int | None) -> Finding:
    """Connections that may wait to be accepted when many users begin at once."""
    if count is None:
        return Finding("listen backlog", Level.FINE, _UNKNOWN)
    return _finding(
        "listen backlog",
        Level.NOTE if count < BACKLOG_WANTED else Level.FINE,
        f"at most {count:,}",
        "sudo sysctl net.core.somaxconn=4096",
    )


def ceiling(reached_rps: Mapping[str, float]) -> Finding:
    """What one load process can do: a stack that comes near is not what is measured."""
    least = min(reached_rps.values(), default=0.0)
    told = ", ".join(f"{rps:,.0f} at {n}" for n, rps in reached_rps.items())
    return _finding(
        "load process",
        _level(-least, -CEILING_WANTED_RPS + 1, -CEILING_NEEDED_RPS + 1),
        f"requests/s against a server that does nothing: {told} connections",
        "mend what is said above first; for stacks of more than half of that: --generators 2",
    )
