"""The highest rate at which a stack keeps a promise: judges windows, searches, and sums up rounds.

A search is an up-and-down staircase on the logarithm of the rate: up where a window kept the promise,
down where it did not. Each change of direction halves the step until it is the smallest; it is then
that the rates settle around the one at which two of three windows keep the promise. Their mean
is the round's figure. No single window decides: one that goes wrong by chance costs two steps.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from harness.analysis import stats
from harness.analysis.percentiles import SAMPLES_BEYOND
from harness.models import (
    PROMISED,
    Estimate,
    Failure,
    Found,
    LimitedBy,
    Purpose,
    Samples,
    Search,
    Slice,
    Slo,
    Window,
)

Floats = npt.NDArray[np.float64]

#: Where the first round has no idea yet: rates are doubled and halved.
_FIRST_STEP = math.log(2)
#: Where earlier rounds have found a rate.
_LATER_STEP = 0.16
#: How far a later round begins from what earlier ones found, at most.
_OFFSET = 0.12
#: Changes of direction at the smallest step without which the rates have not settled.
_TURNS = 2
#: A round makes no figure of fewer windows at the smallest step.
_LEAST_TRIALS = 3
#: A search that goes on so many times as long as planned has no end.
_PATIENCE = 3
#: Requests that are lost count as overload from this share on.
_MAX_LOST = 0.02
#: Growth of the delay, in seconds for each second, that is overload …
_MIN_GROWTH = 0.01
#: … if it is also more than this share of the standard error that a queue's random walk has at
#: capacity. Chance decides some windows then; the staircase takes the mean of many. A larger share
#: would let it settle above capacity where a promise leaves much time.
_GROWTH_ERRORS = 0.35
#: At the smallest step, a broken promise leads down so many times as far as a kept one leads up:
#: so the rates settle where windows keep the promise in 2 of 3 cases. The median window would flatter
#: a stack: near capacity, few windows hold most of the late requests (docs/METHOD.md).
_DOWN = 2.0
#: With no failure among n requests, the share of failures is below 3 ÷ n in 95 % of all cases.
_RULE_OF_THREE = 3.0
#: By simulation, what rounds find is within so much of the long run (docs/METHOD.md).
_BIAS = 0.025
#: No rate beyond this is tried.
MAX_RATE_RPS = 200_000.0


# ---------------------------------------------------------------------------- windows


@dataclass(frozen=True, slots=True)
class Requests:
    """The requests that were due while a window counted, one element each."""

    due_s: Floats
    latency_s: Floats  # from when it was due
    lag_s: Floats  # how much of it the generator was late; 0 of those that found no connection
    failed: npt.NDArray[np.bool_]
    lost: npt.NDArray[np.bool_]  # never sent, or not answered in time


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a window's requests say of the promise."""

    limited_by: LimitedBy | None
    latency_ms: dict[str, float]
    growth: float


def requests_of(samples: Samples, piece: Slice) -> Requests:
    """The requests that were due while a slice counted.

    Args:
        samples: those of the slice, or of more than it.
        piece: the slice.
    """
    due_ns = samples.intended_ns
    counted = (due_ns >= piece.from_ns) & (due_ns < piece.to_ns)
    failure = samples.failure[counted]
    lag_ns = np.where(
        samples.starved | (samples.failure == Failure.NEVER_SENT), 0, samples.start_ns - due_ns
    )
    return Requests(
        due_s=(due_ns[counted] - piece.from_ns) / 1e9,
        latency_s=samples.latency_ns[counted] / 1e9,
        lag_s=lag_ns[counted] / 1e9,
        failed=failure != Failure.NONE,
        lost=np.isin(failure, (Failure.NEVER_SENT, Failure.TIMEOUT)),
    )


def judge(slo: Slo, requests: Requests) -> Judgement:
    """Judge a window.

    Latency counts from when requests were due. A promise that would have been kept without the
    lag of the generator was broken by the generator, not by the stack.
    """
    broken = _broken_by(slo, requests, requests.latency_s)
    if broken and not _broken_by(slo, requests, requests.latency_s - requests.lag_s):
        broken = LimitedBy.GENERATOR
    answered = ~requests.lost
    return Judgement(broken, _percentiles_ms(requests), growth(requests, answered))


