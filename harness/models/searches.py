"""A promise, how the highest rate that keeps it is searched for, and the windows of a search."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass

#: Percentiles that a promise may bound.
PROMISED: Mapping[str, float] = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}


@dataclass(frozen=True, slots=True)
class LatencyBound:
    """A percentile of the latency that has to stay below a limit."""

    percentile: str  # a key of PROMISED
    below_ms: float

    @property
    def text(self) -> str:
        """As a user writes it: `p99<100ms`."""
        return f"{self.percentile}<{self.below_ms:g}ms"


@dataclass(frozen=True, slots=True)
class Slo:
    """A promise (service level objective). It is kept if every bound is."""

    latency: tuple[LatencyBound, ...] = ()
    errors_below: float | None = None  # share of the requests; None: nothing is promised

    @property
    def text(self) -> str:
        """As a user writes it: `p99<100ms,errors<0.1%`."""
        parts = [bound.text for bound in self.latency]
        if self.errors_below is not None:
            parts.append(f"errors<{100 * self.errors_below:g}%")
        return ",".join(parts)

    @property
    def label(self) -> str:
        """The same as a part of file names: `p99-100ms-errors-0.1pc`."""
        return re.sub(r"[<,]", "-", self.text).replace("%", "pc")


@dataclass(frozen=True, slots=True)
class Search:
    """How a stack's capacity is searched for in a round."""

    window_s: float  # least counted time of a window
    longest_s: float  # most counted time, for as many requests as the promise needs
    settle_share: float  # uncounted beginning of a window ÷ its counted time
    probe_s: float  # window of a rate that only finds out where to search
    trials: int  # windows at the smallest step, of which the figure is made
    least_step: float  # of the logarithm of the rate: 0.04 is about 4 %
    budget_s: float  # all windows of one stack's search in one round
    shares: tuple[float, ...] = (0.25, 0.5, 0.75, 0.9)  # of the capacity, at which latency is shown

    def whole_s(self, counted_s: float) -> float:
        """Length of a window that counts for so long."""
        return counted_s * (1 + self.settle_share)


class LimitedBy(enum.StrEnum):
    """What broke the promise."""

    LATENCY = "latency"
    ERRORS = "errors"
    OVERLOAD = "overload"  # waiting grew all the time, or requests were lost
    GENERATOR = "generator"  # the promise would have been kept, had requests been sent on time


class Purpose(enum.StrEnum):
    """What a window was for."""

    PROBE = "probe"  # to find out where to search; short
    SEARCH = "search"
    SHARE = "share"  # latency at a share of the capacity


@dataclass(frozen=True, slots=True)
class Window:
    """One window of a stack, and whether the promise was kept in it. As the journal keeps it."""

    purpose: Purpose
    rate_rps: float  # of the schedule
    kept: bool
    limited_by: LimitedBy | None  # None if it was kept
    requests: int  # that were due while it counted
    failed: int  # of these
    #: Percentile -> latency from when requests were due; without those that too few samples support.
    latency_ms: Mapping[str, float]
    growth: float | None  # seconds by which answers came later for each second; None: unknown
    took_s: float  # from the first request to the last reply
    share: float | None = None  # of the capacity found, of windows with this purpose
    cpu_s: float | None = None  # of the stack's processes; None if they can't be metered
    sent: int = 0  # requests of the whole window, for which this CPU time was used


@dataclass(frozen=True, slots=True)
class Found:
    """What one search of one stack in one round came to."""

    rate_rps: float | None  # None: no number can be given; the reason says why
    limited_by: LimitedBy | None
    reason: str = ""
