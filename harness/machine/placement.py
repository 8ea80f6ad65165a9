"""Assigns cores to roles: servers get cores of their own, everything that is not measured the others.

Sibling hyperthreads share execution units. So servers get a whole physical core, and its siblings
stay empty where there are enough cores.
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
    """Assign the usable cores.

    Args:
        siblings: usable logical core -> all usable logical cores on the same physical core,
            including itself.
        generators: number of load processes. Each gets its own core as long as one core is left
            for the services.
        can_pin: whether the system can pin processes to cores (macOS can't).
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
        note = "there is one physical core: servers and load share its execution units"
        return Placement((logical[0],), (logical[1],), (logical[1],), note)
    note = "there is one core: servers, services and load take time from each other"
    return Placement((logical[0],), (logical[0],), (logical[0],), note)


def usable_cores() -> tuple[int, ...]:
    """Logical cores that this process may run on; empty where the system can't tell."""
    if sys.platform == "linux":
        return tuple(sorted(os.sched_getaffinity(0)))
    return ()


def read_siblings(cores: Iterable[int]) -> dict[int, frozenset[int]]:
    """Core -> usable cores on the same physical core, as Linux reports them."""
    usable = frozenset(cores)
    siblings = {}
    for core in usable:
        path = _TOPOLOGY / f"cpu{core}" / "topology" / "thread_siblings_list"
        try:
            shared = parse_core_list(path.read_text())
        except OSError:  # some virtual machines hide their topology
            shared = frozenset({core})
        siblings[core] = (shared & usable) | {core}
    return siblings


def parse_core_list(text: str) -> frozenset[int]:
    """Parse the kernel's notation for sets of cores: `0-2,5` -> {0, 1, 2, 5}."""
    cores: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first:
            cores.update(range(int(first), int(last or first) + 1))
    return frozenset(cores)


def place_here(generators: int = 1) -> Placement:
    """Assign the cores of this machine."""
    cores = usable_cores()
    if not cores:
        return place({}, can_pin=False)
    return place(read_siblings(cores), generators=generators)
