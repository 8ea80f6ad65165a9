"""What charts share: panels in a grid, bars with whiskers, ticks at round figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness.models import CellSummary, Comparison, Estimate, Verdict
from harness.report import formats
from harness.report.charts.caption import Caption
from harness.report.charts.sheet import (
    CONTENT_IN,
    MARGIN_IN,
    PANEL_PT,
    Sheet,
    drawable,
    shorten,
    text_in,
)
from harness.report.palette import BAND, INK, INVALID, PAPER, QUIET, Look
from harness.report.view import Part, View, is_decided, overload_words

GAP_IN = 0.4  # between columns and between rows of panels
PANEL_HEAD_IN = 0.36
ROW_IN = 0.31  # one bar, or one line of the forest plot
TICKS_IN = 0.28  # below the axes
NOTE_IN = 0.2  # a line that names an invalid or overloaded cell
NOTHING = "no round has finished"
PATCH = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.85, "pad": 1.2}  # behind words
_LONGEST_LABEL_IN = 2.8
_FIGURE_IN = 0.65  # room for the figure beside the longest bar
_TICK_IN = 0.62  # left of the axes of a line chart


def figure_words(of: str, estimate: Estimate, unit: str) -> str:
    """What a browser shows over a mark, as in `flask-gthread, p99: 38.7 ms [36.1, 41.2]`."""
    limits = formats.interval(estimate.low, estimate.high)
    return f"{formats.clean(of)}: {formats.number(estimate.value)}{formats.NBSP}{unit} {limits}"


# ------------------------------------------------------------------------- panels


def empty(caption: Caption, words: str = f"Nothing to show: {NOTHING}.") -> Sheet:
    """A sheet that says why it shows nothing."""
    sheet = Sheet(caption, 0.5)
    sheet.write(MARGIN_IN, sheet.body_in + 0.2, words, color=QUIET)
    return sheet


def panel_head(
    sheet: Sheet,
    part: Part,
    left_in: float,
    top_in: float,
    width_in: float,
    *,
    names_load: bool,
    unit: str = "",
) -> None:
    """The scenario's name, its kind and its load, above a panel."""
    name = shorten(part.name, 2.6, PANEL_PT, "bold")
    sheet.write(left_in, top_in + 0.14, name, size=PANEL_PT, weight="bold")
    after = left_in + text_in(name, PANEL_PT, "bold") + 0.14
    words = f"{part.kind} · {unit or part.load}" if names_load else part.kind
    sheet.write(after, top_in + 0.14, shorten(words, left_in + width_in - after), color=QUIET)


def differ_in_load(parts: Sequence[Part]) -> bool:
    """Whether each panel has to name its load: the note above names an open load of all."""
    return len({part.load for part in parts}) > 1 or not parts[0].plan.load.is_open


def grid_in(heights: Sequence[float], columns: int) -> float:
    """The height of a grid of panels, in inches."""
    return sum(_row_heights(heights, columns)) + GAP_IN * 0.6 * (
        math.ceil(len(heights) / columns) - 1
    )


def grid(
    heights: Sequence[float], columns: int, top_in: float
) -> Iterator[tuple[float, float, float]]:
    """Left, top and width of each panel in inches, row by row."""
    width = (CONTENT_IN - GAP_IN * (columns - 1)) / columns
    tops = [top_in]
    for height in _row_heights(heights, columns):
        tops.append(tops[-1] + height + GAP_IN * 0.6)
    for place in range(len(heights)):
        row, column = divmod(place, columns)
        yield MARGIN_IN + column * (width + GAP_IN), tops[row], width


def _row_heights(heights: Sequence[float], columns: int) -> list[float]:
    return [max(heights[start : start + columns]) for start in range(0, len(heights), columns)]


def label_in(labels: Iterable[str]) -> float:
    """Room for the longest stack name left of the bars."""
    return min(_LONGEST_LABEL_IN, max(text_in(label) for label in labels)) + 0.14


