"""Throughput over load time, round after round."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness.models import CellSummary, TimelinePoint
from harness.report import formats
from harness.report.charts.caption import Caption, any_open, as_alt, cell_facts, joined
from harness.report.charts.panels import empty, line_panels
from harness.report.charts.sheet import TEXT_PT, Sheet, styled
from harness.report.palette import BAND, INVALID, PAPER, QUIET, Look
from harness.report.view import Part, View

_PANEL_IN = 1.75
_MOST_ROUND_NUMBERS = 12

# ------------------------------------------------------------------------- caption


def caption(view: View) -> Caption:
    """The words around the chart."""
    return Caption(
        title="Did throughput hold steady while it was measured?",
        note=joined(
            "Requests per second over load time", _points(view.answering), view.rounds_words
        ),
        reading=(
            "Each band is one round with fresh processes; the line breaks where processes were "
            "replaced. Lines that rise or sink together show the machine's drift, which cancels in "
            "the ratios; a slope within every band would mean that the warm-up was too short."
            + (
                " Under open load the line follows the schedule: a stack that falls below the "
                "others there did not keep up."
                if any_open(view.answering)
                else ""
            )
        ),
        alt=as_alt(cell_facts(view.answering, _fact)),
    )


def _fact(cell: CellSummary) -> str:
    return f"{formats.number(cell.throughput_rps.value)} requests per second on average"


def _points(parts: Sequence[Part]) -> str:
    most = max((part.slices_per_point for part in parts), default=1)
    if most == 1:
        return "a point: one slice of one stack"
    return f"a point: the mean of up to {most} neighbouring slices of one stack"


# ------------------------------------------------------------------------- drawing


@styled
def draw(view: View, caption: Caption) -> Sheet:
    """A panel for each part whose samples are requests."""
    drawn = line_panels(view, caption, _PANEL_IN)
    if drawn is None:
        return empty(caption)
    sheet, panels = drawn
    for part, axes in panels:
        spans = _round_spans(part.cells)
        fastest = 0.0
        for cell in part.cells:
            for number in spans:
                points = _thinned(
                    [point for point in cell.timeline if point.round == number],
                    part.slices_per_point,
                )
                fastest = max([fastest, *(rate for _, rate in points)])
                with sheet.owned(axes, cell.stack):
                    _round_line(axes, points, cell, view.looks[cell.stack])
        axes.set_ylim(0, (fastest or 1) * 1.22)
        _round_bands(axes, spans)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: formats.tick(value)))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{formats.tick(value)}{formats.NBSP}s")
        )
        axes.grid(axis="y")
    return sheet


def _round_spans(cells: Sequence[CellSummary]) -> dict[int, tuple[float, float]]:
    """Round -> load time at its first and last slice."""
    times: dict[int, list[float]] = {}
    for cell in cells:
        for point in cell.timeline:
            times.setdefault(point.round, []).append(point.elapsed_s)
    return {number: (min(times[number]), max(times[number])) for number in sorted(times)}


def _thinned(points: Sequence[TimelinePoint], size: int) -> list[tuple[float, float]]:
    """So many neighbouring slices averaged into one point."""
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [
        (
            sum(point.elapsed_s for point in group) / len(group),
            sum(point.throughput_rps for point in group) / len(group),
        )
        for group in groups
    ]


def _round_line(
    axes: Axes, points: Sequence[tuple[float, float]], cell: CellSummary, look: Look
) -> None:
    lone = len(points) == 1
    (line,) = axes.plot(
        [elapsed for elapsed, _ in points],
        [rate for _, rate in points],
        color=look.colour if cell.valid else INVALID,
        lw=1.2 if cell.valid else 0.8,
        marker=look.marker,
        markersize=5 if lone else 3.6,
        markevery=[len(points) // 2],
        markeredgecolor=PAPER,
        markeredgewidth=0.4,
        zorder=3,
    )
    if look.dashes:
        line.set_dashes(look.dashes)


def _round_bands(axes: Axes, spans: Mapping[int, tuple[float, float]]) -> None:
    if not spans:
        return
    first, last = min(low for low, _ in spans.values()), max(high for _, high in spans.values())
    edge = 0.02 * ((last - first) or 1.0)
    axes.set_xlim(max(0.0, first - edge) if first >= edge else 0.0, last + edge)
    numbers = list(spans)
    between = [(spans[a][1] + spans[b][0]) / 2 for a, b in pairwise(numbers)]
    starts, ends = [axes.get_xlim()[0], *between], [*between, axes.get_xlim()[1]]
    stride = math.ceil(len(numbers) / _MOST_ROUND_NUMBERS)
    for place, (number, start, end) in enumerate(zip(numbers, starts, ends, strict=True)):
        if place % 2:
            axes.axvspan(start, end, color=BAND, alpha=0.7, lw=0, zorder=0.5)
        if place % stride == 0:
            axes.annotate(
                f"round {number}" if place == 0 and len(numbers) <= 8 else f"{number}",
                ((start + end) / 2, 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, -8),
                textcoords="offset points",
                ha="center",
                va="center_baseline",
                color=QUIET,
                size=TEXT_PT - 1,
            )
