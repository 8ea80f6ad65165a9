"""Maps: two stacks under many loads that differ in the upstream's latency, users and CPU work."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from harness.models.derived import Estimate


class Winner(enum.StrEnum):
    """Which of two stacks serves more in a tile, as far as its interval tells."""

    CANDIDATE = "candidate"
    BASELINE = "baseline"
    SAME = "same"  # the difference is surely too small to matter
    UNSURE = "unsure"  # it lies inside the noise
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Tile:
    """One load of a map."""

    io_ms: float  # the upstream's latency
    users: int
    work: int  # units of CPU work per request
    load: str  # as in the `load` column
    rounds: int
    ratio: Estimate  # requests per second, candidate ÷ baseline
    cpu_ratio: Estimate  # CPU time per request, candidate ÷ baseline
    winner: Winner
    #: Stacks that had nothing to do for part of the time, because all of their users were waiting.
    limited_by_users: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where the winner changes along one axis of a map."""

    axis: str  # "io_ms" or "users"
    at: float  # the value on the other of the two
    work: int
    low: float  # the nearest values along the axis that have different winners
    high: float
    value: float  # between them, where the ratio's logarithm would be 0
    adjacent: bool  # whether these values are neighbours; else the tiles between them are unsure
    above: Winner  # who serves more at `high`


@dataclass(frozen=True, slots=True)
class WinnerMap:
    """Two stacks in all tiles that differ in nothing else."""

    scenario: str
    baseline: str
    candidate: str
    held: str  # what is the same in all tiles, such as "3 queries"; often empty
    tiles: tuple[Tile, ...]  # by work, then users, then the upstream's latency, all rising
    crossings: tuple[Crossing, ...]

    def values(self, axis: str) -> tuple[float, ...]:
        """The measured values of an axis ("io_ms", "users" or "work"), rising."""
        return tuple(sorted({getattr(tile, axis) for tile in self.tiles}))
