"""Bars: what a million requests cost on each stack, at an example of a traffic."""

from __future__ import annotations

import math
from collections.abc import Iterator

from harness.models import EXAMPLE_CURRENCY, Capacity, Cost, Estimate
from harness.report import formats
from harness.report.charts.caption import Caption, as_alt, joined
from harness.report.charts.panels import (
    ROW_IN,
    TICKS_IN,
    bar,
    empty,
    figure_beside,
    label_in,
    on_paper,
    value_axis,
    whisker,
)
from harness.report.charts.sheet import CONTENT_IN, MARGIN_IN, Sheet, shorten, styled, text_in
from harness.report.view import View

#: An interval that reaches further than so many times the figure is cut off there, and its limits
#: still stand beside it: the other bars are to be read too.
_FURTHEST = 3


def caption(view: View) -> Caption:
    """The words around the chart."""
    demands = dict.fromkeys(
        f"{formats.number(each.demand.rate_rps)} requests/s of {each.scenario}, {each.slo}"
        for each in view.analysis.costings
    )
    return Caption(
        title="What do a million requests cost?",
        note=joined(
            f"{EXAMPLE_CURRENCY} per million requests, at example prices",
            "; ".join(demands),
            "lines: by the 95\N{NO-BREAK SPACE}% intervals of capacities",
        ),
        reading=(
            "Shorter bars are better. Whole containers are paid, whether or not the traffic fills "
            "the last one; where one number of containers serves for the whole interval of a "
            "capacity, there is no line. A line ends at three times the figure at most; the figures "
            "beside it are the limits."
        ),
        alt=as_alt(_facts(view)),
    )


def _facts(view: View) -> Iterator[str]:
    """Each row in words, for those who can't see the chart."""
    for name, found, made in _rows(view):
        if made is None or not math.isfinite(made.per_million.value):
            yield f"{name} not known: {_why_not(found, made)}"
        else:
            containers = formats.plural(made.containers, "container")
            yield f"{name} {_words(made)} in {containers}"


def _rows(view: View) -> list[tuple[str, Capacity, Cost | None]]:
    """Label, capacity and cost of each row, in the order of the capacities."""
    costings = view.analysis.costings
    rows = []
    for costing in costings:
        made = {each.capacity.stack: each for each in costing.costs}
        for found in view.analysis.capacities:
            if (found.scenario, found.slo) == (costing.scenario, costing.slo):
                name = f"{found.scenario}: {found.stack}" if len(costings) > 1 else found.stack
                rows.append((name, found, made.get(found.stack)))
    return rows


@styled
def draw(view: View, caption: Caption) -> Sheet:
    """A row for each stack and promise."""
    rows = _rows(view)
    if not rows:
        return empty(caption)
    names = [name for name, _, _ in rows]
    sheet = Sheet(caption, ROW_IN * len(rows) + TICKS_IN)
    labels_in = label_in(names)
    width_in = CONTENT_IN - labels_in
    axes = sheet.place(MARGIN_IN + labels_in, sheet.body_in, width_in, ROW_IN * len(rows))
    known = [
        made for _, _, made in rows if made is not None and math.isfinite(made.per_million.value)
    ]
    words_in = max((text_in(_words(made)) for made in known), default=0.0)
    longest = max((_shown(made).high for made in known), default=0.0) or 1.0
    value_axis(axes, longest / (1 - (0.3 + words_in) / width_in), names, labels_in)
    for row, (_, found, made) in enumerate(rows):
        if made is None or not math.isfinite(made.per_million.value):
            on_paper(axes, row, shorten(f"not known: {_why_not(found, made)}", width_in - 0.2))
            continue
        shown = _shown(made)
        bar(axes, row, shown.value, view.looks[found.stack])
        if shown.low < shown.high:
            whisker(axes, row, shown)
        figure_beside(axes, row, shown.high, _words(made))
    return sheet


def _why_not(found: Capacity, made: Cost | None) -> str:
    """Why a row has no figure."""
    return formats.clean(found.reason) if made is None else "its memory was not measured"


def _shown(made: Cost) -> Estimate:
    """What is drawn: the bar and the ends of its line."""
    found = made.per_million
    return Estimate(found.value, found.low, min(found.high, _FURTHEST * found.value))


def _words(made: Cost) -> str:
    found = made.per_million
    figure = formats.number(found.value)
    if found.low == found.high:
        return figure
    return f"{figure} {formats.interval(found.low, found.high)}"
