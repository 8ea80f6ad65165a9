"""Bars of requests per second; of open load, beside what was due."""

from __future__ import annotations

import math

from harness.models import CellSummary, Estimate, ScheduleKept
from harness.report import formats
from harness.report.charts.caption import (
    Caption,
    all_open,
    any_open,
    as_alt,
    cell_facts,
    joined,
    loads,
    whiskers,
)
from harness.report.charts.panels import bar_panels
from harness.report.charts.sheet import Sheet, styled
from harness.report.view import Part, View

_CLOSED = (
    "Compare within a panel only: the scenarios differ by far more than the stacks do. Intervals "
    "here include the machine's drift from round to round, which the ratios above cancel, so "
    "overlapping whiskers do not mean that two stacks are alike."
)
_OPEN = (
    "Under open load the schedule decides how many requests are served: a bar that reaches the "
    "upright line, which is what was due, keeps up, and says nothing about what the stack could "
    "serve."
)


def caption(view: View) -> Caption:
    """Of closed load: the answer; of open load: whether the schedule was kept."""
    parts = view.answering
    if all_open(parts):
        title, reading = "Does each stack answer all requests that are due?", _OPEN
    else:
        title = "How many requests per second does each stack answer?"
        reading = f"{_CLOSED} {_OPEN}" if any_open(parts) else f"Longer bars are better. {_CLOSED}"
    return Caption(
        title=title,
        note=joined(
            "Every panel has its own scale from zero",
            "bars of open load: right answers per second; upright line: due per second"
            if any_open(parts)
            else "",
            loads(parts),
            "" if all_open(parts) else whiskers(view),
        ),
        reading=reading,
        alt=as_alt(cell_facts(parts, _fact)),
    )


def _fact(cell: CellSummary) -> str:
    if cell.schedule:
        return (
            f"{formats.number(_answered_rps(cell, cell.schedule))} of "
            f"{formats.number(cell.schedule.offered_rps)} requests per second that were due"
        )
    return f"{formats.number(cell.throughput_rps.value)} requests per second"


@styled
def draw(view: View, caption: Caption) -> Sheet:
    """A panel for each part whose samples are requests."""
    return bar_panels(view, caption, view.answering, _answered, due=_due)


def _answered(part: Part, cell: CellSummary) -> Estimate:
    """Of open load a mere count: the schedule leaves nothing to estimate."""
    if cell.schedule:
        return Estimate(_answered_rps(cell, cell.schedule), math.nan, math.nan)
    return cell.throughput_rps


def _answered_rps(cell: CellSummary, kept: ScheduleKept) -> float:
    """An overloaded server answers much of what is due only after the schedule has ended."""
    return cell.overload.answered_rps if cell.overload else kept.achieved_rps


def _due(cell: CellSummary) -> float | None:
    return cell.schedule.offered_rps if cell.schedule else None
