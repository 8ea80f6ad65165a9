"""What A against A says about a machine: how far from 1 a ratio of two equals can come out.

Pure. The noise floor of a metric is the far end from 1 of the 95 % interval of the A/A ratio: a
difference that is smaller than that could be this machine's own.
"""

from __future__ import annotations

import math

from harness.errors import BadInput
from harness.models import ROUNDS_FOR_A_VERDICT, Analysis, Plan, Profile
from harness.planning.options import RunOptions
from harness.planning.plan import Catalogue, make_plan

SCENARIO = "hello"
PROFILE = "calibrate"
#: Five rounds of servers that start quickly take about so long, with what goes before them.
MIN_SECONDS = 20
#: Longer, and the machine of the end is no longer the one of the beginning.
MAX_SECONDS = 3600
#: Of load per stack and round, shorter where the time is short: fresh processes tell more than
#: longer looks at old ones.
_CELL_S = 1.5
_CELL_SHARE = 1 / 40
#: Two servers do not start faster than this.
_START_S = 1.0


def aa_plan(catalogue: Catalogue, *, stack: str, seconds: float, seed: int) -> Plan:
    """The same stack twice, with as many rounds as could fit at the very most.

    Raises:
        UnknownName: There is no such stack.
        BadInput: The time is too short or too long.
    """
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:  # nor is nan
        raise BadInput(f"--seconds {seconds:g}: give {MIN_SECONDS} to {MAX_SECONDS:,} seconds")
    cell_s = min(_CELL_S, seconds * _CELL_SHARE)
    most = int(seconds / (2 * cell_s + _START_S))
    return make_plan(
        catalogue,
        RunOptions(
            profile=Profile(PROFILE, rounds=max(ROUNDS_FOR_A_VERDICT, most), cell_s=cell_s),
            seed=seed,
            scenarios=(SCENARIO,),
            stacks=(stack, stack),
        ),
    )


def floors(analysis: Analysis) -> dict[str, float]:
    """Metric -> noise floor, from a valid analysis of A against A: 0.03 is ±3 %."""
    return {
        one.metric: floor(one.ci_low, one.ci_high)
        for one in analysis.comparisons
        if one.ci_low > 0  # neither is one that can't be known
    }


def floor(low: float, high: float) -> float:
    """The far end from 1 of an interval; as far below 1 as above it counts alike (÷ 2 is × 2)."""
    return math.exp(max(abs(math.log(low)), abs(math.log(high)))) - 1
