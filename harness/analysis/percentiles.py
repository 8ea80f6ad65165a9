"""Percentiles of the pooled samples of several rounds, and their ratios."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from harness.analysis import looks, stats
from harness.models import Estimate, Plan

QUANTILES: Mapping[str, float] = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}
#: Quantiles of the latency chart, spaced so that the tail gets as many points as the middle.
CURVE = tuple(
    sorted({*QUANTILES.values(), *(1 - 10**-e for e in np.linspace(math.log10(2), 4, 60))})
)
#: A quantile is given only if at least this many samples lie beyond it, …
SAMPLES_BEYOND = 10
#: … in at least so many rounds, or in all if there are fewer: ten samples can be one stall of all users.
ROUNDS_BEYOND = 3
UNKNOWN = Estimate(math.nan, math.nan, math.nan)

Times = npt.NDArray[np.int64]


def confidence_of(plan: Plan, rounds: int) -> float:
    """Return the nominal confidence with which intervals contain the true value in 95 %.

    Args:
        plan: what decided how many rounds there are.
        rounds: the number of rounds that an interval is based on.
    """
    if looks.looks_again(plan):
        return looks.confidence_at(looks.look_of(rounds, plan.rounds))
    return stats.CONFIDENCE if plan.precision is None else stats.STOPPED_CONFIDENCE


def quantile_confidence_of(plan: Plan, rounds: int) -> float:
    """Return the same for a cell's own quantiles, whose intervals are less sound than others."""
    if not looks.looks_again(plan):
        return stats.QUANTILE_CONFIDENCE
    share = (1 - confidence_of(plan, rounds)) / (1 - stats.CONFIDENCE)
    return 1 - (1 - stats.QUANTILE_CONFIDENCE) * share


class Pool:
    """Pools the times (ns) of several rounds, and knows how they vary from round to round.

    A pool is made once and serves a cell's own figures and all its comparisons, because a report
    spends most of its time on finding percentiles among millions of samples.
    """

    def __init__(self, rounds: Sequence[Times]) -> None:
        self._rounds = [np.sort(times) for times in rounds if len(times)]
        self._samples = sum(map(len, self._rounds))
        if not self._samples:
            return
        found = np.quantile(np.concatenate(self._rounds), CURVE, overwrite_input=True)
        self._ns = dict(zip(CURVE, found.tolist(), strict=True))

    def estimates(self, confidence: float = stats.QUANTILE_CONFIDENCE) -> dict[str, Estimate]:
        """Return the percentiles in ms, with the keys of QUANTILES; NaN without enough samples."""
        supported = self.supported
        return {
            name: self._estimate(quantile, confidence) if name in supported else UNKNOWN
            for name, quantile in QUANTILES.items()
        }

    def ratio(self, base: Pool, name: str, confidence: float) -> Estimate:
        """Divide a percentile of this pool by the same percentile of `base`.

        A ratio taken round by round would depend on how long rounds are: where one stack stalls for
        about 1 % of its requests, its p99 lies among the stalls in some rounds and before them in
        others. The distances of both percentiles to their limits are added as independent errors are
        (MOVER: G. Y. Zou, A. Donner, "Construction of confidence limits about effect measures", 2008).

        Args:
            base: the other pool, which has this percentile too.
            name: a key of QUANTILES that both pools support.
            confidence: the nominal confidence of the interval.
        """
        own, other = (pool._estimate(QUANTILES[name], confidence) for pool in (self, base))
        value = own.value / other.value
        below = math.hypot(math.log(own.value / own.low), math.log(other.high / other.value))
        above = math.hypot(math.log(own.high / own.value), math.log(other.value / other.low))
        return Estimate(value, value * math.exp(-below), value * math.exp(above))

    def _estimate(self, quantile: float, confidence: float = stats.QUANTILE_CONFIDENCE) -> Estimate:
        low_ns, high_ns = stats.quantile_interval(self._rounds, quantile, confidence)
        value_ns = self._ns[quantile]
        # Between two samples, a quantile is interpolated and a limit is not.
        low_ns, high_ns = min(low_ns, value_ns), max(high_ns, value_ns)
        return Estimate(value_ns / 1e6, low_ns / 1e6, high_ns / 1e6)

    def curve_ms(self) -> list[tuple[float, float]]:
        """Return (quantile, ms) for the points of CURVE that enough samples support."""
        if not self._samples:
            return []
        return [
            (quantile, self._ns[quantile] / 1e6) for quantile in CURVE if self._reaches(quantile)
        ]

    def exceeded_by_ms(self, longer: Sequence[Times]) -> dict[str, float]:
        """Percentile -> by how many ms the same percentile of these times (ns) exceeds it."""
        if not self._samples:
            return {}
        names = [name for name in QUANTILES if name in self.supported]
        longer_ns = np.quantile(np.concatenate(longer), [QUANTILES[name] for name in names])
        return {
            name: (float(ns) - self._ns[QUANTILES[name]]) / 1e6
            for name, ns in zip(names, longer_ns, strict=True)
        }

    @property
    def supported(self) -> set[str]:
        """Names of the median and of the percentiles that enough samples support."""
        if not self._samples:
            return set()
        return {"p50", *(name for name, quantile in QUANTILES.items() if self._reaches(quantile))}

    def _reaches(self, quantile: float) -> bool:
        # A rounding error must not decide whether ten samples lie beyond.
        if round(self._samples * (1 - quantile), 6) < SAMPLES_BEYOND:
            return False
        at_least_ns = math.floor(self._ns[quantile])  # interpolation may round up
        contributing = [times for times in self._rounds if times[-1] >= at_least_ns]
        return len(contributing) >= min(ROUNDS_BEYOND, len(self._rounds))
