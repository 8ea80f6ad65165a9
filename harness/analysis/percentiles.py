"""Percentiles of the pooled samples of several rounds, with intervals from resampled rounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from harness.analysis import stats
from harness.models import Estimate, Plan

QUANTILES: Mapping[str, float] = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}
#: Quantiles of the latency chart, spaced so that the tail gets as many points as the middle.
CURVE = tuple(
    sorted({*QUANTILES.values(), *(1 - 10**-e for e in np.linspace(math.log10(2), 4, 60))})
)
#: A quantile is drawn only if at least this many samples lie beyond it.
SAMPLES_BEYOND = 10
RESAMPLES = 1000
UNKNOWN = Estimate(math.nan, math.nan, math.nan)


def confidence_of(plan: Plan) -> float:
    """Return the nominal confidence with which intervals contain the true value in 95 %."""
    return stats.CONFIDENCE if plan.precision is None else stats.STOPPED_CONFIDENCE


class Pool:
    """Pools the times (ns) of several rounds, and knows how they vary from round to round.

    A pool is made once and serves a cell's own figures and all its comparisons, because a report
    spends most of its time on finding percentiles among millions of samples.
    """

    def __init__(self, rounds: Sequence[npt.NDArray[np.int64]], plan: Plan) -> None:
        self._rounds = len(rounds)
        self._confidence = confidence_of(plan)
        self._samples = sum(map(len, rounds))
        if not self._samples:
            return
        found = np.quantile(np.concatenate(rounds), CURVE, overwrite_input=True)
        self._ns = dict(zip(CURVE, found.tolist(), strict=True))
        # The same seed draws the same rounds for every stack.
        weights = stats.bootstrap_weights(len(rounds), RESAMPLES, plan.seed)
        resampled = stats.LatencyHistogram(rounds).resampled(weights, list(QUANTILES.values()))
        self._resampled_ns = dict(zip(QUANTILES, resampled.T, strict=True))

    def estimates(self) -> dict[str, Estimate]:
        """Return the percentiles in ms, with the keys of QUANTILES."""
        if not self._samples:
            return dict.fromkeys(QUANTILES, UNKNOWN)
        return {
            name: stats.resampling_interval(
                self._ns[quantile] / 1e6, self._resampled_ns[name], self._rounds, self._confidence
            )
            for name, quantile in QUANTILES.items()
        }

    def curve_ms(self) -> list[tuple[float, float]]:
        """Return (quantile, ms) for the points of CURVE that enough samples support."""
        return [
            (quantile, self._ns[quantile] / 1e6) for quantile in CURVE if self._reaches(quantile)
        ]

    def exceeded_by_ms(self, longer: Sequence[npt.NDArray[np.int64]]) -> dict[str, float]:
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
        return {"p50", *(name for name, quantile in QUANTILES.items() if self._reaches(quantile))}

    def _reaches(self, quantile: float) -> bool:
        return self._samples * (1 - quantile) >= SAMPLES_BEYOND

    def ratio(self, base: Pool, name: str) -> Estimate:
        """Divide a percentile of this pool by the same percentile of `base`, in the same rounds."""
        if not self._samples or not base._samples:
            return UNKNOWN
        quantile = QUANTILES[name]
        return stats.resampling_interval(
            self._ns[quantile] / base._ns[quantile],
            self._resampled_ns[name] / base._resampled_ns[name],
            self._rounds,
            self._confidence,
        )
