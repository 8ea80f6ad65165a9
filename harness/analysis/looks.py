"""When a run may look whether promises are decided, and how sure each look must be.

Looking again and again, and stopping as soon as something is decided, finds decisions where there
are none. So a run looks after its first rounds, and whenever their number has doubled, and each look
has half of the error that the looks before it left: α ÷ 2, α ÷ 4, α ÷ 8 … Together they have no more
than α, however many there are and whatever they have in common (Bonferroni's inequality), so the
time that a run has need not be known beforehand. The intervals hold the truth at all looks at once
in 95 % of runs: repeated confidence intervals, as in C. Jennison & B. W. Turnbull, "Interim analyses:
the repeated confidence interval approach" (1989). So a decision by any of them is sound, whatever
ended the run.
"""

from __future__ import annotations

import math

from harness.analysis import stats
from harness.models import Plan


def looks_again(plan: Plan) -> bool:
    """Whether the run goes on until its promises are decided, or its time is used."""
    return bool(plan.fail_ifs) and plan.budget_s is not None


def look_of(rounds: int, first: int) -> int:
    """The number, from 1, of the look at so many rounds; between two looks, of the next one.

    Args:
        rounds: Rounds of a block.
        first: Rounds of the first look.
    """
    look = 1
    while rounds > first * 2 ** (look - 1):
        look += 1
    return look


def is_look(rounds: int, first: int) -> bool:
    """Whether a run looks after so many rounds: the first, and each doubling of them."""
    return rounds >= first and look_of(rounds, first) < look_of(rounds + 1, first)


def confidence_at(look: int) -> float:
    """The nominal two-sided confidence of intervals at a look."""
    return 1 - (1 - stats.CONFIDENCE) * math.ldexp(1, -look)
