"""Figures as cells of a table, each with the number that its text was made from."""

from __future__ import annotations

import math

from harness.models import CellSummary, Comparison, Estimate, Verdict
from harness.report import formats
from harness.report.content import Cell, Row
from harness.report.metrics import Metric
from harness.report.verdicts import not_judged
from harness.report.view import Pair, Part, View, has_ratio, overload_words

NOTHING = Cell(formats.NOTHING)


def estimate(value: Estimate) -> Cell:
    """A figure with its interval."""
    if not math.isfinite(value.value):
        return NOTHING
    return Cell(
        formats.number(value.value), value.value, detail=formats.interval(value.low, value.high)
    )


def number(value: float, digits: int = 3) -> Cell:
    """A figure without an interval."""
    return Cell(formats.number(value, digits), value)


def count(value: int) -> Cell:
    """A whole number."""
    return Cell(f"{value:,}", value)


def ratio(comparison: Comparison | None) -> Cell:
    """A ratio with its interval and its verdict; the verdict alone where no ratio can be shown."""
    if comparison is None:
        return NOTHING
    if not has_ratio(comparison):
        return Cell("", verdict=comparison.verdict)
    short = not_judged(comparison)
    return Cell(
        formats.ratio(comparison.ratio),
        comparison.ratio,
        detail=formats.ratio_interval(comparison.ratio, comparison.ci_low, comparison.ci_high),
        verdict=comparison.verdict,
        not_judged=short,
    )


def ratio_estimate(value: Estimate) -> Cell:
    """A ratio with its interval, without a verdict."""
    limits = formats.ratio_interval(value.value, value.low, value.high)
    return Cell(formats.ratio(value.value), value.value, detail=limits)


def ratios(view: View, part: Part, pair: Pair) -> tuple[Cell, ...]:
    """A pair's ratio in each metric of the run; a reason over all of them if it is invalid."""
    if is_invalid(pair):
        reason = part.why_not_compared_in_short(pair)
        return (Cell(reason, verdict=Verdict.INVALID, span=len(view.metrics)),)
    return tuple(ratio(pair.comparisons.get(metric.key)) for metric in view.metrics)


def is_invalid(pair: Pair) -> bool:
    """Whether any comparison of the pair is."""
    return any(made.verdict is Verdict.INVALID for made in pair.comparisons.values())


def metric_of(metric: Metric, cell: CellSummary) -> Cell:
    """A cell's figure in a metric."""
    return estimate(metric.of(cell))


def scenario(part: Part, *aside: str) -> Cell:
    """The scenario's name; the page has its load below it."""
    return Cell(part.name, aside=(*part.load.split(", "), *aside))


def stack(cell: CellSummary) -> Cell:
    """A stack's name, and whether its figures can be used."""
    return Cell(cell.stack, verdict=state(cell))


def state(cell: CellSummary) -> Verdict | None:
    """What is the matter with a cell, if anything is."""
    if not cell.valid:
        return Verdict.INVALID
    return Verdict.OVERLOADED if cell.overloaded else None


def row(part: Part, cells: tuple[Cell, ...], of: CellSummary | None = None) -> Row:
    """A row that stands with the others of its part."""
    if of is None:
        return Row(cells, group=str(part.plan.key))
    remark = overload_words(of) if of.valid else formats.clean(of.reason)
    return Row(cells, group=str(part.plan.key), is_valid=of.valid, reason=remark)