def _broken_by(slo: Slo, requests: Requests, latency_s: Floats) -> LimitedBy | None:
    count = len(latency_s)
    if not count:
        return LimitedBy.GENERATOR
    moved = Requests(requests.due_s, latency_s, requests.lag_s, requests.failed, requests.lost)
    if requests.lost.mean() > _MAX_LOST or _grows(moved):
        return LimitedBy.OVERLOAD
    for bound in slo.latency:
        # A request that failed was not answered at all, however soon it failed.
        late = int(((latency_s * 1e3 >= bound.below_ms) | requests.failed).sum())
        if late > (1 - PROMISED[bound.percentile]) * count + 1e-9:
            only_errors = int((latency_s * 1e3 >= bound.below_ms).sum())
            within = only_errors <= (1 - PROMISED[bound.percentile]) * count
            return LimitedBy.ERRORS if within else LimitedBy.LATENCY
    if slo.errors_below is not None and requests.failed.mean() >= slo.errors_below:
        return LimitedBy.ERRORS
    return None


def growth(requests: Requests, which: npt.NDArray[np.bool_]) -> float:
    """Seconds by which answers came later for each second that requests were due later."""
    due_s, latency_s = requests.due_s[which], requests.latency_s[which]
    if len(due_s) < 3 or np.ptp(due_s) == 0:
        return math.nan
    centred = due_s - due_s.mean()
    return float(centred @ latency_s / (centred @ centred))


def _grows(requests: Requests) -> bool:
    """Whether waiting grew while the window counted.

    At capacity, the work that arrives is a random walk, whose slope has a standard error of
    √(1.2 ÷ n) by least squares over n requests.
    """
    error = math.sqrt(1.2 / max(1, len(requests.due_s)))
    return growth(requests, ~requests.lost) > max(_MIN_GROWTH, _GROWTH_ERRORS * error)


def _percentiles_ms(requests: Requests) -> dict[str, float]:
    """Those percentiles that ten samples lie beyond."""
    count = len(requests.latency_s)
    return {
        name: float(np.quantile(requests.latency_s, quantile)) * 1e3
        for name, quantile in PROMISED.items()
        if round(count * (1 - quantile), 6) >= SAMPLES_BEYOND
    }


def needed_requests(slo: Slo) -> int:
    """Requests that a window has to count, so that ten lie beyond each percentile of the promise."""
    least = [
        math.ceil(round(SAMPLES_BEYOND / (1 - PROMISED[bound.percentile]), 6))
        for bound in slo.latency
    ]
    return max(least, default=100)


def lowest_rps(slo: Slo, search: Search) -> float:
    """The lowest rate that windows of the longest kind can test."""
    # A Poisson process has its ups and downs.
    needed = needed_requests(slo)
    return (needed + 2 * math.sqrt(needed)) / search.longest_s


def counted_s(slo: Slo, search: Search, rate_rps: float) -> float:
    """How long a window of a search counts."""
    needed = needed_requests(slo)
    return min(search.longest_s, max(search.window_s, (needed + 2 * math.sqrt(needed)) / rate_rps))


# ----------------------------------------------------------------------------- search


@dataclass(frozen=True, slots=True)
class Step:
    """What to try next."""

    purpose: Purpose
    rate_rps: float


def window_s(slo: Slo, search: Search, step: Step) -> float:
    """How long a window counts."""
    match step.purpose:
        case Purpose.PROBE:
            return search.probe_s
        case Purpose.SEARCH:
            return counted_s(slo, search, step.rate_rps)
        case Purpose.SHARE:
            return search.window_s


