"""What so many rounds can find, and how many it takes to find more: pure functions.

The logarithm of a ratio is taken to be normal over rounds, with a spread that is known or assumed.
"""

from __future__ import annotations

import math

from scipy.special import nctdtr, stdtrit

from harness.analysis.stats import CONFIDENCE

#: Of the logarithm of a ratio from round to round, where nothing is known of the machine: most
#: scenarios have between 2 and 10 % on a shared machine with two cores.
TYPICAL_SPREAD = 0.05


def chance_to_find(
    ratio: float,
    *,
    spread: float,
    rounds: int,
    comparisons: int = 1,
    confidence: float = CONFIDENCE,
) -> float:
    """Return in which share of runs a true ratio is found to differ from 1.

    Args:
        ratio: the true ratio, candidate ÷ baseline.
        spread: standard deviation of the ratio's logarithm from round to round.
        rounds: how many rounds there are.
        comparisons: how many are corrected together; this one is taken to be the clearest, which
            Holm's correction asks most of.
        confidence: the nominal confidence of intervals.
    """
    if rounds < 2:
        return 0.0
    limit = _quantile(rounds, 1 - (1 - confidence) / comparisons)
    shift = abs(math.log(ratio)) / spread * math.sqrt(rounds)
    missed = _share_below(limit, rounds, shift) - _share_below(-limit, rounds, shift)
    return 1 - max(0.0, missed)


def rounds_for(half_width: float, *, spread: float, confidence: float = CONFIDENCE) -> int:
    """Return the smallest number of rounds whose interval is expected to be ± this, or narrower.

    Args:
        half_width: of the interval of the logarithm.
        spread: standard deviation of the logarithm from round to round.
        confidence: the nominal confidence of the interval.
    """
    low, high = 1, 2
    while _half_width(high, spread, confidence) > half_width:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if _half_width(middle, spread, confidence) > half_width:
            low = middle
        else:
            high = middle
    return high


def spread_of(half_width: float, *, rounds: int, confidence: float = CONFIDENCE) -> float:
    """Return the spread from round to round that an interval of ± this over rounds shows."""
    return half_width * math.sqrt(rounds) / _quantile(rounds, confidence)


def _share_below(limit: float, rounds: int, shift: float) -> float:
    """The share of t statistics below a limit; SciPy has NaN where it is too small to compute."""
    share = float(nctdtr(rounds - 1, shift, limit))
    return 0.0 if math.isnan(share) else share


def _half_width(rounds: int, spread: float, confidence: float) -> float:
    return _quantile(rounds, confidence) * spread / math.sqrt(rounds)


def _quantile(rounds: int, confidence: float) -> float:
    return float(stdtrit(rounds - 1, 0.5 + confidence / 2))
