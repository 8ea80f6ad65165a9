"""Latency against percentile; each step to the right is ten times rarer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator

from harness.models import CellSummary, Estimate
from harness.report import formats
from harness.report.charts.caption import (
    Caption,
    any_open,
    as_alt,
    cell_facts,
    joined,
    loads,
    of_headlines,
    whiskers,
)
from harness.report.charts.panels import empty, figure_words, line_panels, round_ticks
from harness.report.charts.sheet import Sheet, hint, styled
from harness.report.metrics import MEDIAN, PERCENTILES, THROUGHPUT, Metric
from harness.report.palette import INVALID, PAPER, Look
from harness.report.view import View
from harness.report.words.method import CLOSED_HIDES, OPEN_SHOWS

_PANEL_IN = 2.3
_END = 0.9991  # of the axis, just beyond p99.9
_ROUNDING = 1e-9
_ASIDE = 0.035  # between the whiskers of neighbouring stacks
_BEYOND = 10  # times the curves' own range: how far an interval may stretch the axis

# ------------------------------------------------------------------------- caption

_READING: Mapping[Metric, str] = {
    THROUGHPUT: f"{CLOSED_HIDES} Read these curves beside the throughput.",
    MEDIAN: (
        f"{OPEN_SHOWS} The dotted line is the service time, from sending to the answer: the "
        "distance between the two is waiting for a free connection."
    ),
}

_CUT = " A line that reaches the edge of its panel is an interval that goes on beyond it."


def caption(view: View) -> Caption:
    """The words around the chart."""
    return Caption(
        title="How long does a request take, from the median to the slowest in a thousand?",
        note=joined(
            "Latency in ms on a logarithmic scale, samples of all rounds pooled",
            "dotted: service time" if any_open(view.answering) else "",
            loads(view.answering),
            whiskers(view),
        ),
        reading=(
            "Lower is better. Each step to the right looks at ten times rarer requests; a curve "
            "that climbs steeply has a few requests that wait long. "
            f"{of_headlines(view.answering, _READING)}"
            f"{_CUT if any(_is_cut(_drawn(part.cells)) for part in view.answering) else ''}"
        ),
        alt=as_alt(cell_facts(view.answering, _fact)),
    )


def _fact(cell: CellSummary) -> str:
    phrases = _percentile_words(cell.latency_ms)
    if cell.schedule:
        phrases += f", of which service {_percentile_words(cell.schedule.service_ms)}"
    return phrases


def _percentile_words(latency_ms: Mapping[str, Estimate]) -> str:
    return ", ".join(
        f"{PERCENTILES[key].words} {formats.number(estimate.value)} ms"
        for key, estimate in latency_ms.items()
        if key in PERCENTILES and math.isfinite(estimate.value)
    )


# ------------------------------------------------------------------------- drawing


@styled
def draw(view: View, caption: Caption) -> Sheet:
    """A panel for each part whose samples are requests."""
    drawn = line_panels(view, caption, _PANEL_IN)
    if drawn is None:
        return empty(caption)
    sheet, panels = drawn
    for part, axes in panels:
        cells = _drawn(part.cells)
        for place, cell in enumerate(cells):
            aside = _ASIDE * (place - (len(cells) - 1) / 2)
            with sheet.owned(axes, cell.stack):
                _line(axes, cell, view.looks[cell.stack], aside)
        axes.set_xlim(_rarity(0.5) - 0.2, 3.2)
        places = [_rarity(percentile.quantile) for percentile in PERCENTILES.values()]
        axes.xaxis.set_major_locator(FixedLocator(places))
        axes.xaxis.set_major_formatter(
            FixedFormatter([percentile.words for percentile in PERCENTILES.values()])
        )
        _latency_axis(axes, cells)
        axes.grid(axis="both")
    return sheet


def _drawn(cells: Iterable[CellSummary]) -> list[CellSummary]:
    return [cell for cell in cells if cell.latency_curve_ms]


def _rarity(quantile: float) -> float:
    """The HDR scale: 1 for p90, 2 for p99, 3 for p99.9."""
    return -math.log10(1 - quantile)


def _line(axes: Axes, cell: CellSummary, look: Look, aside: float) -> None:
    """A curve with its percentiles, whose whiskers stand `aside` so that none hides another."""
    curve = _shown_curve(cell)
    colour = look.colour if cell.valid else INVALID
    (line,) = axes.plot(
        [_rarity(quantile) for quantile, _ in curve],
        [ms for _, ms in curve],
        color=colour,
        lw=1.8 if cell.valid else 1.2,
        zorder=3,
    )
    if look.dashes:
        line.set_dashes(look.dashes)
    _service_line(axes, cell, look)
    for key, estimate in _supported(cell, cell.latency_ms).items():
        if not (math.isfinite(estimate.value) and estimate.value > 0):
            continue
        x = _rarity(PERCENTILES[key].quantile) + aside
        (mark,) = axes.plot(
            [x],
            [estimate.value],
            marker=look.marker,
            markersize=6,
            color=colour,
            markeredgecolor=PAPER,
            markeredgewidth=0.6,
            zorder=5,
        )
        hint(mark, [figure_words(f"{cell.stack}, {PERCENTILES[key].words}", estimate, "ms")])
        if cell.valid and math.isfinite(estimate.high) and estimate.low > 0:
            axes.plot([x, x], [estimate.low, estimate.high], color=colour, lw=1.2, zorder=4)


def _shown_curve(cell: CellSummary) -> list[tuple[float, float]]:
    return [
        (quantile, ms)
        for quantile, ms in cell.latency_curve_ms
        if 0.5 <= quantile <= _END and ms > 0
    ]


def _service_line(axes: Axes, cell: CellSummary, look: Look) -> None:
    """Open load: the time in the server's hands, without the wait before it."""
    if not cell.schedule:
        return
    points = [
        (_rarity(PERCENTILES[key].quantile), estimate.value)
        for key, estimate in _supported(cell, cell.schedule.service_ms).items()
        if math.isfinite(estimate.value) and estimate.value > 0
    ]
    axes.plot(
        [x for x, _ in points],
        [ms for _, ms in points],
        color=look.colour if cell.valid else INVALID,
        alpha=0.75,
        lw=1.1,
        linestyle=(0, (1, 1.6)),
        marker=look.marker,
        markersize=4,
        markerfacecolor=PAPER,
        markeredgewidth=0.9,
        zorder=2.5,
    )


