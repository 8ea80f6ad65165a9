"""What curves are drawn against: each axis is an entry of a table.

Cells that differ in nothing but their value on an axis are points of one curve. To add an axis, add
an entry that reads its value from a block or a stack.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

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


def _asked(_run: RunRecord, block: BlockPlan, _stack: Stack) -> str:
    return asked_words(block.load)


def _rate(_run: RunRecord, block: BlockPlan, _stack: Stack) -> float | None:
    return block.load.rate_rps


def _arrivals(run: RunRecord, block: BlockPlan, stack: Stack) -> str:
    arrivals = f"{_ARRIVALS[block.load.arrivals]}, at most {block.load.users:,} connections"
    return ", ".join(filter(None, (arrivals, _asked(run, block, stack))))


def _of_load(field: str) -> Callable[[RunRecord, BlockPlan, Stack], float | None]:
    """Reads a field of the load."""

    def value(_run: RunRecord, block: BlockPlan, _stack: Stack) -> float | None:
        number: float | None = getattr(block.load, field)
        return number

    return value


def _load_without(field: str) -> Callable[[RunRecord, BlockPlan, Stack], str]:
    """The load in words, but for this field."""

    def held(_run: RunRecord, block: BlockPlan, _stack: Stack) -> str:
        without: dict[str, Any] = {field: None}
        return _words(dataclasses.replace(block.load, **without))

    return held


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
    return ", ".join(filter(None, (first, asked_words(load))))


def asked_words(load: Load, blank: str = " ") -> str:
    """What a load asks of each request: `upstream 200 ms, 3 queries, 10 units of work`.

    Args:
        load: the load.
        blank: what stands between a number and its unit.
    """
    words = []
    if load.io_ms is not None:
        words.append(f"upstream {load.io_ms:g}{blank}ms")
    if load.queries is not None:
        words.append(f"{load.queries}{blank}quer{'y' if load.queries == 1 else 'ies'}")
    if load.work is not None:
        words.append(f"{load.work}{blank}unit{'' if load.work == 1 else 's'} of work")
    return ", ".join(words)


AXES: Mapping[str, Axis] = {
    axis.key: axis
    for axis in (
        Axis("users", "users", "user", "users", _users, held=_asked, fits_law=True),
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
            _of_load("io_ms"),
            held=_load_without("io_ms"),
            has_knee=False,
            is_log=False,
        ),
        Axis(
            "queries",
            "lookups in the database per request",
            "query",
            "queries",
            _of_load("queries"),
            held=_load_without("queries"),
            has_knee=False,
            is_log=False,
        ),
        Axis(
            "work",
            "units of CPU work per request",
            "unit",
            "units",
            _of_load("work"),
            held=_load_without("work"),
            has_knee=False,
            is_log=False,
        ),
    )
}
