"""Dots and intervals: the highest rate at which each stack keeps a promise."""

from __future__ import annotations

import math
from collections.abc import Iterator

from harness.models import Capacity
from harness.report import formats
from harness.report.charts.caption import Caption, as_alt, joined
from harness.report.charts.panels import (
    ROW_IN,
    TICKS_IN,
    empty,
    label_in,
    on_paper,
    value_axis,
)
from harness.report.charts.sheet import (
    CONTENT_IN,
    MARGIN_IN,
    Sheet,
    drawable,
    shorten,
    styled,
    text_in,
)
from harness.report.palette import INK, PAPER
from harness.report.view import View


def caption(view: View) -> Caption:
    """The words around the chart."""
    found = view.analysis.capacities
    promises = list(dict.fromkeys(f"{each.scenario}, {each.slo}" for each in found))
    return Caption(
        title="How many requests a second does each stack take and keep the promise?",
        note=joined(
            "Highest rate of open load in requests/s",
            "; ".join(promises),
            view.rounds_words,
            "line: 95 % interval",
        ),
        reading=(
            "Further right is better. Small dots are single rounds. A hollow mark is a capacity "
            "that can't be relied on; the table says why."
        ),
        alt=as_alt(_facts(found)),
    )


def _facts(found: tuple[Capacity, ...]) -> Iterator[str]:
    for each in found:
        if math.isfinite(each.rate_rps.value):
            limits = formats.limits(each.rate_rps.low, each.rate_rps.high)
            yield (
                f"{each.scenario}, {each.slo}: {each.stack} "
                f"{formats.number(each.rate_rps.value)} requests/s ({limits})"
            )
        else:
            yield f"{each.scenario}, {each.slo}: {each.stack} not known ({each.reason})"


@styled
def draw(view: View, caption: Caption) -> Sheet:
    """A row for each stack and promise."""
    found = view.analysis.capacities
    if not found:
        return empty(caption)
    several = len({(each.scenario, each.slo) for each in found}) > 1
    names = [f"{each.scenario}: {each.stack}" if several else each.stack for each in found]
    sheet = Sheet(caption, ROW_IN * len(names) + TICKS_IN)
    labels_in = label_in(names)
    width_in = CONTENT_IN - labels_in
    axes = sheet.place(MARGIN_IN + labels_in, sheet.body_in, width_in, ROW_IN * len(names))
    known = [each for each in found if math.isfinite(each.rate_rps.value)]
    words_in = max((text_in(_words(each)) for each in known), default=0.0)
    furthest = max((_furthest(each) for each in known), default=1.0)
    value_axis(axes, furthest / (1 - (0.3 + words_in) / width_in), names, labels_in)
    for row, each in enumerate(found):
        if not math.isfinite(each.rate_rps.value):
            on_paper(axes, row, shorten(f"not known: {each.reason}", width_in - 0.2))
            continue
        colour = view.looks[each.stack].colour
        rounds = [rate for rate in each.round_rps if rate is not None]
        axes.plot(
            rounds,
            [row + 0.3] * len(rounds),
            linestyle="none",
            marker=".",
            markersize=4,
            color=colour,
            alpha=0.7,
        )
        if math.isfinite(each.rate_rps.low):
            axes.plot(
                [each.rate_rps.low, min(each.rate_rps.high, _furthest(each))],
                [row, row],
                color=colour,
                lw=2.2,
            )
        axes.plot(
            [each.rate_rps.value],
            [row],
            marker=view.looks[each.stack].marker,
            markersize=8,
            markerfacecolor=colour if each.valid else PAPER,
            markeredgecolor=colour,
            markeredgewidth=1.4,
            zorder=4,
        )
        axes.annotate(
            drawable(_words(each)),
            (_furthest(each), row),
            xytext=(8, 0),
            textcoords="offset points",
            va="center_baseline",
            color=INK,
            zorder=5,
        )
    return sheet


def _furthest(found: Capacity) -> float:
    """The right end of what is drawn of a capacity."""
    ends = [found.rate_rps.value, *(rate for rate in found.round_rps if rate is not None)]
    if math.isfinite(found.rate_rps.high):
        ends.append(min(found.rate_rps.high, 3 * found.rate_rps.value))
    return max(ends)


def _words(found: Capacity) -> str:
    figure = formats.number(found.rate_rps.value)
    return f"{figure} {formats.interval(found.rate_rps.low, found.rate_rps.high)}"
