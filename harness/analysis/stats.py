"""The statistics: pure functions from numbers to numbers.

The unit of inference is the round. All requests and slices of a round share the luck of the same
processes (memory layout, hash seed), so they are not independent repeats. More of them do not
average that luck out; fresh processes do. See Kalibera & Jones, "Rigorous benchmarking in
reasonable time" (ISMM 2013), and Georges et al., "Statistically rigorous Java performance
evaluation" (OOPSLA 2007).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from harness.models import ROUNDS_FOR_A_VERDICT, Estimate, Verdict

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

CONFIDENCE = 0.95
#: Nominal confidence if measuring stops as soon as an interval is narrow. Stopping early favours
#: spreads that are small by luck, so a nominal 95 % would contain the true value in only 91 to
#: 94 % (tests/test_simulated_stopping.py).
STOPPED_CONFIDENCE = 0.975
#: Nominal confidence of the interval of a cell's own quantile, which is less sound than a ratio's.
QUANTILE_CONFIDENCE = 0.98
#: How near, as a logarithm, the limits of a quantile are found; and after how many halvings of the
#: distance the search looks at what it found.
_LAST_WITHIN, _HALVINGS_AT_ONCE = 1e-4, 6


# ---------------------------------------------------------------------- throughput


def closed_rates(
    users: int, good: Floats, latency_ns: Floats, think_ns: Floats
) -> tuple[Floats, float]:
    """Return the throughput of a closed load in each slice, and in all of them together.

    Little's law: N users who have a request in flight all the time, or pause for their think time,
    send N ÷ (latency + think time) requests per second. The sums go over the same requests, each of
    which counts with its whole time. So no edge of a slice cuts off anything; and since the number of
    these requests was decided beforehand, nothing that happened to them decides which they are.
    A sum of the same requests over many short slices or a few long ones has the same expectation
    (Wald's identity).

    Args:
        users: N.
        good: for each slice, how many of its counted requests had the promised reply.
        latency_ns: for each slice, the sum of its counted requests' latencies, failed ones included.
        think_ns: for each slice, the sum of the times before the same requests.
    """
    user_s = (latency_ns + think_ns) / 1e9
    total_s = float(user_s.sum())
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = np.where(user_s > 0, users * good / user_s, 0.0)
    return rates, users * float(good.sum()) / total_s if total_s > 0 else 0.0


def in_flight(
    slice_index: npt.NDArray[np.int32], start_ns: Ints, latency_ns: Ints, from_ns: Ints, to_ns: Ints
) -> float:
    """Return how many requests were in flight on average while slices counted requests.

    Args:
        slice_index: for each request, counted or not, the slice that it belongs to.
        start_ns: for each request, when it was sent.
        latency_ns: for each request, how long it took.
        from_ns: for each slice, when counting begins.
        to_ns: for each slice, when counting ends.
    """
    window_from, window_to = from_ns[slice_index], to_ns[slice_index]
    inside = np.minimum(start_ns + latency_ns, window_to) - np.maximum(start_ns, window_from)
    total_ns = int((to_ns - from_ns).sum())
    return float(np.clip(inside, 0, None).sum()) / total_ns if total_ns > 0 else 0.0


# ----------------------------------------------------------------------- intervals


def log_mean(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """Return the geometric mean over rounds, with a t interval on the logarithms.

    The limits are NaN if there are fewer than two rounds. The value is NaN too if there are no
    rounds, or if a value is not above zero.
    """
    logs = _logs(values)
    if logs is None:
        return Estimate(math.nan, math.nan, math.nan)
    mean = float(logs.mean())
    half = _half_width(logs, confidence)
    return Estimate(math.exp(mean), math.exp(mean - half), math.exp(mean + half))


def t_quantile(freedom: int, confidence: float = CONFIDENCE) -> float:
    """How many standard errors a two-sided interval reaches on either side."""
    return float(stdtrit(freedom, 0.5 + confidence / 2))


def p_value(estimate: Estimate, rounds: int, confidence: float = CONFIDENCE) -> float:
    """Return the two-sided p-value of the hypothesis that the ratio is 1.

    Args:
        estimate: the ratio, with a t interval on the logarithms; if its limits are not equally far
            away, the one towards 1 decides.
        rounds: the number of rounds that it is based on.
        confidence: the nominal confidence of its interval.
    """
    if rounds < 2 or math.isnan(estimate.low):
        return 1.0
    towards_one = estimate.low if estimate.value > 1 else estimate.high
    half = abs(math.log(estimate.value / towards_one))
    if half == 0:
        return 0.0 if estimate.value != 1 else 1.0
    error = half / t_quantile(rounds - 1, confidence)
    return float(2 * stdtr(rounds - 1, -abs(math.log(estimate.value)) / error))


def _logs(values: Sequence[float]) -> Floats | None:
    array = np.asarray(values, dtype=np.float64)
    if not len(array) or not (array > 0).all():
        return None
    return np.log(array)


def _half_width(logs: Floats, confidence: float = CONFIDENCE) -> float:
    count = len(logs)
    if count < 2:
        return math.nan
    return t_quantile(count - 1, confidence) * float(logs.std(ddof=1)) / math.sqrt(count)


@dataclass(frozen=True, slots=True)
class Trend:
    """How the second halves of rounds differ from the first."""

    settled: bool
    mean: float  # second ÷ first half, geometric mean over rounds; NaN if it can't be told
    smallest: float  # the smallest difference that counts as one: 0.05 is 5 %; NaN likewise


def half_width(values: Sequence[float], confidence: float = CONFIDENCE) -> float:
    """Half width of the t interval of a mean; NaN for fewer than two values."""
    return _half_width(np.asarray(values, dtype=np.float64), confidence)


def trend(halves: Sequence[float], *, tolerance: float) -> Trend:
    """Say whether the halves of the rounds agree, and how small a difference would be found.

    The halves disagree if the mean is further from 1 than `tolerance` and its 99.9 % interval
    excludes 1. On a noisy machine, either condition alone is met by chance. The confidence is high
    because every cell of a run is tested.

    Args:
        halves: for each round, its second half ÷ its first half.
        tolerance: the largest difference from 1 that is accepted: 0.05 is 5 %.
    """
    logs = _logs(halves)
    if logs is None or len(logs) < 2:
        return Trend(True, math.nan, math.nan)
    mean = float(logs.mean())
    bound = max(math.log1p(tolerance), _half_width(logs, 0.999))
    return Trend(abs(mean) <= bound, math.exp(mean), math.expm1(bound))


# --------------------------------------------------------------------- percentiles


def quantile_interval(
    rounds: Sequence[Ints], quantile: float, confidence: float = QUANTILE_CONFIDENCE
) -> tuple[float, float]:
    """Return an interval for a quantile of the pooled times of several rounds.

    A value may be the quantile if the share of times beyond it, taken round by round, may be 1 −
    quantile on average by a t interval. Shares behave where times don't: if stalls are about 1 % of
    the requests, p99 lies now below the gap between usual requests and stalls and now above it.

    Args:
        rounds: the times (ns) of each round, sorted; each has at least one.
        quantile: a number between 0 and 1.
        confidence: nominal. By simulation, 98 % hold the truth in 92 to 97 % (tests/test_stats.py).

    Returns:
        The limits, in ns; NaN if there are fewer than two rounds.
    """
    count = len(rounds)
    if count < 2:
        return math.nan, math.nan
    sizes = np.array([len(times) for times in rounds], dtype=np.float64)
    weights = sizes / sizes.mean()
    spread = float(stdtrit(count - 1, 0.5 + confidence / 2)) / math.sqrt(count)

    def excess(values: Floats) -> tuple[Floats, Floats]:
        """By how much more is beyond each value than should be: mean and half width."""
        whole_ns = np.floor(values).astype(np.int64)  # else each search would copy all times
        within = np.stack([times.searchsorted(whole_ns, "right") for times in rounds], axis=1)
        shares = weights * ((sizes - within) / sizes - (1 - quantile))
        return shares.mean(axis=1), spread * shares.std(axis=1, ddof=1)

    def are_too_low(values: Floats) -> Bools:
        mean, half = excess(values)
        return mean - half > 0

    def are_not_too_high(values: Floats) -> Bools:
        mean, half = excess(values)
        return mean + half >= 0

    low = float(min(times[0] for times in rounds))
    high = float(max(times[-1] for times in rounds))
    return _last(are_too_low, low, high), _last(are_not_too_high, low, high)


def _last(hold: Callable[[Floats], Bools], low: float, high: float) -> float:
    """The largest number (to 0.01 %) for which something holds that holds for smaller ones.

    Halves the distance until it is that small. All numbers that the next halvings may come to are
    asked at once, because asking for many takes hardly longer than asking for one.
    """
    low, high = math.log(max(low, 1.0)), math.log(max(high, 1.0))
    while high - low > _LAST_WITHIN:
        numbers = np.array([low, high])
        for _ in range(_HALVINGS_AT_ONCE):
            finer = np.empty(2 * len(numbers) - 1)
            finer[::2], finer[1::2] = numbers, (numbers[:-1] + numbers[1:]) / 2
            numbers = finer
        held = hold(np.exp(numbers))
        first, last = 0, len(numbers) - 1
        while last - first > 1 and numbers[last] - numbers[first] > _LAST_WITHIN:
            middle = (first + last) // 2
            first, last = (middle, last) if held[middle] else (first, middle)
        low, high = float(numbers[first]), float(numbers[last])
    return math.exp(high)


# ------------------------------------------------------------------------ verdicts


def surely_positive(values: Floats, confidence: float) -> bool:
    """Whether the mean is above 0, one-sided, by Student's t over at least two values."""
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return float(values.mean()) > float(stdtrit(len(values) - 1, confidence)) * error


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust the p-values of a family, so that the chance of any false alarm in it stays at 5 %.

    This is Holm's step-down procedure: S. Holm, "A simple sequentially rejective multiple test procedure" (1979).
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


@dataclass(frozen=True, slots=True)
class Quotient:
    """A figure of one run ÷ the same figure of another, which share nothing."""

    estimate: Estimate  # with its interval
    p_value: float  # two-sided, of the hypothesis that it is 1


def quotient(
    later: Estimate,
    earlier: Estimate,
    rounds: tuple[int, int],
    confidence: float = CONFIDENCE,
) -> Quotient:
    """Divide two independent figures, each known by its 95 % interval over its own rounds.

    Welch's interval on the logarithms: each standard error is the half width of an interval ÷ its
    quantile of Student's t, and Welch's and Satterthwaite's formula gives the degrees of freedom of
    their sum (B. L. Welch, "The generalization of 'Student's' problem", 1947). Where limits are not
    equally far away, as those of percentiles, each side is taken by itself, as in MOVER: the lower
    limit follows from the lower of `later` and the upper of `earlier`.

    Intervals whose nominal confidence was raised so that they hold the truth in 95 % of cases are
    taken as what they are then, so that the quotient is not surer than its parts.

    Args:
        later: the numerator.
        earlier: the denominator.
        rounds: how many rounds `later` and `earlier` are based on.
        confidence: the nominal confidence of the interval of `later`, and of the quotient's; that of
            `earlier` is 95 %.

    Returns:
        NaN if one of the values is not above zero; NaN limits and a p-value of 1 if one of the
        intervals is missing.
    """
    unknown = Estimate(math.nan, math.nan, math.nan)
    if not (later.value > 0 and earlier.value > 0):
        return Quotient(unknown, 1.0)
    value = later.value / earlier.value
    below = _error(
        (math.log(later.value / later.low), math.log(earlier.high / earlier.value))
        if later.low > 0 and earlier.high > 0
        else None,
        rounds,
        confidence,
    )
    above = _error(
        (math.log(later.high / later.value), math.log(earlier.value / earlier.low))
        if later.high > 0 and earlier.low > 0
        else None,
        rounds,
        confidence,
    )
    if below is None or above is None:
        return Quotient(Estimate(value, math.nan, math.nan), 1.0)
    limits = [
        error * (float(stdtrit(freedom, 0.5 + confidence / 2)) if error else 0.0)
        for error, freedom in (below, above)
    ]
    estimate = Estimate(value, value * math.exp(-limits[0]), value * math.exp(limits[1]))
    error, freedom = below if value > 1 else above
    if not error:
        return Quotient(estimate, 1.0 if value == 1 else 0.0)
    return Quotient(estimate, float(2 * stdtr(freedom, -abs(math.log(value)) / error)))


def _error(
    halves: tuple[float, float] | None, rounds: tuple[int, int], confidence: float
) -> tuple[float, float] | None:
    """Standard error of a difference and its degrees of freedom, by Welch and Satterthwaite.

    None if one of the two errors is not known.
    """
    if halves is None or min(rounds) < 2 or not all(map(math.isfinite, halves)):
        return None
    squares = [
        (half / float(stdtrit(count - 1, 0.5 + nominal / 2))) ** 2
        for half, count, nominal in zip(halves, rounds, (confidence, CONFIDENCE), strict=True)
    ]
    total = sum(squares)
    if total == 0:
        return 0.0, math.inf
    parts = (square**2 / (count - 1) for square, count in zip(squares, rounds, strict=True))
    return math.sqrt(total), total**2 / sum(parts)


def verdict(
    estimate: Estimate,
    *,
    band: float,
    rounds: int,
    more_is_better: bool,
    significant: bool,
) -> Verdict:
    """Return the verdict on a ratio.

    - `same`: the interval lies inside the band.
    - `faster` or `slower`: the ratio lies outside the band, the interval excludes 1, and the
      difference is still significant after the correction for the family.
    - `inconclusive`: anything else, and any ratio of too few rounds.

    Args:
        estimate: candidate ÷ baseline.
        band: what is too small to matter: 0.03 means 1/1.03 to 1.03.
        rounds: the number of rounds that the estimate is based on.
        more_is_better: whether a ratio above 1 is good for the candidate.
        significant: whether the corrected p-value is small enough.
    """
    if rounds < ROUNDS_FOR_A_VERDICT or math.isnan(estimate.low):
        return Verdict.INCONCLUSIVE
    if estimate.low >= 1 / (1 + band) and estimate.high <= 1 + band:
        return Verdict.SAME
    outside = estimate.value > 1 + band or estimate.value < 1 / (1 + band)
    excludes_one = estimate.low > 1 or estimate.high < 1
    if outside and excludes_one and significant:
        better = (estimate.value > 1) == more_is_better
        return Verdict.FASTER if better else Verdict.SLOWER
    return Verdict.INCONCLUSIVE
