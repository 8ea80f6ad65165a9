"""The chart of ratios as a table: it fits a narrow page, and its figures can be selected."""

from __future__ import annotations

import math

from harness.models import Comparison
from harness.report import formats, palette
from harness.report.charts.ratios import RatioRow, grouped, pair_words, ratio_ticks, reach
from harness.report.content import Mark, RatioLine, Ratios
from harness.report.verdicts import not_judged
from harness.report.view import View, has_interval, has_ratio, is_decided


def ratios(view: View) -> Ratios:
    """Every comparison in the metric that decides; there must be one."""
    groups = grouped(view)
    axis = _Axis([row.comparison for _, rows in groups for row in rows])
    return Ratios(
        "ratios",
        axis.ticks,
        tuple(
            (heading[0].upper() + heading[1:], tuple(_line(view, row, axis) for row in rows))
            for heading, rows in groups
        ),
    )


class _Axis:
    """A logarithmic axis from 0 to 1."""

    def __init__(self, comparisons: list[Comparison]) -> None:
        self._low, self._high = reach(comparisons)

    def share(self, ratio: float) -> float:
        """Where a ratio lies; at the edge if it is beyond it."""
        place = math.log(ratio / self._low) / math.log(self._high / self._low) if ratio > 0 else 0
        return round(min(1.0, max(0.0, place)), 4)

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Places and words of the ticks."""
        ticks = ratio_ticks(self._low, self._high)
        return tuple((self.share(value), f"{value:g}{formats.NBSP}×") for value in ticks)


def _line(view: View, row: RatioRow, axis: _Axis) -> RatioLine:
    part, pair, comparison = row
    edge = 1 + comparison.same_within
    known = has_ratio(comparison)
    return RatioLine(
        part.title,
        pair_words(view, pair),
        (axis.share(1 / edge), axis.share(edge)),
        _mark(comparison, view.looks[pair.candidate].colour, axis) if known else None,
        formats.ratio(comparison.ratio) if known else part.why_not_compared_in_short(pair),
        formats.ratio_interval(comparison.ratio, comparison.ci_low, comparison.ci_high)
        if known
        else "",
        comparison.verdict,
        not_judged(comparison),
    )


def _mark(comparison: Comparison, colour: str, axis: _Axis) -> Mark:
    at = axis.share(comparison.ratio)
    low, high = at, at
    if has_interval(comparison):
        low, high = axis.share(comparison.ci_low), axis.share(comparison.ci_high)
    return Mark(at, low, high, palette.variable(colour), is_decided(comparison))
