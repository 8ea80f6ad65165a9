"""The waterfall: the steps from Flask to FastAPI, each beginning where the one before it ends."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator

from harness.models import Comparison, Estimate, Verdict
from harness.report import formats
from harness.report.charts.caption import Caption, as_alt, joined, loads, of_headlines, whiskers
from harness.report.charts.panels import (
    NOTE_IN,
    NOTHING,
    PANEL_HEAD_IN,
    PATCH,
    ROW_IN,
    TICKS_IN,
    differ_in_load,
    empty,
    grid,
    grid_in,
    label_in,
    panel_head,
    ratio_words,
    round_ticks,
    whisker,
    write_verdict,
)
from harness.report.charts.sheet import (
    CONTENT_IN,
    MARGIN_IN,
    TEXT_PT,
    Sheet,
    shorten,
    styled,
    text_in,
)
from harness.report.metrics import HEADLINES, MEDIAN, THROUGHPUT, Metric
from harness.report.palette import INK, PAPER, QUIET, Look
from harness.report.verdicts import MARKS, step_words, verdict_words
from harness.report.view import Fall, Part, View, has_interval, has_ratio
from harness.report.words.ratios import figure_words

_LOWEST = "start"
_VERDICT_IN = 1.3
_MOST_BESIDE = 2  # how far intervals of too few rounds may push the bars together
_LEAST_SPAN = 1.6  # of the axis: a step of a few percent is to look like one

# ------------------------------------------------------------------------- caption

_READING: Mapping[Metric, str] = {
    THROUGHPUT: "To the right: more requests per second.",
    MEDIAN: "Open load, to the left: less time for the median request.",
}


def caption(view: View) -> Caption:
    """The words around the chart."""
    parts = view.climbing
    metrics = of_headlines(parts, {metric: metric.name for metric in HEADLINES}, " or ")
    return Caption(
        title="Which step between Flask and FastAPI makes how much of the difference?",
        note=joined(
            f"{metrics.capitalize()} from rung to rung, on a logarithmic scale",
            loads(parts),
            whiskers(view).replace("intervals", "intervals of each step"),
        ),
        reading=(
            "Each bar begins where the one above it ends: two stacks that differ in what the row "
            "names, and in whatever has no step of its own here. "
            f"{of_headlines(parts, _READING)} Equal ratios have equal lengths, so the bars add up "
            "to the total. A grey bar names no cause: the step is too small to matter, or too "
            "uncertain to attribute. An arrowhead says that an interval goes on beyond the "
            "drawing. What stands below the total goes on from FastAPI as it is commonly run: a bar "
            "there begins where the total ends, unless a line joins it to the bar above it."
        ),
        alt=as_alt(_facts(parts)),
    )


def _facts(parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        for climb in part.climbs:
            comparison = climb.pair.comparisons[part.headline.key]
            name = f"{part.title}: {climb.words}"
            if has_ratio(comparison):
                yield f"{name} {figure_words(comparison)}, {step_words(comparison)}"
            else:
                yield f"{name} {comparison.verdict} ({part.why_not_compared(climb.pair)})"


# ------------------------------------------------------------------------- drawing


class _Row(NamedTuple):
    """One bar: from one stack's figure to another's."""

    fall: Fall
    comparison: Comparison


class _Columns(NamedTuple):
    """Where the columns of every panel begin, in inches from the left edge."""

    words_in: float  # widths
    stack_in: float
    plot_in: float
    figure_in: float

    @property
    def stack(self) -> float:
        return MARGIN_IN + self.words_in

    @property
    def plot(self) -> float:
        return self.stack + self.stack_in

    @property
    def figure(self) -> float:
        return self.plot + self.plot_in + 0.2


@styled
def draw(view: View, caption: Caption) -> Sheet:
    """A panel for each part with a ladder."""
    parts = view.climbing
    if not parts:
        return empty(caption, "No ladder was measured.")
    rows_of = {part.plan.key: _rows(part) for part in parts}
    heights = [
        PANEL_HEAD_IN + (ROW_IN * (1 + len(rows_of[part.plan.key])) + TICKS_IN + NOTE_IN)
        for part in parts
    ]
    sheet = Sheet(caption, grid_in(heights, 1))
    columns = _columns(parts, [row for rows in rows_of.values() for row in rows])
    names_load = differ_in_load(parts)
    for part, (left, top, width) in zip(parts, grid(heights, 1, sheet.body_in), strict=True):
        panel_head(sheet, part, left, top, width, names_load=names_load)
        rows = rows_of[part.plan.key]
        if part.cell(part.plan.ladder[0].before) is None or not rows:
            sheet.write(left, top + PANEL_HEAD_IN + ROW_IN / 2, NOTHING, color=QUIET)
            continue
        _panel(sheet, view, part, rows, top + PANEL_HEAD_IN, columns)
    return sheet


def _rows(part: Part) -> list[_Row]:
    return [_Row(fall, fall.pair.comparisons[part.headline.key]) for fall in part.falls]


def _columns(parts: Sequence[Part], rows: Sequence[_Row]) -> _Columns:
    labels = [*(row.fall.words for row in rows), _LOWEST]
    words_in = min(2.3, max(text_in(words, weight="bold") for words in labels)) + 0.15
    stacks = [part.plan.ladder[-1].after for part in parts]
    stack_in = label_in([*stacks, *(row.fall.pair.candidate for row in rows)])
    figure_in = max([1.0, *(text_in(ratio_words(row.comparison)) for row in rows)]) + 0.2
    plot_in = CONTENT_IN - words_in - stack_in - figure_in - _VERDICT_IN
    return _Columns(words_in, stack_in, plot_in, figure_in)


def _panel(
    sheet: Sheet,
    view: View,
    part: Part,
    rows: Sequence[_Row],
    top_in: float,
    columns: _Columns,
) -> None:
    axes = sheet.place(columns.plot, top_in, columns.plot_in, ROW_IN * (1 + len(rows)))
    axes.set_ylim(1 + len(rows), 0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    _axis(axes, part, rows)
    _lowest_rung(sheet, axes, view, part, top_in + ROW_IN / 2, columns)
    for place, row in enumerate(rows, 1):
        y = top_in + ROW_IN * (place + 0.5)
        following = rows[place : place + 1]
        goes_on = any(
            other.fall.pair.baseline == row.fall.pair.candidate and has_ratio(other.comparison)
            for other in following
        )
        _row_words(sheet, part, row, y, columns)
        if has_ratio(row.comparison):
            _bar(axes, place + 0.5, part, row, goes_on=goes_on)
            after = part.cell(row.fall.pair.candidate)
            if row.fall.is_total and after is not None:
                value = part.headline.of(after).value
                _rung_mark(axes, place + 0.5, value, view.looks[after.stack])
        if row.fall.is_total:
            sheet.rule(y - ROW_IN / 2)
            if following:
                sheet.rule(y + ROW_IN / 2)
    if part.unused_steps:
        words = f"no step of its own here: {', '.join(part.unused_steps)}"
        y = top_in + ROW_IN * (1 + len(rows)) + TICKS_IN + NOTE_IN / 2
        sheet.write(MARGIN_IN, y, shorten(words, CONTENT_IN), color=QUIET)


def _lowest_rung(
    sheet: Sheet, axes: Axes, view: View, part: Part, y_in: float, columns: _Columns
) -> None:
    lowest = part.cell(part.plan.ladder[0].before)
    assert lowest is not None
    sheet.write(MARGIN_IN, y_in, _LOWEST, weight="bold")
    sheet.write(columns.stack, y_in, shorten(lowest.stack, columns.stack_in - 0.1), color=QUIET)
    if lowest.valid:
        value = part.headline.of(lowest).value
        _rung_mark(axes, 0.5, value, view.looks[lowest.stack])
        sheet.write(columns.figure, y_in, part.headline.with_unit(value))
    else:
        invalid = str(Verdict.INVALID)
        sheet.write(MARGIN_IN + CONTENT_IN, y_in, invalid, ha="right", color=QUIET)


def _row_words(sheet: Sheet, part: Part, row: _Row, y_in: float, columns: _Columns) -> None:
    """What stands left and right of a bar; a reason in its place where there is none."""
    fall, comparison = row
    weight = "bold" if fall.is_total else "normal"
    words = shorten(fall.words, columns.words_in - 0.1, TEXT_PT, weight)
    sheet.write(MARGIN_IN, y_in, words, weight=weight)
    stack = shorten(fall.pair.candidate, columns.stack_in - 0.1)
    sheet.write(columns.stack, y_in, stack, color=QUIET)
    if has_ratio(comparison):
        sheet.write(columns.figure, y_in, ratio_words(comparison), weight=weight)
    else:
        reason = shorten(part.why_not_compared(fall.pair), columns.plot_in + columns.figure_in)
        sheet.write(columns.plot, y_in, reason, style="italic", bbox=PATCH)
    write_verdict(sheet, comparison, verdict_words(comparison), y_in)


def _ends(part: Part, row: _Row) -> tuple[float, Estimate]:
    """Where a bar begins, and where it ends with the interval of its ratio."""
    before = part.cell(row.fall.pair.baseline)
    assert before is not None
    value, made = part.headline.of(before).value, row.comparison
    return value, Estimate(value * made.ratio, value * made.ci_low, value * made.ci_high)


def _axis(axes: Axes, part: Part, rows: Sequence[_Row]) -> None:
    bars: list[float] = []
    limits: list[float] = []
    for row in rows:
        if has_ratio(row.comparison):
            value, end = _ends(part, row)
            bars += [value, end.value]
            limits += [end.low, end.high]
    bars = [value for value in bars if math.isfinite(value) and value > 0] or [1.0]
    limits = [value for value in (*bars, *limits) if math.isfinite(value)]
    low = max(min(limits), min(bars) / _MOST_BESIDE)
    high = min(max(limits), max(bars) * _MOST_BESIDE)
    margin = max(1.04, (high / low) ** 0.04, math.sqrt(_LEAST_SPAN * low / high))
    axes.set_xscale("log")
    axes.set_xlim(low / margin, high * margin)
    ticks = _ticks(*axes.get_xlim())
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter([formats.tick(value) for value in ticks]))
    axes.xaxis.set_minor_locator(FixedLocator([]))
    axes.grid(axis="x")


def _ticks(low: float, high: float) -> list[float]:
    """Round figures; evenly spaced where a logarithmic scale is nearly a plain one."""
    if high / low > 4:
        return round_ticks(low, high)
    ticks = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [float(value) for value in ticks if low <= value <= high]


def _bar(axes: Axes, y: float, part: Part, row: _Row, *, goes_on: bool) -> None:
    value, end = _ends(part, row)
    colour = MARKS[row.comparison.verdict].bar
    axes.barh(
        [y],
        [end.value - value],
        left=[value],
        height=0.64 if row.fall.is_total else 0.5,
        color=colour,
        edgecolor=colour,
        linewidth=1,  # so that no difference still is a line
        zorder=3,
    )
    if has_interval(row.comparison):
        whisker(axes, y, end)
        low, high = axes.get_xlim()
        for limit, beyond, arrow in ((low, end.low < low, "<"), (high, end.high > high, ">")):
            if beyond:
                axes.plot([limit], [y], marker=arrow, color=INK, ms=5, clip_on=False, zorder=5)
    if goes_on and not row.fall.is_total:
        axes.plot([end.value] * 2, [y, y + 1], color=QUIET, lw=0.8, zorder=2)


def _rung_mark(axes: Axes, y: float, value: float, look: Look) -> None:
    axes.plot(
        [value],
        [y],
        marker=look.marker,
        markersize=8,
        markerfacecolor=look.colour,
        markeredgecolor=PAPER,
        markeredgewidth=1,
        zorder=3.5,  # the interval goes before it
    )
