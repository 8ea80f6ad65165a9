"""Plans a comparison of a stack with itself, and derives what the machine can tell apart.

The noise floor of a metric is the distance from 1 to the further end of the 95 % interval of the
A/A ratio: so far apart may two equal stacks seem after that many rounds. It decides no verdict,
because a run's own intervals say what that run can tell apart. The functions are pure.
"""

from __future__ import annotations

import math

from harness.errors import BadInput
from harness.models import ROUNDS_FOR_A_VERDICT, Analysis, Plan, Profile
from harness.planning.options import RunOptions
from harness.planning.plan import Catalogue, make_plan

SCENARIO = "hello"
PROFILE = "calibrate"
#: Five rounds of servers that start quickly, and what precedes them, take about this long.
MIN_SECONDS = 20
#: During a longer calibration the machine itself would change.
MAX_SECONDS = 3600
#: Seconds of load per stack and round, and their largest share of the whole time. If time is
#: short, the load is cut and not the rounds, because fresh processes tell more than longer load.
_CELL_S = 1.5
_CELL_SHARE = 1 / 40
#: Two servers take at least this long to start.
_START_S = 1.0


def aa_plan(catalogue: Catalogue, *, stack: str, seconds: float, seed: int) -> Plan:
    """Plan to measure a stack twice, with more rounds than can fit into the time.

    Raises:
        UnknownName: There is no stack of this name.
        BadInput: The time is too short or too long.
    """
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:  # refuses nan too
        raise BadInput(f"--seconds {seconds:g}: give {MIN_SECONDS} to {MAX_SECONDS:,} seconds")
    cell_s = min(_CELL_S, seconds * _CELL_SHARE)
    most_rounds = int(seconds / (2 * cell_s + _START_S))
    return make_plan(
        catalogue,
        RunOptions(
            profile=Profile(PROFILE, rounds=max(ROUNDS_FOR_A_VERDICT, most_rounds), cell_s=cell_s),
            seed=seed,
            scenarios=(SCENARIO,),
            stacks=(stack, stack),
        ),
    )


def floors(analysis: Analysis) -> dict[str, float]:
    """Return metric -> noise floor, from a valid analysis of A against A: 0.03 is ±3 %."""
    return {
        comparison.metric: floor(comparison.ci_low, comparison.ci_high)
        for comparison in analysis.comparisons
        if comparison.ci_low > 0  # leaves out an interval that is unknown, too
    }


def floor(low: float, high: float) -> float:
    """Return how far the further end of an interval is from 1; ÷ 2 is as far as × 2."""
    return math.exp(max(abs(math.log(low)), abs(math.log(high)))) - 1
