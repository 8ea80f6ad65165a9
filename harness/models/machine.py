"""The machine that a run takes place on, and what of it disturbs a measurement."""

from __future__ import annotations

import enum
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BusyProcess:
    """Somebody else's work."""

    pid: int
    name: str
    core_share: float  # of one core: 0.5 is half of it


@dataclass(frozen=True, slots=True)
class Machine:
    """What of a machine could spoil a measurement; None where the system does not say."""

    cores: int  # logical ones that we may use
    physical_cores: int | None
    can_pin: bool
    load_average: float | None  # over the last minute
    others_core_share: float | None  # cores' worth of CPU that others used while we looked
    busiest: tuple[BusyProcess, ...]  # of those that can be seen from here, largest first
    steal_share: float | None  # of our cores' time, taken by the host for other guests
    governors: tuple[str, ...]  # frequency scaling, of our cores; empty where there is none
    boost: bool | None
    quota_cores: float | None  # CPU time that our control groups allow; infinite without a limit
    memory_available_bytes: int
    swap_used_bytes: int
    swapped_bytes_per_s: float
    open_files: int  # the hard limit, to which every child's soft one is raised
    on_battery: bool | None
    hypervisor: str | None  # its name; empty on bare metal
    clock_source: str | None
    clock_read_ns: float
    local_ports: int | None
    listen_backlog: int | None  # connections that may wait to be accepted


class Level(enum.StrEnum):
    """How much a finding matters."""

    FINE = "fine"
    NOTE = "note"
    DISTURBS = "disturbs"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing of the machine, and what to do about it."""

    what: str
    level: Level
    figure: str
    mend: str = ""  # a command or an act; empty where there is nothing to do