@dataclass(slots=True)
class _Staircase:
    """Where a search stands after the windows so far."""

    log_rate: float
    step: float
    least_step: float
    lowest: float
    direction: int = 0
    any_broken: bool = False
    broken_at_lowest: int = 0
    capped: bool = False
    rates: list[float] | None = None  # logs, at the smallest step; the last is the next to try
    turns: int = 0  # of direction, at the smallest step
    broken: list[LimitedBy] = field(default_factory=list)  # by what, at the smallest step

    def take(self, window: Window) -> None:
        direction = 1 if window.kept else -1
        turned = self.direction not in (0, direction)
        if turned:
            self.step = max(self.least_step, self.step / 2)
        if self.rates is None and self.step <= self.least_step:
            self.rates = []
        elif self.rates is not None:
            self.turns += turned
        if self.rates is not None and window.limited_by is not None:
            self.broken.append(window.limited_by)
        self.direction = direction
        self.any_broken |= not window.kept
        at_lowest = window.rate_rps <= math.exp(self.lowest) * 1.0001
        if not window.kept and at_lowest and window.purpose is Purpose.SEARCH:
            self.broken_at_lowest += 1
        self.capped = window.kept and window.rate_rps >= MAX_RATE_RPS
        down = _DOWN if self.rates is not None and not window.kept else 1.0
        moved = math.log(window.rate_rps) + direction * down * self.step
        self.log_rate = min(math.log(MAX_RATE_RPS), max(self.lowest, moved))
        if self.rates is not None:
            self.rates.append(self.log_rate)


def _climb(slo: Slo, search: Search, tried: Sequence[Window]) -> _Staircase:
    """Where a search stands. Nothing but its windows decides: it goes on from them after any pause."""
    lowest = math.log(lowest_rps(slo, search))
    begun_low = tried[0].purpose is Purpose.PROBE
    stairs = _Staircase(
        log_rate=lowest,
        step=_FIRST_STEP if begun_low else max(_LATER_STEP, search.least_step),
        least_step=search.least_step,
        lowest=lowest,
    )
    for window in tried:
        stairs.take(window)
    return stairs


def next_step(
    slo: Slo, search: Search, tried: Sequence[Window], earlier: Sequence[float], seed: str
) -> Step | None:
    """Say what a stack's search tries next; None when it is over.

    Args:
        slo: the promise.
        search: how to search.
        tried: windows of this search so far, in order.
        earlier: rates that earlier rounds have found for the stack.
        seed: decides where the search begins, so that rounds don't follow the same path.
    """
    if not tried:
        return _beginning(slo, search, earlier, seed)
    stairs = _climb(slo, search, tried)
    if stairs.broken_at_lowest >= 2 or stairs.capped:
        return None
    if stairs.rates is not None:
        count = len(stairs.rates) - 1
        if count >= search.trials and stairs.turns >= _TURNS:
            return None
        if count >= _PATIENCE * search.trials:
            return None
    if sum(window.took_s for window in tried) >= search.budget_s:
        return None
    looks_around = tried[0].purpose is Purpose.PROBE and not stairs.any_broken
    purpose = Purpose.PROBE if looks_around else Purpose.SEARCH
    return Step(purpose, math.exp(stairs.log_rate))


def _beginning(slo: Slo, search: Search, earlier: Sequence[float], seed: str) -> Step:
    """Low, or near what earlier rounds found."""
    lowest = lowest_rps(slo, search)
    if not earlier:
        return Step(Purpose.PROBE, lowest)
    offset = random.Random(seed).uniform(-_OFFSET, _OFFSET)
    return Step(Purpose.SEARCH, max(lowest, math.exp(float(np.mean(np.log(earlier))) + offset)))


