"""What a run can find, said before it begins."""

from __future__ import annotations

import math

from harness.analysis import looks, power
from harness.analysis.percentiles import confidence_of
from harness.models import ROUNDS_FOR_A_VERDICT, Calibration, Family, Plan

#: True differences of which it is said how often they are found.
_DIFFERENCES = (0.05, 0.1, 0.2)
#: The metric whose spread speaks for the run.
_METRIC = "throughput_rps"


def can_find(plan: Plan, calibration: Calibration | None) -> str:
    """As in `5 rounds, 6 comparisons: a true difference of 10 % is found in 45 % of runs …`."""
    families = [contrast.family for block in plan.blocks for contrast in block.contrasts]
    # A sweep has no first load, so that all of its comparisons are corrected together.
    comparisons = families.count(Family.ANSWERS) or families.count(Family.LOADS)
    if not comparisons:
        return ""
    if plan.rounds < ROUNDS_FOR_A_VERDICT:
        return (
            f"{_count(plan.rounds, 'round')} can find no difference: a verdict needs at least "
            f"{ROUNDS_FOR_A_VERDICT}, so every comparison will say “not judged: {plan.rounds} of "
            f"{ROUNDS_FOR_A_VERDICT} rounds”"
        )
    spread, source = _spread(calibration)
    confidence = confidence_of(plan, plan.rounds)
    found = ", ".join(
        f"{100 * difference:g} % in {_share(chance)}"
        for difference in _DIFFERENCES
        for chance in [
            power.chance_to_find(
                1 + difference,
                spread=spread,
                rounds=plan.rounds,
                comparisons=comparisons,
                confidence=confidence,
            )
        ]
    )
    text = (
        f"{_count(plan.rounds, 'round')} with a spread of {100 * spread:.2g} % ({source}) and "
        f"{_count(comparisons, 'comparison')} find a true difference of {found} of runs"
    )
    if looks.looks_again(plan):
        promised = ", ".join(condition.text for condition in plan.fail_ifs)
        return f"{text}; further rounds until it is decided whether {promised}"
    if plan.precision is None:
        return text
    needed = power.rounds_for(math.log1p(plan.precision), spread=spread, confidence=confidence)
    return f"{text}; ±{100 * plan.precision:g} % takes about {_count(needed, 'round')}"


def _spread(calibration: Calibration | None) -> tuple[float, str]:
    """From round to round, and where it is known from."""
    floor = calibration.noise_floor.get(_METRIC) if calibration else None
    if calibration is None or not floor or calibration.rounds < ROUNDS_FOR_A_VERDICT:
        return power.TYPICAL_SPREAD, "assumed: this machine is not calibrated"
    spread = power.spread_of(math.log1p(floor), rounds=calibration.rounds)
    return spread, "at most that of hello when this machine was calibrated"


def _share(chance: float) -> str:
    """A share of runs; no run is promised to find anything."""
    return "more than 99 %" if chance > 0.99 else f"{100 * chance:.0f} %"


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