def line_panels(
    view: View, caption: Caption, panel_in: float
) -> tuple[Sheet, list[tuple[Part, Axes]]] | None:
    """A sheet with a legend and axes for each part that has requests; None if there is no cell."""
    parts = view.answering
    if not view.analysis.cells:
        return None
    measured = {cell.stack for part in parts for cell in part.cells}
    legend = {label: look for label, look in view.looks.items() if label in measured}
    heights = [
        PANEL_HEAD_IN
        + (panel_in if part.cells else 0.3)
        + TICKS_IN
        + NOTE_IN * len(list(_remarks(part)))
        for part in parts
    ]
    columns = 1 if len(parts) == 1 else 2
    sheet = Sheet(caption, grid_in(heights, columns), legend)
    panels: list[tuple[Part, Axes]] = []
    names_load = differ_in_load(parts)
    for part, (left, top, width) in zip(parts, grid(heights, columns, sheet.body_in), strict=True):
        panel_head(sheet, part, left, top, width, names_load=names_load)
        if not part.cells:
            sheet.write(left, top + PANEL_HEAD_IN + 0.1, NOTHING, color=QUIET)
            continue
        axes = sheet.place(left + _TICK_IN, top + PANEL_HEAD_IN, width - _TICK_IN, panel_in)
        axes.spines["left"].set_visible(False)
        for place, words in enumerate(_remarks(part)):
            y = top + PANEL_HEAD_IN + panel_in + TICKS_IN + NOTE_IN * (place + 0.5)
            sheet.write(left, y, shorten(words, width), style="italic")
        panels.append((part, axes))
    return sheet, panels


def _remarks(part: Part) -> Iterator[str]:
    """What a line chart says below a panel of its invalid and its overloaded cells."""
    for cell in part.cells:
        if not cell.valid:
            yield f"{cell.stack} invalid: {formats.clean(cell.reason)}"
        elif cell.overloaded:
            yield f"{cell.stack} {overload_words(cell)}"


# --------------------------------------------------------------------------- bars


def bar_panels(
    view: View,
    caption: Caption,
    parts: Sequence[Part],
    estimate: Callable[[Part, CellSummary], Estimate],
    *,
    unit: Callable[[Part], str] = lambda part: "",
    due: Callable[[CellSummary], float | None] = lambda cell: None,
) -> Sheet:
    """A panel of bars for each part, a bar for each of its stacks.

    Args:
        view: whose looks to draw with.
        caption: the words around the chart.
        parts: what has a panel.
        estimate: the length of a cell's bar, and its whiskers.
        unit: stands above a panel in place of its load, where it is not empty.
        due: what a valid bar should reach; an upright line. None where there is no such thing.
    """
    if not view.analysis.cells:
        return empty(caption)
    heights = [PANEL_HEAD_IN + ROW_IN * max(1, len(part.cells)) + TICKS_IN for part in parts]
    columns = 1 if len(parts) == 1 else 2
    sheet = Sheet(caption, grid_in(heights, columns))
    labels_in = label_in(cell.stack for cell in view.analysis.cells)
    names_load = differ_in_load(parts)
    for part, (left, top, width) in zip(parts, grid(heights, columns, sheet.body_in), strict=True):
        panel_head(sheet, part, left, top, width, names_load=names_load, unit=unit(part))
        if not part.cells:
            sheet.write(left, top + PANEL_HEAD_IN + ROW_IN / 2, NOTHING, color=QUIET)
            continue
        axes = sheet.place(
            left + labels_in, top + PANEL_HEAD_IN, width - labels_in, ROW_IN * len(part.cells)
        )
        rows = [(cell, estimate(part, cell), due(cell)) for cell in part.cells]
        _bar_panel(axes, view, rows, labels_in, width - labels_in)
    return sheet


def _bar_panel(
    axes: Axes,
    view: View,
    rows: Sequence[tuple[CellSummary, Estimate, float | None]],
    labels_in: float,
    width_in: float,
) -> None:
    trusted = [shown for cell, shown, _ in rows if cell.valid] or [shown for _, shown, _ in rows]
    marks = [due for _, _, due in rows if due is not None]
    longest = max([*map(_far_end, trusted), *marks]) or 1.0
    figures = [_bar_words(cell, shown, due) for cell, shown, due in rows]
    room_in = max([_FIGURE_IN, *(text_in(words) + 0.12 for words in figures)])
    reach = longest * 1.05 / (1 - min(room_in, width_in / 2) / width_in)
    value_axis(axes, reach, [cell.stack for cell, _, _ in rows], labels_in)
    for row, (cell, shown, due) in enumerate(rows):
        value = shown.value if math.isfinite(shown.value) else 0.0
        if not cell.valid:
            _invalid_bar(axes, row, min(value, reach), cell, width_in)
            continue
        bar(axes, row, value, view.looks[cell.stack])
        if math.isfinite(shown.low) and math.isfinite(shown.high):
            whisker(axes, row, shown)
        end = _far_end(shown)
        if due is not None:
            axes.plot([due] * 2, [row - 0.44, row + 0.44], color=INK, lw=1.6, zorder=4.6)
            end = max(end, due)
        figure_beside(axes, row, end, figures[row])