def found(slo: Slo, search: Search, windows: Sequence[Window]) -> Found:
    """The figure of one finished search.

    Args:
        slo: the promise.
        search: how it was searched.
        windows: all windows of the stack in the round.
    """
    tried = [window for window in windows if window.purpose is not Purpose.SHARE]
    if not tried:
        return Found(None, None, "nothing was measured")
    stairs = _climb(slo, search, tried)
    lowest = math.exp(stairs.lowest)
    if _fails_at_lowest(stairs, tried):
        causes = Counter(window.limited_by for window in tried if window.limited_by is not None)
        cause = causes.most_common(1)[0][0]
        if cause is LimitedBy.GENERATOR:
            return Found(None, cause, _generator_reason(lowest))
        return Found(
            None,
            cause,
            f"the promise fails at the lowest rate that can be tested ({cause} at {lowest:,.0f} "
            f"requests/s, where a window of {search.longest_s:g} s holds the "
            f"{needed_requests(slo):,} requests it needs)",
        )
    if stairs.capped:
        return Found(None, LimitedBy.GENERATOR, _generator_reason(MAX_RATE_RPS))
    if stairs.rates is None or len(stairs.rates) - 1 < _LEAST_TRIALS:
        causes = Counter(window.limited_by for window in tried if window.limited_by is not None)
        if causes and causes.most_common(1)[0][0] is LimitedBy.GENERATOR:
            return Found(None, LimitedBy.GENERATOR, _generator_reason(tried[-1].rate_rps))
        return Found(
            None, None, "the search had too little time in a round: choose a longer profile"
        )
    counts = Counter(stairs.broken)
    late = [
        window
        for window in tried
        if window.purpose is Purpose.SEARCH and window.limited_by is LimitedBy.GENERATOR
    ]
    broken = sum(window.purpose is Purpose.SEARCH and not window.kept for window in tried)
    if 2 * len(late) > broken:
        lowest_late = min(window.rate_rps for window in late)
        return Found(None, LimitedBy.GENERATOR, _generator_reason(lowest_late))
    if stairs.turns == 0:
        return Found(None, None, "the search did not settle in a round: choose a longer profile")
    # The first is where the larger steps led, the last is where the windows say to go next.
    rate_rps = math.exp(float(np.mean(stairs.rates[1:])))
    if rate_rps <= lowest * math.exp(search.least_step):
        return Found(
            None,
            counts.most_common(1)[0][0],
            f"the promise fails near the lowest rate that can be tested ({lowest:,.0f} requests/s)",
        )
    return Found(rate_rps, counts.most_common(1)[0][0])


def _fails_at_lowest(stairs: _Staircase, tried: Sequence[Window]) -> bool:
    """Whether the lowest rate broke the promise twice, or once where no rate kept it."""
    kept = any(window.kept for window in tried)
    return stairs.broken_at_lowest >= 2 or bool(stairs.broken_at_lowest and not kept)


def _generator_reason(rate_rps: float) -> str:
    return (
        f"the load process can't send {rate_rps:,.0f} requests/s on time, so that more can't be "
        "tested: see 'twinbench doctor'"
    )


# ----------------------------------------------------------------------------- rounds


def over_rounds(figures: Sequence[float]) -> Estimate:
    """The capacity, or its ratio to another, over all rounds that have a figure.

    What windows of limited length are off by is the same in all rounds, so that their scatter does
    not show it. The interval is as wide as if it were one more, independent, error.
    """
    estimate = stats.log_mean(figures)
    half = math.log(estimate.high / estimate.value)  # nan where there are too few rounds
    factor = math.exp(math.hypot(half, _BIAS))
    return Estimate(estimate.value, estimate.value / factor, estimate.value * factor)


def ratio(own: Sequence[float | None], base: Sequence[float | None]) -> Estimate:
    """Capacity ÷ capacity of the baseline, over the rounds in which both were found."""
    ratios = [a / b for a, b in zip(own, base, strict=True) if a is not None and b is not None]
    return over_rounds(ratios)


def errors_reason(slo: Slo, requests: int) -> str:
    """Why a bound on errors could not be tested; empty if it could.

    Args:
        slo: the promise.
        requests: of all windows that kept it near capacity.
    """
    if slo.errors_below is None:
        return ""
    needed = math.ceil(_RULE_OF_THREE / slo.errors_below - 1e-9)
    if requests >= needed:
        return ""
    return (
        f"errors<{100 * slo.errors_below:g}% can't be tested with {requests:,} requests: it needs "
        f"{needed:,}, that is more rounds or a longer profile"
    )
