"""Published figures beside the nearest ratios that a run measured."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.analysis.pairs import left_idle, stack_pair, usual_block, why_unusable
from harness.models import Analysis, BesidePublished, Published, PublishedBeside


def beside(published: Sequence[Published], analysis: Analysis) -> PublishedBeside:
    """Put each figure beside the comparison that it names, where the run has that one."""
    found = [made for figure in published if (made := _beside(figure, analysis)) is not None]
    return PublishedBeside(tuple(found), len(published) - len(found))


def _beside(figure: Published, analysis: Analysis) -> BesidePublished | None:
    block = usual_block(analysis, figure.scenario)
    if block is None:
        return None
    pair = stack_pair(analysis, block, figure.metric, figure.baseline, figure.candidate)
    if pair is None:
        return None
    reason = why_unusable(analysis, block, pair.comparisons)
    if not reason and math.isnan(pair.estimate.value):
        reason = "too little was measured"
    if reason:
        return BesidePublished(figure, None, reason)
    idle = left_idle(analysis, block, (figure.candidate, figure.baseline))
    if idle and figure.metric == "throughput_rps":
        reason = f"users left {' and '.join(idle)} idle, which could serve more"
    return BesidePublished(figure, pair.estimate, reason)