def _bar_words(cell: CellSummary, shown: Estimate, due: float | None) -> str:
    """The figure beside a bar; a stack that did not reach what was due is called overloaded."""
    late = cell.valid and cell.overloaded and due is not None
    return f"{formats.number(shown.value)}{f' {Verdict.OVERLOADED}' if late else ''}"


def bar(axes: Axes, row: int, value: float, look: Look) -> None:
    """A stack's bar."""
    axes.barh(
        [row],
        [value],
        height=0.64,
        color=look.colour,
        hatch=look.hatch or None,
        edgecolor=PAPER,
        linewidth=0,
        zorder=3,
    )


def _invalid_bar(axes: Axes, row: int, value: float, cell: CellSummary, width_in: float) -> None:
    axes.barh(
        [row],
        [value],
        height=0.64,
        color=BAND,
        hatch="////",
        edgecolor=INVALID,
        linewidth=0.6,
        zorder=2,
    )
    on_paper(axes, row, shorten(f"invalid: {formats.clean(cell.reason)}", width_in - 0.1))


def whisker(axes: Axes, row: float, estimate: Estimate) -> None:
    """The interval, dark upon a light edge so that it shows on every bar."""
    for colour, width, cap, order in ((PAPER, 3.4, 8.0, 4.0), (INK, 1.3, 6.0, 4.5)):
        axes.plot(
            [estimate.low, estimate.high],
            [row, row],
            color=colour,
            lw=width,
            marker="|",
            markersize=cap,
            markeredgewidth=width,
            zorder=order,
        )


def _far_end(estimate: Estimate) -> float:
    ends = [value for value in (estimate.value, estimate.high) if math.isfinite(value)]
    return max(ends, default=0.0)


def value_axis(axes: Axes, reach: float, labels: Sequence[str], labels_in: float) -> None:
    """A scale from zero, and a row for each label."""
    axes.set_xlim(0, reach)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: formats.tick(value)))
    axes.grid(axis="x")
    axes.set_yticks(range(len(labels)), [shorten(label, labels_in - 0.1) for label in labels])
    axes.tick_params(axis="y", labelcolor=INK, pad=5)
    axes.spines["left"].set_color(QUIET)
    axes.spines["bottom"].set_visible(False)


def figure_beside(axes: Axes, row: float, value: float, words: str) -> None:
    """Words right of the end of a bar."""
    axes.annotate(
        drawable(words),
        (value, row),
        xytext=(6, 0),
        textcoords="offset points",
        va="center_baseline",
        color=INK,
        zorder=5,
    )


def on_paper(axes: Axes, row: float, words: str) -> None:
    """Words at the start of a row, readable over a hatched bar."""
    axes.annotate(
        words,
        (0, row),
        xytext=(3.6, 0),
        textcoords="offset points",
        va="center_baseline",
        color=INK,
        style="italic",
        bbox=PATCH,
        zorder=5,
    )


# -------------------------------------------------------------------------- ratios


def ratio_words(comparison: Comparison) -> str:
    """As in `2.34 ×  [2.22, 2.46]`."""
    limits = formats.ratio_interval(comparison.ratio, comparison.ci_low, comparison.ci_high)
    return f"{formats.ratio(comparison.ratio)}  {limits}"


def write_verdict(sheet: Sheet, comparison: Comparison, words: str, y_in: float) -> None:
    """The verdict at the right edge; bold where it names a winner."""
    decided = is_decided(comparison)
    sheet.write(
        MARGIN_IN + CONTENT_IN,
        y_in,
        words,
        ha="right",
        weight="bold" if decided else "normal",
        color=INK if decided else QUIET,
    )


# --------------------------------------------------------------------------- ticks


def round_ticks(low: float, high: float) -> list[float]:
    """Round figures on a log scale, as many as are easily read."""
    ticks: list[float] = []
    for digits in ((1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        ticks = [
            tick
            for decade in range(-4, 7)
            for digit in digits
            if low <= (tick := round(digit * 10.0**decade, 6)) <= high
        ]
        if len(ticks) <= 6:
            break
    return ticks
