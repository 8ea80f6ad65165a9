"""What curves are drawn against: each axis is an entry of a table.

Cells that differ in nothing but their value on an axis are points of one curve. To add an axis, add
an entry that reads its value from a block or a stack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.models import Arrivals, BlockPlan, Measures, RunRecord, Stack

#: A curve has at least so many points.
LEAST_POINTS = 3


def _same(_run: RunRecord, _block: BlockPlan, _stack: Stack) -> str:
    return ""


def _label(_run: RunRecord, _block: BlockPlan, stack: Stack) -> str:
    return stack.label


@dataclass(frozen=True, slots=True)
class Axis:
    """What changes along a curve."""

    key: str  # as in curves.csv
    name: str  # below the axis of a chart
    one: str  # the unit after a value, of one and of several: "1 user"
    several: str
    #: A cell's value on the axis; None if it has none.
    value: Callable[[RunRecord, BlockPlan, Stack], float | None]
    #: What a curve is called. Stacks that differ in their value alone share a name.
    line: Callable[[RunRecord, BlockPlan, Stack], str] = _label
    #: What must be the same for two cells to be of one curve, beside scenario and line.
    held: Callable[[RunRecord, BlockPlan, Stack], str] = _same
    has_knee: bool = True  # whether more of it is more load
    fits_law: bool = False  # whether the Universal Scalability Law can be asked of it
    is_schedule: bool = False  # whether it fixes the throughput of a stack that keeps up
    is_log: bool = True  # how charts draw it; values of 0 need a linear axis

    def words(self, value: float) -> str:
        """As in `30 users`, with a blank that doesn't wrap."""
        return f"{value:,.10g}\u00a0{self.one if value == 1 else self.several}"


def _users(_run: RunRecord, block: BlockPlan, _stack: Stack) -> float | None:
    is_loaded = block.scenario.measures is Measures.REQUESTS and not block.load.is_open
    return block.load.users if is_loaded else None


def _rate(_run: RunRecord, block: BlockPlan, _stack: Stack) -> float | None:
    return block.load.rate_rps


def _arrivals(_run: RunRecord, block: BlockPlan, _stack: Stack) -> str:
    arrivals = "Poisson" if block.load.arrivals is Arrivals.POISSON else "evenly spaced"
    return f"{arrivals} arrivals, at most {block.load.users:,} connections"


AXES: Mapping[str, Axis] = {
    axis.key: axis
    for axis in (
        Axis("users", "users", "user", "users", _users, fits_law=True),
        Axis(
            "rate",
            "requests per second that are due",
            "request/s",
            "requests/s",
            _rate,
            held=_arrivals,
            is_schedule=True,
        ),
    )
}
