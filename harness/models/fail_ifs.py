"""Promises between services: under which condition a run fails, and what was found of it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.models.derived import Estimate


class FailSubject(enum.StrEnum):
    """What a promise between services is about."""

    THROUGHPUT = "throughput"
    P50 = "p50"
    P99 = "p99"
    CPU = "cpu"
    ERRORS = "errors"
    PARITY = "parity"


#: Subject -> the metric of comparisons whose ratio, candidate ÷ baseline, is bounded.
RATIO_METRICS: Mapping[FailSubject, str] = {
    FailSubject.THROUGHPUT: "throughput_rps",
    FailSubject.P50: "latency_p50_ms",
    FailSubject.P99: "latency_p99_ms",
    FailSubject.CPU: "cpu_us_per_request",
}


@dataclass(frozen=True, slots=True)
class FailIf:
    """A condition under which a run fails; the promise is that it does not hold."""

    subject: FailSubject
    bound: float = 0.0  # of a ratio; of errors a share or a count; none of parity
    is_share: bool = False  # of errors: whether the bound is a share of the requests

    @property
    def metric(self) -> str:
        """The metric whose ratio is bounded; empty of errors and parity."""
        return RATIO_METRICS.get(self.subject, "")

    @property
    def is_ratio(self) -> bool:
        """Whether it compares a candidate with something."""
        return self.subject in RATIO_METRICS

    @property
    def fails_below(self) -> bool:
        """Whether figures below the bound break it, and not those above."""
        return self.subject is FailSubject.THROUGHPUT

    @property
    def text(self) -> str:
        """As a user writes it: `throughput<0.95`, `errors>0.1%`, `parity`."""
        if self.subject is FailSubject.PARITY:
            return str(self.subject)
        sign = "<" if self.fails_below else ">"
        bound = f"{100 * self.bound:g}%" if self.is_share else f"{self.bound:g}"
        return f"{self.subject}{sign}{bound}"


class FailOutcome(enum.StrEnum):
    """What became of a promise."""

    KEPT = "kept"
    BROKEN = "broken"
    INCONCLUSIVE = "inconclusive"


class Inconclusive(enum.StrEnum):
    """What a run with an inconclusive promise comes to."""

    PASS = "pass"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class FailIfJudged:
    """A condition for one candidate in one scenario under one load."""

    condition: FailIf
    scenario: str
    load: str
    candidate: str
    baseline: str  # of the same run; empty where there is none
    outcome: FailOutcome
    #: Of a ratio, or the share of requests that failed; None where there is no figure.
    figure: Estimate | None = None
    rounds: int = 0  # that the figure is based on
    against: str = ""  # the saved run that it was compared with
    reason: str = ""  # why it is inconclusive, or what broke it
    is_open: bool = False  # whether further rounds may decide it

    @property
    def subject(self) -> str:
        """As in `fastapi-uvicorn ÷ flask-gthread`, or the candidate alone."""
        if self.baseline and self.condition.subject is not FailSubject.ERRORS:
            return f"{self.candidate} ÷ {self.baseline}"
        return self.candidate
