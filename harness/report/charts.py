"""The charts: each answers one question and is made from an analysis alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, MaxNLocator

from harness.models import Analysis, CellSummary, Comparison, Estimate, TimelinePoint, Verdict
from harness.report import formats, outline
from harness.report.captions import Caption, captions
from harness.report.outline import MEDIAN, Pair, Part
from harness.report.palette import BAND, INK, INVALID, PAPER, QUIET, STEPS, Look, looks
from harness.report.sentences import falls
from harness.report.sheet import (
    CONTENT_IN,
    MARGIN_IN,
    PANEL_PT,
    TEXT_PT,
    WIDTH_IN,
    Sheet,
    drawable,
    shorten,
    styled,
    text_in,
)

_GAP_IN = 0.4  # between columns and between rows of panels
_PANEL_HEAD_IN = 0.36
_ROW_IN = 0.31  # one bar, or one line of the forest plot
_TICKS_IN = 0.28  # below the axes
_NOTE_IN = 0.2  # a line that names an invalid cell
_LONGEST_LABEL_IN = 2.8
_NOTHING = "no round has finished"
_PATCH = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.85, "pad": 1.2}  # behind words


# ------------------------------------------------------------------------- ratios


@styled
def ratios(analysis: Analysis) -> Sheet:
    """Forest plot of the ratios that decide, grouped by what the scenarios spend their time on."""
    caption = captions(analysis)["ratios"]
    parts = outline.parts(analysis)
    groups = _groups(parts)
    one_baseline = bool(outline.only_baseline(parts))
    lines = sum(1 + len(rows) for _, rows in groups)
    if not lines:
        return _empty(caption, "There is nothing to compare yet.")
    head_in, foot_in = 0.3, _TICKS_IN
    sheet = Sheet(caption, head_in + lines * _ROW_IN + foot_in)
    top = sheet.body_in + head_in

    rows = [row for _, group in groups for row in group]
    scenario_in = min(1.6, max(text_in(row.part.name, weight="bold") for row in rows) + 0.2)
    pair_in = min(3.6, max(text_in(_pair_words(row.pair, one_baseline)) for row in rows) + 0.25)
    figure_in = max(text_in(_ratio_words(row.comparison)) for row in rows) + 0.2
    verdict_in = 0.95
    plot_left = MARGIN_IN + scenario_in + pair_in
    plot_in = CONTENT_IN - scenario_in - pair_in - figure_in - verdict_in - 0.2
    figure_left = plot_left + plot_in + 0.2

    axes = sheet.place(plot_left, top, plot_in, lines * _ROW_IN)
    axes.set_ylim(lines, 0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    _ratio_axis(axes, [row.comparison for row in rows])
    _legend_above(sheet, axes, plot_left, plot_in, [row.comparison for row in rows])

    line = 0
    look = looks(analysis)
    for kind, group in groups:
        y = top + _ROW_IN * (line + 0.58)
        sheet.write(MARGIN_IN, y, kind[0].upper() + kind[1:], color=QUIET, weight="bold")
        sheet.rule(top + _ROW_IN * (line + 0.98))
        line += 1
        _noise_bands(axes, line, group)
        named = ""
        for part, pair, comparison in group:
            y = top + _ROW_IN * (line + 0.5)
            if part.name != named:
                words = shorten(part.name, scenario_in - 0.1, TEXT_PT, "bold")
                sheet.write(MARGIN_IN, y, words, weight="bold")
            named = part.name
            words = shorten(_pair_words(pair, one_baseline), pair_in - 0.15)
            sheet.write(MARGIN_IN + scenario_in, y, words)
            if comparison.verdict is Verdict.INVALID:
                room = plot_in + figure_in + 0.2
                reason = shorten(part.why_invalid(pair), room)
                sheet.write(plot_left, y, reason, style="italic", bbox=_PATCH)
            else:
                _forest_mark(axes, line + 0.5, comparison, look[pair.candidate])
                sheet.write(figure_left, y, _ratio_words(comparison))
            sheet.write(
                WIDTH_IN - MARGIN_IN,
                y,
                str(comparison.verdict),
                ha="right",
                weight="bold" if outline.decided(comparison) else "normal",
                color=INK if outline.decided(comparison) else QUIET,
            )
            line += 1
    return sheet


class _Row(NamedTuple):
    part: Part
    pair: Pair
    comparison: Comparison


def _groups(parts: Sequence[Part]) -> list[tuple[str, list[_Row]]]:
    """Rows by kind; by metric too, if not the same decides everywhere."""
    mixed = len(outline.headlines(parts)) > 1
    grouped: dict[str, list[_Row]] = {}
    for kind in outline.KINDS.values():
        for metric, words in outline.HEADLINES.items():
            grouped[f"{kind} · {words}" if mixed else kind] = []
            for part in parts:
                if part.kind == kind and (part.decides == metric or not mixed):
                    rows = [_Row(part, *compared) for compared in part.compared]
                    grouped[f"{kind} · {words}" if mixed else kind] += rows
    return [(kind, rows) for kind, rows in grouped.items() if rows]


def _pair_words(pair: Pair, one_baseline: bool) -> str:
    """The pair, or the candidate alone where the note above names the only baseline."""
    return pair.candidate if one_baseline else f"{pair.candidate} ÷ {pair.baseline}"


def _ratio_words(comparison: Comparison) -> str:
    limits = formats.ratio_interval(comparison.ratio, comparison.ci_low, comparison.ci_high)
    return f"{formats.ratio(comparison.ratio)}  {limits}"


def _ratio_axis(axes: Axes, comparisons: Sequence[Comparison]) -> None:
    widest = max(comparison.noise_floor for comparison in comparisons)
    shown = [1 / (1 + 2 * widest), 1 + 2 * widest]
    for comparison in comparisons:
        if comparison.verdict is not Verdict.INVALID:
            shown += [comparison.ratio, comparison.ci_low, comparison.ci_high]
    shown = [value for value in shown if math.isfinite(value) and value > 0]
    margin = max(1.01, (max(shown) / min(shown)) ** 0.06)
    low, high = min(shown) / margin, max(shown) * margin
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    ticks = _ratio_ticks(low, high)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{value:g}{formats.NBSP}×" for value in ticks]))
    axes.xaxis.set_minor_locator(FixedLocator([]))
    axes.grid(axis="x")
    axes.axvline(1, color=QUIET, lw=1, zorder=1)


def _noise_bands(axes: Axes, first_line: int, rows: Sequence[_Row]) -> None:
    """The band of each row's own metric; the first reaches over the group's heading."""
    for place, row in enumerate(rows):
        edge = 1 + row.comparison.noise_floor
        top = first_line + place
        span = [top - (place == 0), top + 1]
        axes.fill_betweenx(span, 1 / edge, edge, color=BAND, lw=0, zorder=0.5)


def _ratio_ticks(low: float, high: float) -> list[float]:
    """The finest of a few scales that has at most seven ticks; 1 is always one of them."""
    decades = range(-6, 7)
    scales: Iterable[Sequence[float]] = (
        [round(0.9 + 0.02 * step, 2) for step in range(11)],
        [round(0.05 * step, 2) for step in range(1, 60)],
        [round(0.1 * step, 1) for step in range(1, 60)],
        [0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5],
        [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8],
        [10.0**decade * digit for decade in decades for digit in (1, 2, 5)],
        [10.0**decade for decade in decades],
    )
    ticks: list[float] = []
    for scale in scales:
        ticks = [value for value in scale if low <= value <= high]
        covers = low >= min(scale) / 1.5 and high <= max(scale) * 1.5
        if covers and 2 <= len(ticks) <= 7:
            break
    return ticks


def _legend_above(
    sheet: Sheet,
    axes: Axes,
    left_in: float,
    width_in: float,
    comparisons: Sequence[Comparison],
) -> None:
    """Names the noise band, and what left and right of it mean where there is room to say."""
    low, high = axes.get_xlim()
    one = left_in + width_in * math.log(1 / low) / math.log(high / low)
    floors = sorted({comparison.noise_floor for comparison in comparisons})
    band = f"noise ±{' or '.join(map(formats.percent, floors))}"
    metrics = {comparison.metric for comparison in comparisons}
    less, more = _DIRECTIONS[metrics.pop()] if len(metrics) == 1 else ("less", "more")
    aside = text_in(band) / 2 + 0.15
    y = sheet.body_in + 0.14
    sheet.write(one, y, band, ha="center", color=QUIET)
    for words, align, room, shift in (
        (f"← {less}", "right", one - left_in, -aside),
        (f"{more} →", "left", left_in + width_in - one, aside),
    ):
        if text_in(words) + aside <= room:
            sheet.write(one + shift, y, words, ha=align, color=QUIET)


_DIRECTIONS: Mapping[str, tuple[str, str]] = {
    outline.THROUGHPUT: ("fewer requests", "more requests"),
    outline.MEDIAN: ("less time", "more time"),
}


def _forest_mark(axes: Axes, y: float, comparison: Comparison, look: Look) -> None:
    if outline.has_interval(comparison):
        axes.plot(
            [comparison.ci_low, comparison.ci_high], [y, y], color=look.colour, lw=2, zorder=3
        )
    axes.plot(
        [comparison.ratio],
        [y],
        marker=look.marker,
        markersize=7,
        markeredgecolor=look.colour,
        markeredgewidth=1.6,
        markerfacecolor=look.colour if outline.decided(comparison) else PAPER,
        zorder=4,
    )


# ---------------------------------------------------------------------- waterfall


class _Fall(NamedTuple):
    """One bar: from one stack's figure to another's."""

    words: str
    pair: Pair
    comparison: Comparison
    is_total: bool


@styled
def waterfall(analysis: Analysis) -> Sheet:
    """The steps from Flask to FastAPI, each beginning where the one before it ends."""
    caption = captions(analysis)["waterfall"]
    parts = outline.with_ladder(outline.parts(analysis))
    if not parts:
        return _empty(caption, "No ladder was measured.")
    falls_of = {part.name: _falls(part) for part in parts}
    rows = [fall for several in falls_of.values() for fall in several]
    heights = [
        _PANEL_HEAD_IN + (_ROW_IN * (1 + len(falls_of[part.name])) + _TICKS_IN + _NOTE_IN)
        for part in parts
    ]
    sheet = Sheet(caption, _grid_in(heights, 1))
    labels = [*(fall.words for fall in rows), _LOWEST]
    words_in = min(2.3, max(text_in(words, weight="bold") for words in labels)) + 0.15
    stack_in = _label_in(part.plan.ladder[-1].after for part in parts)
    stack_in = max([stack_in, *(_label_in([fall.pair.candidate]) for fall in rows)])
    figure_in = max([1.0, *(text_in(_ratio_words(fall.comparison)) for fall in rows)]) + 0.2
    plot_left = MARGIN_IN + words_in + stack_in
    plot_in = CONTENT_IN - words_in - stack_in - figure_in - _STEP_VERDICT_IN
    look = looks(analysis)
    one_load = _one_open_load(parts)
    for part, (left, top, width) in zip(parts, _grid(heights, 1, sheet.body_in), strict=True):
        _panel_head(sheet, part, left, top, width, one_load=one_load)
        lowest = part.cell(part.plan.ladder[0].before)
        several = falls_of[part.name]
        top += _PANEL_HEAD_IN
        if lowest is None or not several:
            sheet.write(left, top + _ROW_IN / 2, _NOTHING, color=QUIET)
            continue
        axes = sheet.place(plot_left, top, plot_in, _ROW_IN * (1 + len(several)))
        axes.set_ylim(1 + len(several), 0)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        _fall_axis(axes, part, several)
        y = top + _ROW_IN / 2
        sheet.write(MARGIN_IN, y, _LOWEST, weight="bold")
        sheet.write(MARGIN_IN + words_in, y, shorten(lowest.stack, stack_in - 0.1), color=QUIET)
        if lowest.valid:
            _rung_mark(axes, 0.5, outline.headline_of(part, lowest), look[lowest.stack])
            figure = f"{formats.number(outline.headline_of(part, lowest))}{_UNITS[part.headline]}"
            sheet.write(plot_left + plot_in + 0.2, y, figure)
        else:
            sheet.write(WIDTH_IN - MARGIN_IN, y, str(Verdict.INVALID), ha="right", color=QUIET)
        for row, fall in enumerate(several, 1):
            y = top + _ROW_IN * (row + 0.5)
            weight = "bold" if fall.is_total else "normal"
            words = shorten(fall.words, words_in - 0.1, TEXT_PT, weight)
            sheet.write(MARGIN_IN, y, words, weight=weight)
            stack = shorten(fall.pair.candidate, stack_in - 0.1)
            sheet.write(MARGIN_IN + words_in, y, stack, color=QUIET)
            if fall.comparison.verdict is Verdict.INVALID:
                reason = shorten(part.why_invalid(fall.pair), plot_in + figure_in)
                sheet.write(plot_left, y, reason, style="italic", bbox=_PATCH)
            else:
                following = [one.comparison.verdict for one in several[row : row + 1]]
                goes_on = following not in ([], [Verdict.INVALID])
                _fall_bar(axes, row + 0.5, part, fall, goes_on=goes_on)
                if fall.is_total:
                    after = part.cell(fall.pair.candidate)
                    assert after is not None
                    value = outline.headline_of(part, after)
                    _rung_mark(axes, row + 0.5, value, look[after.stack])
                words = _ratio_words(fall.comparison)
                sheet.write(plot_left + plot_in + 0.2, y, words, weight=weight)
            sheet.write(
                WIDTH_IN - MARGIN_IN,
                y,
                _STEP_VERDICTS.get(fall.comparison.verdict, str(fall.comparison.verdict)),
                ha="right",
                weight="bold" if outline.decided(fall.comparison) else "normal",
                color=INK if outline.decided(fall.comparison) else QUIET,
            )
            if fall.is_total:
                sheet.rule(y - _ROW_IN / 2)
                if row < len(several):
                    sheet.rule(y + _ROW_IN / 2)
        if part.unused:
            words = f"no step of its own here: {', '.join(part.unused)}"
            y = top + _ROW_IN * (1 + len(several)) + _TICKS_IN + _NOTE_IN / 2
            sheet.write(MARGIN_IN, y, shorten(words, CONTENT_IN), color=QUIET)
    return sheet


_LOWEST = "start"
_STEP_VERDICT_IN = 1.3
_STEP_VERDICTS: Mapping[Verdict, str] = {
    Verdict.SAME: "same (noise)",
}
_UNITS: Mapping[str, str] = {
    outline.THROUGHPUT: f"{formats.NBSP}requests/s",
    MEDIAN: f"{formats.NBSP}ms",
}
_MOST_BESIDE = 2  # how far intervals of too few rounds may push the bars together
_LEAST_SPAN = 1.6  # of the axis: a step of a few percent is to look like one


def _falls(part: Part) -> list[_Fall]:
    """The steps up to the goal, the total, and the steps beyond it."""
    return [
        _Fall(words, pair, pair.comparisons[part.headline], is_total)
        for words, pair, is_total in falls(part)
    ]


def _fall_ends(part: Part, fall: _Fall) -> tuple[float, Estimate]:
    """Where a bar begins, and where it ends with the interval of its ratio."""
    before = part.cell(fall.pair.baseline)
    assert before is not None
    value, made = outline.headline_of(part, before), fall.comparison
    return value, Estimate(value * made.ratio, value * made.ci_low, value * made.ci_high)


def _fall_axis(axes: Axes, part: Part, falls: Sequence[_Fall]) -> None:
    bars: list[float] = []
    limits: list[float] = []
    for fall in falls:
        if fall.comparison.verdict is not Verdict.INVALID:
            value, end = _fall_ends(part, fall)
            bars += [value, end.value]
            limits += [end.low, end.high]
    bars = [value for value in bars if math.isfinite(value) and value > 0] or [1.0]
    limits = [value for value in (*bars, *limits) if math.isfinite(value)]
    low = max(min(limits), min(bars) / _MOST_BESIDE)
    high = min(max(limits), max(bars) * _MOST_BESIDE)
    margin = max(1.04, (high / low) ** 0.04, math.sqrt(_LEAST_SPAN * low / high))
    axes.set_xscale("log")
    axes.set_xlim(low / margin, high * margin)
    ticks = _log_ticks(*axes.get_xlim())
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter([formats.tick(value) for value in ticks]))
    axes.xaxis.set_minor_locator(FixedLocator([]))
    axes.grid(axis="x")


def _log_ticks(low: float, high: float) -> list[float]:
    """Round figures; evenly spaced where a logarithmic scale is nearly a plain one."""
    if high / low > 4:
        return _round_ticks(low, high)
    ticks = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [float(value) for value in ticks if low <= value <= high]


def _fall_bar(axes: Axes, y: float, part: Part, fall: _Fall, *, goes_on: bool) -> None:
    value, end = _fall_ends(part, fall)
    colour = STEPS[fall.comparison.verdict]
    axes.barh(
        [y],
        [end.value - value],
        left=[value],
        height=0.64 if fall.is_total else 0.5,
        color=colour,
        edgecolor=colour,
        linewidth=1,  # so that no difference still is a line
        zorder=3,
    )
    if outline.has_interval(fall.comparison):
        _whisker(axes, y, end)
        low, high = axes.get_xlim()
        for limit, beyond, arrow in ((low, end.low < low, "<"), (high, end.high > high, ">")):
            if beyond:
                axes.plot([limit], [y], marker=arrow, color=INK, ms=5, clip_on=False, zorder=5)
    if goes_on and not fall.is_total:
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


# --------------------------------------------------------------------------- bars


@styled
def throughput(analysis: Analysis) -> Sheet:
    """Requests per second of each stack, scenario by scenario; of open load, beside what was due."""
    return _bars(analysis, "throughput", _answered)


def _answered(cell: CellSummary) -> Estimate:
    """Of open load a mere count: the schedule leaves nothing to estimate."""
    if cell.schedule:
        return Estimate(cell.schedule.achieved_rps, math.nan, math.nan)
    return cell.throughput_rps


@styled
def cpu(analysis: Analysis) -> Sheet:
    """CPU time per request of each stack, scenario by scenario."""
    return _bars(analysis, "cpu", lambda cell: cell.cpu_us_per_request)


def _bars(analysis: Analysis, name: str, estimate: Callable[[CellSummary], Estimate]) -> Sheet:
    caption = captions(analysis)[name]
    parts = outline.parts(analysis) if name == "cpu" else outline.answering(analysis)
    if not analysis.cells:
        return _empty(caption, f"Nothing to show: {_NOTHING}.")
    heights = [_PANEL_HEAD_IN + _ROW_IN * max(1, len(part.cells)) + _TICKS_IN for part in parts]
    columns = 1 if len(parts) == 1 else 2
    sheet = Sheet(caption, _grid_in(heights, columns))
    label_in = _label_in(cell.stack for cell in analysis.cells)
    look = looks(analysis)
    one_load = _one_open_load(parts)
    for part, (left, top, width) in zip(parts, _grid(heights, columns, sheet.body_in), strict=True):
        unit = "ms per start" if part.counts_starts else ""
        _panel_head(sheet, part, left, top, width, one_load=one_load, unit=unit)
        if not part.cells:
            sheet.write(left, top + _PANEL_HEAD_IN + _ROW_IN / 2, _NOTHING, color=QUIET)
            continue
        axes = sheet.place(
            left + label_in,
            top + _PANEL_HEAD_IN,
            width - label_in,
            _ROW_IN * len(part.cells),
        )
        shown = _in_ms(estimate) if part.counts_starts else estimate
        _bar_panel(axes, part, shown, look, label_in, width - label_in)
        if name == "throughput":
            _mark_due(axes, part)
    return sheet


def _in_ms(estimate: Callable[[CellSummary], Estimate]) -> Callable[[CellSummary], Estimate]:
    """A start costs thousands of times what a request does."""

    def scaled(cell: CellSummary) -> Estimate:
        of = estimate(cell)
        return Estimate(of.value / 1000, of.low / 1000, of.high / 1000)

    return scaled


def _mark_due(axes: Axes, part: Part) -> None:
    """Open load: the requests per second that were due of each stack."""
    for row, cell in enumerate(part.cells):
        if cell.schedule and cell.valid:
            due = [cell.schedule.offered_rps] * 2
            axes.plot(due, [row - 0.44, row + 0.44], color=INK, lw=1.6, zorder=4.6)


def _bar_panel(
    axes: Axes,
    part: Part,
    estimate: Callable[[CellSummary], Estimate],
    look: Mapping[str, Look],
    label_in: float,
    width_in: float,
) -> None:
    estimates = [estimate(cell) for cell in part.cells]
    trusted = [e for e, cell in zip(estimates, part.cells, strict=True) if cell.valid] or estimates
    due = [cell.schedule.offered_rps for cell in part.cells if cell.schedule]
    longest = max([_far_end(e) for e in trusted] + (due if estimate is _answered else [])) or 1.0
    reach = longest * 1.05 / (1 - 0.65 / width_in)  # room for the longest bar's figure
    _value_axis(axes, reach, [cell.stack for cell in part.cells], label_in)
    for row, (cell, shown) in enumerate(zip(part.cells, estimates, strict=True)):
        value = shown.value if math.isfinite(shown.value) else 0.0
        if not cell.valid:
            _invalid_bar(axes, row, min(value, reach), cell, width_in)
            continue
        _bar(axes, row, value, look[cell.stack])
        if math.isfinite(shown.low) and math.isfinite(shown.high):
            _whisker(axes, row, shown)
        end = _far_end(shown)
        if cell.schedule and estimate is _answered:
            end = max(end, cell.schedule.offered_rps)
        _figure_beside(axes, row, end, formats.number(shown.value))


def _whisker(axes: Axes, row: float, estimate: Estimate) -> None:
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


def _value_axis(axes: Axes, reach: float, labels: Sequence[str], label_in: float) -> None:
    axes.set_xlim(0, reach)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: formats.tick(value)))
    axes.grid(axis="x")
    axes.set_yticks(range(len(labels)), [shorten(label, label_in - 0.1) for label in labels])
    axes.tick_params(axis="y", labelcolor=INK, pad=5)
    axes.spines["left"].set_color(QUIET)
    axes.spines["bottom"].set_visible(False)


def _bar(axes: Axes, row: int, value: float, look: Look) -> None:
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
    reason = shorten(f"invalid: {formats.clean(cell.reason)}", width_in - 0.1)
    _on_paper(axes, 0.05, row, reason)


def _figure_beside(axes: Axes, row: float, value: float, words: str) -> None:
    axes.annotate(
        drawable(words),
        (value, row),
        xytext=(6, 0),
        textcoords="offset points",
        va="center_baseline",
        color=INK,
        zorder=5,
    )


def _on_paper(axes: Axes, x_in: float, row: float, words: str) -> None:
    """Words at the start of a row, readable over a hatched bar."""
    axes.annotate(
        words,
        (0, row),
        xytext=(72 * x_in, 0),
        textcoords="offset points",
        va="center_baseline",
        color=INK,
        style="italic",
        bbox=_PATCH,
        zorder=5,
    )


# ------------------------------------------------------------------------- memory


@styled
def memory(analysis: Analysis) -> Sheet:
    """Memory of each stack: the scenario that took most, and each scenario as a dot."""
    caption = captions(analysis)["memory"]
    names = outline.measured_stacks(analysis)
    if not names:
        return _empty(caption, f"Nothing to show: {_NOTHING}.")
    cells = {name: [cell for cell in analysis.cells if cell.stack == name] for name in names}
    peaks = [text_in(_peak(cell)) for cell in _sized(analysis.cells)] or [0.0]
    sheet = Sheet(caption, _ROW_IN * len(names) + _TICKS_IN)
    label_in = _label_in(names)
    width_in = CONTENT_IN - label_in
    axes = sheet.place(MARGIN_IN + label_in, sheet.body_in, width_in, _ROW_IN * len(names))
    sizes = [cell.pss_mib for cell in _sized(analysis.cells)] or [0.0]
    reach = (max(sizes) or 1.0) / (1 - (0.3 + max(peaks)) / width_in)
    _value_axis(axes, reach, names, label_in)
    if not any(sizes):
        axes.xaxis.set_major_locator(FixedLocator([]))
    look = looks(analysis)
    for row, name in enumerate(names):
        valid = _sized(cells[name])
        if not valid:
            unknown = any(cell.valid for cell in cells[name])
            words = "not known" if unknown else "invalid in every scenario"
            _on_paper(axes, 0.05, row, words)
            continue
        largest = max(valid, key=lambda cell: cell.pss_mib)
        _bar(axes, row, largest.pss_mib, look[name])
        axes.plot(
            [cell.pss_mib for cell in valid],
            [row] * len(valid),
            linestyle="none",
            marker="o",
            markersize=4.5,
            markerfacecolor=PAPER,
            markeredgecolor=INK,
            markeredgewidth=0.9,
            zorder=4,
        )
        _figure_beside(axes, row, largest.pss_mib, _peak(largest))
    return sheet


def _peak(cell: CellSummary) -> str:
    return f"{formats.number(cell.pss_mib)}{formats.NBSP}MiB ({cell.scenario})"


def _sized(cells: Iterable[CellSummary]) -> list[CellSummary]:
    """The valid cells whose memory is known."""
    return [cell for cell in cells if cell.valid and math.isfinite(cell.pss_mib)]


# ------------------------------------------------------------------------ latency


@styled
def latency(analysis: Analysis) -> Sheet:
    """Latency against percentile; each step to the right is ten times rarer."""
    caption = captions(analysis)["latency"]
    panel_in = 2.3
    for_panel = _line_panels(analysis, "latency", panel_in)
    if for_panel is None:
        return _empty(caption, f"Nothing to show: {_NOTHING}.")
    sheet, panels = for_panel
    look = looks(analysis)
    for part, axes in panels:
        drawn = [cell for cell in part.cells if cell.latency_curve_ms]
        for cell in drawn:
            _latency_line(axes, cell, look[cell.stack])
        axes.set_xlim(_rarity(0.5) - 0.08, 3.12)
        marks = {"median": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}
        axes.xaxis.set_major_locator(FixedLocator([_rarity(q) for q in marks.values()]))
        axes.xaxis.set_major_formatter(FixedFormatter(list(marks)))
        _latency_axis(axes, drawn)
        axes.grid(axis="both")
    return sheet


_QUANTILES: Mapping[str, float] = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}
_ROUNDING = 1e-9


def _rarity(quantile: float) -> float:
    """The HDR scale: 1 for p90, 2 for p99, 3 for p99.9."""
    return -math.log10(1 - quantile)


def _latency_line(axes: Axes, cell: CellSummary, look: Look) -> None:
    curve = [(q, ms) for q, ms in cell.latency_curve_ms if 0.5 <= q <= 0.9991 and ms > 0]
    colour = look.colour if cell.valid else INVALID
    (line,) = axes.plot(
        [_rarity(q) for q, _ in curve],
        [ms for _, ms in curve],
        color=colour,
        lw=1.8 if cell.valid else 1.2,
        zorder=3,
    )
    if look.dashes:
        line.set_dashes(look.dashes)
    _service_line(axes, cell, look)
    for key, estimate in _supported(cell).items():
        quantile = _QUANTILES[key]
        if not (math.isfinite(estimate.value) and estimate.value > 0):
            continue
        x = _rarity(quantile)
        axes.plot(
            [x],
            [estimate.value],
            marker=look.marker,
            markersize=6,
            color=colour,
            markeredgecolor=PAPER,
            markeredgewidth=0.6,
            zorder=5,
        )
        if cell.valid and math.isfinite(estimate.high) and estimate.low > 0:
            axes.plot([x, x], [estimate.low, estimate.high], color=colour, lw=1.2, zorder=4)


def _service_line(axes: Axes, cell: CellSummary, look: Look) -> None:
    """Open load: the time in the server's hands, without the wait before it."""
    if not cell.schedule:
        return
    points = [
        (_rarity(_QUANTILES[key]), estimate.value)
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


def _supported(
    cell: CellSummary, of: Mapping[str, Estimate] | None = None
) -> Mapping[str, Estimate]:
    """The percentiles that the curve reaches: beyond its end there are too few samples."""
    end = max((quantile for quantile, _ in cell.latency_curve_ms), default=0.0)
    return {
        key: estimate
        for key, estimate in (cell.latency_ms if of is None else of).items()
        if _QUANTILES[key] <= end + _ROUNDING
    }


def _latency_axis(axes: Axes, cells: Sequence[CellSummary]) -> None:
    shown = [
        value
        for cell in cells
        for value in (
            *(ms for q, ms in cell.latency_curve_ms if 0.5 <= q <= 0.9991),
            *(
                limit
                for estimate in _supported(cell).values()
                for limit in ((estimate.low, estimate.high) if cell.valid else ())
            ),
            *(
                estimate.value
                for estimate in _supported(
                    cell, cell.schedule.service_ms if cell.schedule else {}
                ).values()
            ),
        )
        if math.isfinite(value) and value > 0
    ]
    axes.set_yscale("log")
    if not shown:
        axes.set_yticks([])
        return
    margin = max(1.12, (max(shown) / min(shown)) ** 0.08)
    low, high = min(shown) / margin, max(shown) * margin
    axes.set_ylim(low, high)
    ticks = _round_ticks(low, high)
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(
        FixedFormatter([f"{formats.tick(value)}{formats.NBSP}ms" for value in ticks])
    )
    axes.yaxis.set_minor_locator(FixedLocator([]))


def _round_ticks(low: float, high: float) -> list[float]:
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


# ----------------------------------------------------------------------- timeline


@styled
def timeline(analysis: Analysis) -> Sheet:
    """Throughput over load time, round after round."""
    caption = captions(analysis)["timeline"]
    for_panel = _line_panels(analysis, "timeline", 1.75)
    if for_panel is None:
        return _empty(caption, f"Nothing to show: {_NOTHING}.")
    sheet, panels = for_panel
    look = looks(analysis)
    for part, axes in panels:
        spans = _round_spans(part.cells)
        size = outline.slices_per_point(part)
        fastest = 0.0
        for cell in part.cells:
            for number in spans:
                points = _thinned(
                    [point for point in cell.timeline if point.round == number],
                    size,
                )
                fastest = max([fastest, *(rate for _, rate in points)])
                _round_line(axes, points, cell, look[cell.stack])
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
    axes.plot(
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


def _round_bands(axes: Axes, spans: Mapping[int, tuple[float, float]]) -> None:
    if not spans:
        return
    first, last = min(low for low, _ in spans.values()), max(high for _, high in spans.values())
    edge = 0.02 * ((last - first) or 1.0)
    axes.set_xlim(max(0.0, first - edge) if first >= edge else 0.0, last + edge)
    numbers = list(spans)
    ends = [(spans[one][1] + spans[other][0]) / 2 for one, other in pairwise(numbers)]
    starts, ends = [axes.get_xlim()[0], *ends], [*ends, axes.get_xlim()[1]]
    stride = math.ceil(len(numbers) / 12)
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


# ------------------------------------------------------------------------- panels


def _line_panels(
    analysis: Analysis, name: str, panel_in: float
) -> tuple[Sheet, list[tuple[Part, Axes]]] | None:
    """A sheet with a legend and one pair of axes per scenario; None if there is no cell."""
    if not analysis.cells:
        return None
    parts = outline.answering(analysis)
    measured = {cell.stack for part in parts for cell in part.cells}
    legend = {label: look for label, look in looks(analysis).items() if label in measured}
    heights = [
        _PANEL_HEAD_IN
        + (panel_in if part.cells else 0.3)
        + _TICKS_IN
        + _NOTE_IN * len(_invalid(part))
        for part in parts
    ]
    columns = 1 if len(parts) == 1 else 2
    sheet = Sheet(captions(analysis)[name], _grid_in(heights, columns), legend)
    tick_in = 0.62
    panels: list[tuple[Part, Axes]] = []
    one_load = _one_open_load(parts)
    for part, (left, top, width) in zip(parts, _grid(heights, columns, sheet.body_in), strict=True):
        _panel_head(sheet, part, left, top, width, one_load=one_load)
        if not part.cells:
            sheet.write(left, top + _PANEL_HEAD_IN + 0.1, _NOTHING, color=QUIET)
            continue
        axes = sheet.place(left + tick_in, top + _PANEL_HEAD_IN, width - tick_in, panel_in)
        axes.spines["left"].set_visible(False)
        notes = top + _PANEL_HEAD_IN + panel_in + _TICKS_IN
        _name_invalid(sheet, part, left, notes, width)
        panels.append((part, axes))
    return sheet, panels


def _panel_head(
    sheet: Sheet,
    part: Part,
    left_in: float,
    top_in: float,
    width_in: float,
    *,
    one_load: bool,
    unit: str = "",
) -> None:
    name = shorten(part.name, 2.6, PANEL_PT, "bold")
    sheet.write(left_in, top_in + 0.14, name, size=PANEL_PT, weight="bold")
    after = left_in + text_in(name, PANEL_PT, "bold") + 0.14
    words = part.kind if one_load else f"{part.kind} · {unit or part.load}"
    sheet.write(after, top_in + 0.14, shorten(words, left_in + width_in - after), color=QUIET)


def _one_open_load(parts: Sequence[Part]) -> bool:
    """Whether the note above has said it: then no panel needs to."""
    return len({part.load for part in parts}) == 1 and parts[0].plan.load.is_open


def _name_invalid(sheet: Sheet, part: Part, left_in: float, top_in: float, width_in: float) -> None:
    """The invalid cells of a panel with their reasons, one below the other."""
    for place, cell in enumerate(_invalid(part)):
        words = f"{cell.stack} invalid: {formats.clean(cell.reason)}"
        y = top_in + _NOTE_IN * (place + 0.5)
        sheet.write(left_in, y, shorten(words, width_in), style="italic")


def _invalid(part: Part) -> list[CellSummary]:
    return [cell for cell in part.cells if not cell.valid]


def _label_in(labels: Iterable[str]) -> float:
    """Room for the longest stack name left of the bars."""
    return min(_LONGEST_LABEL_IN, max(text_in(label) for label in labels)) + 0.14


def _grid_in(heights: Sequence[float], columns: int) -> float:
    return sum(_row_heights(heights, columns)) + _GAP_IN * 0.6 * (
        math.ceil(len(heights) / columns) - 1
    )


def _row_heights(heights: Sequence[float], columns: int) -> list[float]:
    return [max(heights[start : start + columns]) for start in range(0, len(heights), columns)]


def _grid(
    heights: Sequence[float], columns: int, top_in: float
) -> Iterator[tuple[float, float, float]]:
    """Left, top and width of each panel in inches, row by row."""
    width = (CONTENT_IN - _GAP_IN * (columns - 1)) / columns
    tops = [top_in]
    for height in _row_heights(heights, columns):
        tops.append(tops[-1] + height + _GAP_IN * 0.6)
    for place in range(len(heights)):
        row, column = divmod(place, columns)
        yield MARGIN_IN + column * (width + _GAP_IN), tops[row], width


def _empty(caption: Caption, words: str) -> Sheet:
    sheet = Sheet(caption, 0.5)
    sheet.write(MARGIN_IN, sheet.body_in + 0.2, words, color=QUIET)
    return sheet


CHARTS: Mapping[str, Callable[[Analysis], Sheet]] = {
    "ratios": ratios,
    "waterfall": waterfall,
    "throughput": throughput,
    "latency": latency,
    "cpu": cpu,
    "memory": memory,
    "timeline": timeline,
}
"""In the order of the page."""


_OF_REQUESTS = ("throughput", "latency", "timeline")


def charts_of(analysis: Analysis) -> Mapping[str, Callable[[Analysis], Sheet]]:
    """Those that have something to show.

    Without a ladder there is no waterfall; where there is nothing but starts, none of requests.
    """
    silent = set() if outline.with_ladder(outline.parts(analysis)) else {"waterfall"}
    if analysis.cells and not outline.answering(analysis):
        silent.update(_OF_REQUESTS)
    return {name: draw for name, draw in CHARTS.items() if name not in silent}
