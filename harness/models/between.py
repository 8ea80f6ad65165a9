"""Runs beside each other: what there is, and what changed from one to another."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from harness.models.derived import Estimate
from harness.models.plan import BlockKey


class Change(enum.StrEnum):
    """How a figure of a later run stands to that of the first run."""

    UP = "up"
    DOWN = "down"
    SAME = "same"  # any difference is too small to matter
    INCONCLUSIVE = "inconclusive"  # the intervals don't tell
    NOT_COMPARABLE = "not comparable"  # for a reason that stands beside it


#: Changes beyond the noise of both runs.
CHANGED = (Change.UP, Change.DOWN)


@dataclass(frozen=True, slots=True)
class RunAtAGlance:
    """What a list of runs says of one; only its name is known of a run that can't be read."""

    name: str  # of its folder, below the folder of all runs
    kind: str = ""  # the command that measured it: "run", "sweep", "capacity", "connections"
    profile: str = ""
    started: str = ""  # ISO 8601
    ended: str | None = None  # None: cut off
    scenarios: tuple[str, ...] = ()  # or how connections were held
    rounds: int = 0  # of the cell that has most
    cells: int = 0  # in its tables, capacities included
    valid_cells: int = 0
    headline: str = ""  # of the first comparison
    problem: str = ""  # why there is no more to say


@dataclass(frozen=True, slots=True)
class RunName:
    """A run among those that are compared."""

    label: str  # "A", "B", …: in the order in which they were given
    name: str  # of its folder
    run_id: str
    started: str  # ISO 8601
    ended: str | None
    machine: str  # environment.fingerprint; empty if the run does not say


@dataclass(frozen=True, slots=True)
class Difference:
    """A fact that is not the same in all runs, and may be the cause of what changed."""

    what: str  # "Python", "flask"
    values: tuple[str, ...]  # of each run, in their order; empty where it is not known or absent
    is_package: bool = False
    is_minor: bool = False  # a package that no stack's process imports by itself


@dataclass(frozen=True, slots=True)
class Moved:
    """One figure in a later run beside the same figure in the first run.

    The figure is the ratio of two stacks inside each run, or a stack's own figure.
    """

    block: BlockKey
    metric: str  # throughput_rps, latency_p50_ms, latency_p99_ms, cpu_us_per_request, capacity_rps
    stack: str  # the candidate of a ratio
    baseline: str  # of a ratio; empty of a stack's own figure
    before: str  # label of the first run
    after: str  # label of the later run
    earlier: Estimate | None  # None where that run has no such figure, as the next
    later: Estimate | None
    rounds: int  # of the run that has fewer for it; 0 if it can't be compared
    quotient: Estimate  # later ÷ earlier; NaN if it can't be compared
    change: Change
    reason: str = ""  # why it can't be compared
    is_secondary: bool = False  # another metric decides its block, or it is a step of a ladder
    #: That the figures of the later run and of the first one are based on; 0 as in `rounds`.
    rounds_of_each: tuple[int, int] = (0, 0)

    @property
    def changed(self) -> bool:
        """Whether it moved beyond the noise of both runs."""
        return self.change in CHANGED

    @property
    def subject(self) -> str:
        """As in `fastapi-uvicorn ÷ flask-gthread`, or the stack alone."""
        return f"{self.stack} ÷ {self.baseline}" if self.baseline else self.stack


@dataclass(frozen=True, slots=True)
class RunsCompared:
    """Several runs side by side: each later one beside the first."""

    runs: tuple[RunName, ...]
    same_within: float  # what is too small a difference to matter: 0.03 is ±3 %
    differences: tuple[Difference, ...]
    ratios: tuple[Moved, ...]  # of two stacks inside each run
    figures: tuple[Moved, ...]  # a stack's own, which drift with the machine
    twins: Mapping[str, str]  # stack -> twin, which decides its colour
    #: Label of a later run -> by how much the throughput of its cells moved: the median cell, and
    #: the lowest and highest one. Missing where cells have nothing in common.
    together: Mapping[str, Estimate] = field(default_factory=dict)

    @property
    def headlines(self) -> Iterator[Moved]:
        """What decides whether anything changed."""
        return (moved for moved in self.ratios if not moved.is_secondary)

    @property
    def changed(self) -> bool:
        """Whether a headline moved beyond the noise."""
        return any(moved.changed for moved in self.headlines)

    @property
    def comparable(self) -> bool:
        """Whether there are headlines, and each of them can be compared."""
        changes = [moved.change for moved in self.headlines]
        return bool(changes) and Change.NOT_COMPARABLE not in changes

    @property
    def repeated(self) -> tuple[RunName, ...]:
        """Later runs that are the first run again."""
        return tuple(run for run in self.runs[1:] if run.run_id == self.runs[0].run_id)

    @property
    def in_time(self) -> tuple[RunName, ...]:
        """The runs as they took place, oldest first."""
        return tuple(sorted(self.runs, key=lambda run: run.started))

    def machines_differ(self, run: RunName) -> bool:
        """Whether a run took place on another machine than the first, or one does not say where."""
        first = self.runs[0]
        if run.run_id == first.run_id:
            return False
        return not (run.machine and run.machine == first.machine)
