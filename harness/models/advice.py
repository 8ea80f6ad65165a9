"""A question about one's own traffic, and what measured loads say to it."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.models.costs import Demand, Prices
from harness.models.derived import Estimate
from harness.models.searches import Slo


@dataclass(frozen=True, slots=True)
class Question:
    """A traffic, what each of its requests does, and what is promised to its users."""

    demand: Demand
    io_ms: float  # a request waits so long for another service
    cpu_ms: float  # it computes so long in Python, beside what the stack itself needs
    queries: int  # rows that it looks up by primary key
    slo: Slo
    connections: int | None = None  # that are open but idle meanwhile; None: not asked
    baseline: str | None = None  # the stack that changes start from; None: the run's first
    prices: Prices = field(default_factory=lambda: Prices(0.0, 0.0))


@dataclass(frozen=True, slots=True)
class Point:
    """A stack under one load, as it was measured."""

    stack: str
    users: int
    io_ms: float
    queries: int
    work: int  # units of CPU work per request
    throughput_rps: Estimate
    latency_ms: Mapping[str, Estimate]  # keys p50, p90, p99, p999; NaN with too few samples
    error_share: float
    cpu_us: float  # CPU time per request; NaN if it can't be metered
    pss_mib: float
    reason: str = ""  # the gates that it failed; empty if it is valid


@dataclass(frozen=True, slots=True)
class AtUsers:
    """A stack with a number of users as the question's requests would load it.

    Limits are logarithms, so that those of independent causes can be added.
    """

    users: int
    throughput_rps: float
    throughput_noise: float  # half of the interval's width
    latency_ms: Mapping[
        str, float
    ]  # a key for each percentile that is promised; inf: errors broke it
    latency_above: Mapping[
        str, float
    ]  # from the figure to the end of its interval where it is slower
    latency_below: Mapping[str, float]  # and to the other end, which may be much nearer or farther
    pss_mib: float


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Measured cells of one axis, predicted from their neighbours as if they had not been measured.

    `…_over` is by how much predictions were too high, and `…_under` too low, both as logarithms not
    below 0: limits that 95 % of the cells keep to, or all of them where there are few.
    """

    axis: str  # "users", "io_ms", "queries" or "work"
    cells: int
    throughput_median: float  # relative error, without its sign
    throughput_worst: float
    throughput_over: float
    throughput_under: float
    latency_median: float  # NaN where no latency is promised
    latency_worst: float
    latency_over: float
    latency_under: float


class Outcome(enum.StrEnum):
    """Whether a stack keeps the promise, as far as the data tell."""

    KEEPS = "keeps it"
    UNSURE = "unsure"  # it does at one end of the interval, and does not at the other
    FAILS = "can't keep it"  # however little it has to serve
    UNKNOWN = "unknown"  # the data don't reach


@dataclass(frozen=True, slots=True)
class Need:
    """Containers as large as what was measured; None where the interval has no end."""

    containers: int | None
    fewest: int
    most: int | None
    workers: int | None
    memory_mib: float  # NaN without a number of containers, as the next
    hour: float


@dataclass(frozen=True, slots=True)
class HeldNeed:
    """What the open but idle connections take, all containers together."""

    memory_mib: float  # NaN if it was not measured
    each: int | None  # connections of one container; None without a number of containers
    most_held: int  # that one server was seen to hold; 0: not measured
    reason: str = ""  # why the figure does not reach


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one stack can do with the question's requests."""

    stack: str
    twin: str
    outcome: Outcome
    #: Requests per second that a container as measured serves while it keeps the promise. The upper
    #: limit is infinite where more users would have been needed to find it.
    rate_rps: Estimate
    at_users: float  # the number of users at that rate
    is_least: bool  # whether it may serve more than that, with more users than were measured
    levels: tuple[AtUsers, ...]
    workers: int  # worker processes of a container
    cores: int  # that they can fill
    pss_mib: float
    need: Need
    held: HeldNeed | None = None
    reason: str = ""  # why it is unknown, or can't


@dataclass(frozen=True, slots=True)
class StackChange:
    """Going from one measured stack to another."""

    before: str
    after: str
    differs: tuple[str, ...]  # what tells them apart: "http client: httpx → aiohttp"
    ratio: Estimate  # of the rates; NaN where one of them is unknown
    containers: int | None  # after it
    enables: bool  # whether the promise is kept only after it

    @property
    def is_single(self) -> bool:
        """Whether one thing differs."""
        return len(self.differs) == 1

    @property
    def helps(self) -> bool:
        """Whether it raises the rate, as far as the figures go."""
        return self.enables or self.ratio.value > 1

    @property
    def is_sure(self) -> bool:
        """Whether it does so over the whole interval."""
        return self.ratio.low > 1  # nan is not more


@dataclass(frozen=True, slots=True)
class Advice:
    """The answer to a question, made from one run."""

    question: Question
    scenario: str
    run: str  # its folder
    other_machine: bool  # whether it was measured elsewhere
    axes: Mapping[str, tuple[float, ...]]  # axis -> its measured values, rising
    unit_us: (
        Estimate  # CPU time of a unit of work: median over stacks, and their range; NaN: unknown
    )
    work: float  # units that the question's CPU time is; NaN: unknown
    between: tuple[str, ...]  # axes on which the question lies between measured values
    predictions: tuple[Prediction, ...]
    left_out: tuple[LeftOut, ...]
    changes: tuple[StackChange, ...]  # from the baseline: the single ones, or all if there are none
    has_noise: bool = True  # whether cells have intervals of their own
    held_run: str = ""  # folder that memory for connections comes from

    @property
    def known(self) -> tuple[Prediction, ...]:
        """The stacks that have an answer."""
        return tuple(each for each in self.predictions if each.outcome is not Outcome.UNKNOWN)

    @property
    def serving(self) -> tuple[Prediction, ...]:
        """Stacks that keep the promise, surely or perhaps; fewest containers first, then cheapest."""
        able = [each for each in self.predictions if each.need.containers is not None]
        return tuple(sorted(able, key=_effort))

    @property
    def unchecked(self) -> tuple[str, ...]:
        """Axes between whose values was interpolated, and on which no cell could be left out."""
        checked = {each.axis for each in self.left_out}
        return tuple(axis for axis in ("users", *self.between) if axis not in checked)


def _effort(made: Prediction) -> tuple[int, float, float]:
    hour = made.need.hour if math.isfinite(made.need.hour) else math.inf
    return made.need.containers or 0, hour, -made.rate_rps.value
