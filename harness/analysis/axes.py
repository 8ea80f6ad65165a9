"""What curves are drawn against: each axis is an entry of a table.

Cells that differ in nothing but their value on an axis are points of one curve. To add an axis, add
an entry that reads its value from a block or a stack.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.models import Arrivals, BlockPlan, Load, Measures, RunRecord, Stack

_ARRIVALS = {Arrivals.POISSON: "Poisson arrivals", Arrivals.CONSTANT: "evenly spaced arrivals"}
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


def _upstream(_run: RunRecord, block: BlockPlan, _stack: Stack) -> str:
    io_ms = block.load.io_ms
    return "" if io_ms is None else f"upstream {io_ms:g} ms"


def _rate(_run: RunRecord, block: BlockPlan, _stack: Stack) -> float | None:
    return block.load.rate_rps


def _arrivals(run: RunRecord, block: BlockPlan, stack: Stack) -> str:
    arrivals = f"{_ARRIVALS[block.load.arrivals]}, at most {block.load.users:,} connections"
    return ", ".join(filter(None, (arrivals, _upstream(run, block, stack))))


def _io_ms(_run: RunRecord, block: BlockPlan, _stack: Stack) -> float | None:
    return block.load.io_ms


def _load_without_io(_run: RunRecord, block: BlockPlan, _stack: Stack) -> str:
    return _words(dataclasses.replace(block.load, io_ms=None))


def _workers(_run: RunRecord, _block: BlockPlan, stack: Stack) -> float | None:
    return stack.with_its_number[1] if stack.with_its_number else None


def _label_without_workers(_run: RunRecord, _block: BlockPlan, stack: Stack) -> str:
    return stack.with_its_number[0] if stack.with_its_number else stack.label


def _load(_run: RunRecord, block: BlockPlan, _stack: Stack) -> str:
    return _words(block.load)


def _words(load: Load) -> str:
    """As in `50 users, upstream 200 ms`."""
    first = f"{load.users:,} user{'s' if load.users != 1 else ''}"
    if load.rate_rps is not None:
        first = f"{load.rate_rps:g} requests/s, {_ARRIVALS[load.arrivals]}"
    return first if load.io_ms is None else f"{first}, upstream {load.io_ms:g} ms"


AXES: Mapping[str, Axis] = {
    axis.key: axis
    for axis in (
        Axis("users", "users", "user", "users", _users, held=_upstream, fits_law=True),
        Axis(
            "rate",
            "requests per second that are due",
            "request/s",
            "requests/s",
            _rate,
            held=_arrivals,
            is_schedule=True,
        ),
        Axis(
            "workers",
            "worker processes",
            "worker",
            "workers",
            _workers,
            line=_label_without_workers,
            held=_load,
            has_knee=False,
            is_log=False,
        ),
        Axis(
            "io-ms",
            "the upstream's latency in ms",
            "ms",
            "ms",
            _io_ms,
            held=_load_without_io,
            has_knee=False,
            is_log=False,
        ),
    )
}
