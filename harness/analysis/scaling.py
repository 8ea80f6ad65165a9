"""Fits the Universal Scalability Law to throughputs: pure functions.

X(N) = λN ÷ (1 + σ(N−1) + κN(N−1)) is what N users get of a system in which a share σ of the work is
done in turn, and in which each user costs each other one a share κ (N. J. Gunther, "Guerrilla
Capacity Planning", 2007, chapters 4 to 6). It suits a closed load, whose users wait for their reply.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from harness.models import Estimate, Scaling

Floats = npt.NDArray[np.float64]

#: Three coefficients go through any three points; two more can say whether the law fits.
LEAST_POINTS = 5
#: By how much the law may miss a point and still be shown, unless the point's own interval is wider.
LARGEST_MISS = 0.1
#: Step of the logarithms in which the coefficients' dependence on the points is found.
_STEP = 1e-4


def fit(users: Floats, log_rps: Floats, confidence: float) -> Scaling | None:
    """Fit the law to all rounds together; the intervals of its coefficients go by rounds.

    The coefficients follow from the mean logarithm of each load's throughput. How far each round's
    own throughputs would move them gives one value per round, and these give a t interval. So loads
    that were slow in the same round count as what they are, one observation.

    Args:
        users: the loads.
        log_rps: logarithm of the throughput, a row for each round and a column for each load.
        confidence: the nominal confidence of the intervals.

    Returns:
        The law; None with fewer than LEAST_POINTS loads, or if no coefficients can be found.
    """
    if len(users) < LEAST_POINTS or not len(log_rps) or not np.isfinite(log_rps).all():
        return None
    mean = log_rps.mean(axis=0)
    found = _coefficients(users, mean)
    if found is None:
        return None
    moved = _moved_by(users, mean)
    per_round = (log_rps - mean) @ moved.T
    half = _half_widths(per_round, confidence).tolist()
    log_one, contention, crosstalk = found
    law = Scaling(
        rps_of_one=Estimate(
            math.exp(log_one), math.exp(log_one - half[0]), math.exp(log_one + half[0])
        ),
        contention=_around(contention, half[1]),
        crosstalk=_around(crosstalk, half[2]),
        worst_miss=math.nan,
        worst_at=math.nan,
        fits=False,
    )
    return _judged(law, users, log_rps, confidence)


def _judged(law: Scaling, users: Floats, log_rps: Floats, confidence: float) -> Scaling:
    """The same law with how far it is from the points."""
    with np.errstate(invalid="ignore", divide="ignore"):
        misses = np.array([law.rps(value) for value in users]) / np.exp(log_rps.mean(axis=0)) - 1
    noise = np.nan_to_num(_half_widths(log_rps, confidence))
    worst = int(np.argmax(np.abs(misses)))
    # A coefficient that is surely below 0 says that users help each other, for which the law has
    # no meaning.
    is_lawful = not (law.contention.high < 0 or law.crosstalk.high < 0)
    return Scaling(
        law.rps_of_one,
        law.contention,
        law.crosstalk,
        worst_miss=float(misses[worst]),
        worst_at=float(users[worst]),
        fits=is_lawful
        and bool((misses > -1).all())
        and bool((np.abs(misses) <= np.maximum(LARGEST_MISS, noise)).all()),
    )


def _coefficients(users: Floats, mean_log_rps: Floats) -> tuple[float, float, float] | None:
    """Find ln λ, σ and κ by least squares of the relative deviations.

    N ÷ X(N) is linear in 1 ÷ λ, σ ÷ λ and κ ÷ λ, so no search is needed that could fail to end.
    """
    rps = np.exp(mean_log_rps)
    others = users - 1
    terms = np.column_stack([np.ones_like(users), others, users * others])
    solved, _, rank, _ = np.linalg.lstsq(terms * (rps / users)[:, None], np.ones_like(users))
    if rank < 3 or not solved[0] > 0:
        return None
    return -math.log(solved[0]), float(solved[1] / solved[0]), float(solved[2] / solved[0])


def _moved_by(users: Floats, mean_log_rps: Floats) -> Floats:
    """By how much each load's logarithm moves each coefficient: a row for each coefficient."""
    columns = []
    for place in range(len(users)):
        step = np.zeros_like(mean_log_rps)
        step[place] = _STEP
        above = _coefficients(users, mean_log_rps + step)
        below = _coefficients(users, mean_log_rps - step)
        if above is None or below is None:
            columns.append(np.full(3, math.nan))
        else:
            columns.append((np.array(above) - np.array(below)) / (2 * _STEP))
    return np.column_stack(columns)


def _half_widths(per_round: Floats, confidence: float) -> Floats:
    """Half widths of t intervals, a value for each column; NaN with fewer than two rounds."""
    rounds = len(per_round)
    if rounds < 2:
        return np.full(per_round.shape[1], math.nan)
    spread = per_round.std(axis=0, ddof=1) / math.sqrt(rounds)
    widths: Floats = float(stdtrit(rounds - 1, 0.5 + confidence / 2)) * spread
    return widths


def _around(value: float, half: float) -> Estimate:
    return Estimate(value, value - half, value + half)
