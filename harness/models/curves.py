"""Curves: one scenario under several values of one axis, such as the number of users."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.models.derived import Estimate
from harness.models.measured import Failure


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One cell as a point of a curve."""

    value: float  # on the axis: 30 for 30 users
    stack: str  # the cell's stack and load
    load: str
    rounds: int
    requests: int
    errors: int
    throughput_rps: Estimate
    latency_p50_ms: Estimate
    latency_p99_ms: Estimate  # NaN with too few samples
    cpu_us_per_request: Estimate
    valid: bool
    overloaded: bool
    failures: Mapping[Failure, int] = field(default_factory=dict)  # why requests failed

    @property
    def error_share(self) -> float:
        """Share of the requests that failed."""
        return self.errors / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True)
class Knee:
    """The load from which more load brings more waiting than throughput."""

    value: float  # the measured load at which throughput ÷ latency is largest
    #: Smallest and largest load that can't be told from the best one; NaN with fewer than two rounds.
    low: float
    high: float
    smallest: float  # the loads between which it was looked for
    largest: float

    @property
    def reached(self) -> bool:
        """Whether more load than at the knee was measured."""
        return self.value < self.largest


@dataclass(frozen=True, slots=True)
class Scaling:
    """The Universal Scalability Law, fitted to a curve: X(N) = λN ÷ (1 + σ(N−1) + κN(N−1))."""

    rps_of_one: Estimate  # λ
    contention: Estimate  # σ: the share of the work that is done in turn
    crosstalk: Estimate  # κ: what each user costs each other one
    worst_miss: (
        float  # by how much the law misses the measured throughput at most: −0.2 is 20 % too low
    )
    worst_at: float  # the load where it does
    fits: bool

    def rps(self, value: float) -> float:
        """The throughput that the law gives."""
        others = value - 1
        slower = 1 + self.contention.value * others + self.crosstalk.value * value * others
        return self.rps_of_one.value * value / slower


class Beyond(enum.StrEnum):
    """What becomes of the throughput at the largest load."""

    RISES = "rises"  # it is surely larger than at any smaller load
    HOLDS = "holds"  # it is at least nearly as large as at the best of the others
    FALLS = "falls"  # it is surely smaller
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class LargestLoad:
    """The throughput at the largest load beside the best of the smaller ones."""

    outcome: Beyond
    value: float  # the largest load with a valid cell
    best: float  # the smaller load with the largest throughput
    ratio: Estimate  # throughput at the largest ÷ at the best


@dataclass(frozen=True, slots=True)
class Curve:
    """A stack in a scenario along an axis."""

    scenario: str
    axis: str  # a key of analysis.axes.AXES
    held: (
        str  # what all points have in common and other curves of the scenario may not; often empty
    )
    line: str  # what the curve is called: the stack
    twin: str
    points: tuple[CurvePoint, ...]  # rising along the axis
    most: CurvePoint | None  # the valid point with the largest throughput
    knee: Knee | None
    scaling: Scaling | None  # None: no such law is asked of the axis, or too few points
    largest: LargestLoad | None
    #: Open load: the largest load up to which it kept up at every one; None if at none, or if the axis
    #: is no schedule.
    kept_up: float | None = None
