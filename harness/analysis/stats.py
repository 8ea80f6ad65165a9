"""The statistics: pure functions from numbers to numbers.

The unit of inference is the round. Requests and slices inside a round share the luck of one
set of processes (memory layout, hash seed), so they are no independent repeats: more of them
can't remove that luck, fresh processes can. After Kalibera & Jones, "Rigorous benchmarking in
reasonable time" (ISMM 2013), and Georges et al., "Statistically rigorous Java performance
evaluation" (OOPSLA 2007).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from harness.models import ROUNDS_FOR_A_VERDICT, Estimate, Verdict

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CONFIDENCE = 0.95
#: Nominal, where measuring stops as soon as the interval is narrow: that favours spreads which came
#: out small by luck, and a nominal 95 % would hold the truth in 91 to 94 % (tests/test_simulation.py).
STOPPED_CONFIDENCE = 0.975
#: Differences below this are not worth a decision, however well they are measured.
SMALLEST_BAND = 0.03
#: However noisy the machine, a difference that may be larger than this is not called `same`.
LARGEST_SAME = 0.10


# ---------------------------------------------------------------------- throughput


@dataclass(frozen=True, slots=True)
class SliceRates:
    """Per slice of one cell in one round; arrays of length slices."""

    throughput_rps: Floats
    in_flight: Floats  # average over the counting window


def slice_rates(
    slice_index: npt.NDArray[np.int32],
    start_ns: Ints,
    latency_ns: Ints,
    good: npt.NDArray[np.bool_],
    from_ns: Ints,
    to_ns: Ints,
) -> SliceRates:
    """Requests per second and requests in flight, in the counting window of each slice.

    A request counts by the share of its time that lies inside the window. Counting it whole
    where it ends would let a window's edges decide: where all users wait 50 ms together,
    answers come in bursts, and one burst more or less in a 1 s window is 5 %.

    Args:
        slice_index: per request, which slice it belongs to.
        start_ns: per request, when it was sent.
        latency_ns: per request, how long it took.
        good: per request, whether the reply was the promised one; others do not count.
        from_ns: per slice, when counting begins.
        to_ns: per slice, when counting ends.
    """
    count = len(from_ns)
    window_from, window_to = from_ns[slice_index], to_ns[slice_index]
    inside = np.minimum(start_ns + latency_ns, window_to) - np.maximum(start_ns, window_from)
    inside = np.clip(inside, 0, None).astype(np.float64)
    share = np.where(good, inside / np.maximum(latency_ns, 1), 0.0)
    seconds = (to_ns - from_ns) / 1e9
    done = np.bincount(slice_index, weights=share, minlength=count)
    busy_ns = np.bincount(slice_index, weights=inside, minlength=count)
    return SliceRates(done / seconds, busy_ns / 1e9 / seconds)


# ----------------------------------------------------------------------- intervals


def log_mean(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """Geometric mean over rounds with a t interval on the logarithms.

    NaN limits below two rounds; a NaN value where there is none, or one is not above zero.
    """
    logs = _logs(values)
    if logs is None:
        return Estimate(math.nan, math.nan, math.nan)
    mean = float(logs.mean())
    half = _half_width(logs, confidence)
    return Estimate(math.exp(mean), math.exp(mean - half), math.exp(mean + half))


def p_value(estimate: Estimate, rounds: int, confidence: float = CONFIDENCE) -> float:
    """Two-sided p of "the ratio is 1", for an interval by Student's t on the logarithms.

    Args:
        estimate: the ratio.
        rounds: how many it rests on.
        confidence: of its interval.
    """
    if rounds < 2 or math.isnan(estimate.low):
        return 1.0
    half = (math.log(estimate.high) - math.log(estimate.low)) / 2
    if half == 0:
        return 0.0 if estimate.value != 1 else 1.0
    error = half / float(stdtrit(rounds - 1, 0.5 + confidence / 2))
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
    quantile = float(stdtrit(count - 1, 0.5 + confidence / 2))
    return quantile * float(logs.std(ddof=1)) / math.sqrt(count)


def settled(halves: Sequence[float], *, tolerance: float) -> tuple[bool, float]:
    """Whether first and second half of the rounds agree; with the geometric mean of the ratios.

    They disagree when the mean is further from 1 than `tolerance` and its 99.9 % interval
    excludes 1: both, since on a noisy machine either alone happens by chance, and so strict
    because a run asks this of every cell.
    """
    logs = _logs(halves)
    if logs is None or len(logs) < 2:
        return True, math.nan
    mean = float(logs.mean())
    beyond = abs(mean) > math.log1p(tolerance) and abs(mean) > _half_width(logs, 0.999)
    return not beyond, math.exp(mean)


# --------------------------------------------------------------------- percentiles


class LatencyHistogram:
    """Counts per round in bins of 0.1 % relative width, so that rounds can be resampled fast.

    Percentiles of resampled rounds need the pooled distribution of every resample. Counts in
    fine logarithmic bins add up; the raw samples would have to be sorted each time.
    """

    _WIDTH = math.log(1.001)
    _AT_ONCE = 100  # resamples: bounds the memory where there are many rounds

    def __init__(self, rounds: Sequence[Ints]) -> None:
        """Bin the latencies (ns) of each round."""
        lows = [int(values.min()) for values in rounds if len(values)]
        highs = [int(values.max()) for values in rounds if len(values)]
        self._low = math.log(max(1, min(lows, default=1)))
        bins = int((math.log(max(1, *highs, 1)) - self._low) / self._WIDTH) + 1
        #: Shape (bins, rounds): samples of a round up to and with a bin.
        self._cumulated = np.zeros((bins, len(rounds)))
        for column, values in enumerate(rounds):
            if len(values):
                place = np.log(np.maximum(values, 1))
                place -= self._low
                place /= self._WIDTH
                bin_of = np.clip(place.astype(np.int64), 0, bins - 1)
                self._cumulated[:, column] = np.bincount(bin_of, minlength=bins).cumsum()

    def resampled(self, weights: Floats, quantiles: Sequence[float]) -> Floats:
        """Percentiles (ns) of pooled rounds; shape (resamples, quantiles).

        Each is sought by halving, so that only a few bins of a resample have to be added up.

        Args:
            weights: shape (resamples, rounds): how often each round was drawn.
            quantiles: in 0…1.
        """
        places = [
            self._places(weights[start : start + self._AT_ONCE], quantiles)
            for start in range(0, len(weights), self._AT_ONCE)
        ]
        found: Floats = np.exp(self._low + (np.concatenate(places) + 0.5) * self._WIDTH)
        return found

    def _places(self, weights: Floats, quantiles: Sequence[float]) -> Ints:
        """In which bin each quantile of each resample lies: the first that reaches it."""
        wanted = np.multiply.outer(weights @ self._cumulated[-1], np.asarray(quantiles))
        low = np.zeros(wanted.shape, dtype=np.int64)
        high = np.full(wanted.shape, len(self._cumulated) - 1)
        while (low < high).any():
            middle = (low + high) // 2
            count = np.einsum("sr,sqr->sq", weights, self._cumulated[middle])
            reached = count >= wanted
            high = np.where(reached, middle, high)
            low = np.where(reached, low, middle + 1)
        return low


def bootstrap_weights(rounds: int, resamples: int, seed: int) -> Floats:
    """How often each round is drawn in each resample; shape (resamples, rounds)."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(rounds, np.full(rounds, 1 / rounds), resamples).astype(np.float64)


