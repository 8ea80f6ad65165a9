"""Which role gets which cores: servers their own, everything that is not measured the others.

Sibling hyperthreads share execution units, so a core that is handed to the servers is a
physical one and its siblings stay empty where there are cores enough.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.models import Placement

_TOPOLOGY = Path("/sys/devices/system/cpu")


def place(
    siblings: Mapping[int, frozenset[int]], *, generators: int = 1, can_pin: bool = True
) -> Placement:
    """Share out the usable cores.

    Args:
        siblings: usable logical core -> the usable logical cores on the same physical core
            (itself included).
        generators: load processes; each gets a core while one is left for the services.
        can_pin: False where the system offers no way to pin (macOS).
    """
    if not can_pin:
        return Placement((), (), (), "this system can't pin processes to cores: expect more noise")
    physical = sorted({min(group) for group in siblings.values()})
    if len(physical) >= 3:
        servers, *others = physical
        loads = min(generators, len(others) - 1)
        return Placement((servers,), tuple(others[:loads]), tuple(others[loads : loads + 2]))
    if len(physical) == 2:
        return Placement((physical[0],), (physical[1],), (physical[1],))
    logical = sorted(siblings)
    if len(logical) >= 2:
        note = "one physical core: servers and load share its execution units"
        return Placement((logical[0],), (logical[1],), (logical[1],), note)
    note = "one core only: servers, services and load take time from each other"
    return Placement((logical[0],), (logical[0],), (logical[0],), note)


def usable_cores() -> tuple[int, ...]:
    """The logical cores that this process may run on; empty where the system does not say."""
    if sys.platform == "linux":
        return tuple(sorted(os.sched_getaffinity(0)))
    return ()


def read_siblings(cores: Iterable[int]) -> dict[int, frozenset[int]]:
    """Core -> usable cores on the same physical core, as Linux tells it."""
    usable = frozenset(cores)
    siblings = {}
    for core in usable:
        path = _TOPOLOGY / f"cpu{core}" / "topology" / "thread_siblings_list"
        try:
            shared = parse_core_list(path.read_text())
        except OSError:  # not every virtual machine shows its topology
            shared = frozenset({core})
        siblings[core] = (shared & usable) | {core}
    return siblings


def parse_core_list(text: str) -> frozenset[int]:
    """`0-2,5` -> {0, 1, 2, 5}, the kernel's notation for sets of cores."""
    cores: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first:
            cores.update(range(int(first), int(last or first) + 1))
    return frozenset(cores)


def place_here(generators: int = 1) -> Placement:
    """The placement for this machine."""
    cores = usable_cores()
    if not cores:
        return place({}, can_pin=False)
    return place(read_siblings(cores), generators=generators)