def _supported(cell: CellSummary, estimates: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """The percentiles that the curve reaches: beyond its end there are too few samples."""
    end = max((quantile for quantile, _ in cell.latency_curve_ms), default=0.0)
    return {
        key: estimate
        for key, estimate in estimates.items()
        if PERCENTILES[key].quantile <= end + _ROUNDING
    }


def _latency_axis(axes: Axes, cells: Sequence[CellSummary]) -> None:
    axes.set_yscale("log")
    if not _positive(height for cell in cells for height in _curve_heights(cell)):
        axes.set_yticks([])
        return
    lowest, highest = _reach(cells)
    margin = max(1.12, (highest / lowest) ** 0.08)
    low, high = lowest / margin, highest * margin
    axes.set_ylim(low, high)
    ticks = round_ticks(low, high)
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(
        FixedFormatter([f"{formats.tick(value)}{formats.NBSP}ms" for value in ticks])
    )
    axes.yaxis.set_minor_locator(FixedLocator([]))


def _reach(cells: Sequence[CellSummary]) -> tuple[float, float]:
    """Lowest and highest ms of a panel: every curve, and intervals up to ten times beyond them.

    Intervals of two rounds can span many decades, beside which all curves would look flat.
    """
    curves = _positive(height for cell in cells for height in _curve_heights(cell))
    ends = _positive(end for cell in cells for end in _interval_ends(cell))
    low, high = min(curves), max(curves)
    return (
        max(min([low, *ends]), low / _BEYOND),
        min(max([high, *ends]), high * _BEYOND),
    )


def _is_cut(cells: Sequence[CellSummary]) -> bool:
    """Does an interval go on beyond its panel?"""
    ends = _positive(end for cell in cells for end in _interval_ends(cell))
    if not ends or not _positive(height for cell in cells for height in _curve_heights(cell)):
        return False
    low, high = _reach(cells)
    return min(ends) < low or max(ends) > high


def _positive(heights: Iterable[float]) -> list[float]:
    return [height for height in heights if math.isfinite(height) and height > 0]


def _curve_heights(cell: CellSummary) -> list[float]:
    """What of a cell has to be inside the axes in any case."""
    service = _supported(cell, cell.schedule.service_ms).values() if cell.schedule else ()
    return [*(ms for _, ms in _shown_curve(cell)), *(estimate.value for estimate in service)]


def _interval_ends(cell: CellSummary) -> list[float]:
    intervals = _supported(cell, cell.latency_ms).values() if cell.valid else ()
    return [limit for estimate in intervals for limit in (estimate.low, estimate.high)]