def resampling_interval(
    value: float, resampled: Floats, rounds: int, confidence: float = CONFIDENCE
) -> Estimate:
    """An interval around `value` from what it became in each resample of whole rounds.

    The spread of the logarithms is widened by √(n / (n − 1)) and taken times Student's t: the
    plain 2.5 % and 97.5 % points are too narrow with as few rounds as a benchmark has (they
    treat the observed spread as the true one).
    """
    if rounds < 2 or not value > 0 or not (resampled > 0).all():
        return Estimate(value, math.nan, math.nan)
    spread = float(np.log(resampled).std(ddof=1)) * math.sqrt(rounds / (rounds - 1))
    half = float(stdtrit(rounds - 1, 0.5 + confidence / 2)) * spread
    return Estimate(value, value * math.exp(-half), value * math.exp(half))


# ------------------------------------------------------------------------ verdicts


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment: the chance of any false alarm in the family stays at 5 %.

    S. Holm, "A simple sequentially rejective multiple test procedure" (1979).
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def verdict(
    estimate: Estimate,
    *,
    band: float,
    rounds: int,
    more_is_better: bool,
    significant: bool,
) -> Verdict:
    """The word for a ratio.

    `same` when the interval lies inside the band (of a wide band, its inner ±10 %); `faster` or
    `slower` when the interval excludes 1 (and still would after correcting for the family:
    `significant`) and the ratio lies outside the band; else `inconclusive`.

    Args:
        estimate: candidate ÷ baseline.
        band: half width of the noise band: 0.03 means 1/1.03 … 1.03.
        rounds: how many rounds the estimate rests on.
        more_is_better: whether a ratio above 1 is good for the candidate.
        significant: whether the corrected p is below 5 %.
    """
    if rounds < ROUNDS_FOR_A_VERDICT or math.isnan(estimate.low):
        return Verdict.INCONCLUSIVE
    alike = min(band, LARGEST_SAME)
    if estimate.low >= 1 / (1 + alike) and estimate.high <= 1 + alike:
        return Verdict.SAME
    outside = estimate.value > 1 + band or estimate.value < 1 / (1 + band)
    excludes_one = estimate.low > 1 or estimate.high < 1
    if outside and excludes_one and significant:
        better = (estimate.value > 1) == more_is_better
        return Verdict.FASTER if better else Verdict.SLOWER
    return Verdict.INCONCLUSIVE
