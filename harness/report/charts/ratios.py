"""The forest plot: the ratio that decides each comparison, with its interval."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator

from harness.models import Comparison, Verdict
from harness.report import formats
from harness.report.charts.caption import Caption, as_alt, joined, loads, of_headlines, whiskers
from harness.report.charts.panels import (
    PATCH,
    ROW_IN,
    TICKS_IN,
    empty,
    ratio_words,
    write_verdict,
)
from harness.report.charts.sheet import (
    CONTENT_IN,
    MARGIN_IN,
    TEXT_PT,
    WIDTH_IN,
    Sheet,
    shorten,
    styled,
    text_in,
)
from harness.report.metrics import HEADLINES, MEDIAN, START, THROUGHPUT, Metric
from harness.report.palette import BAND, PAPER, QUIET, Look
from harness.report.verdicts import verdict_words
from harness.report.view import (
    KINDS,
    TWINS,
    Pair,
    Part,
    View,
    has_interval,
    has_ratio,
    is_decided,
)
from harness.report.words.ratios import why_inconclusive

_VERDICT_IN = 0.95

# ------------------------------------------------------------------------- caption


def caption(view: View) -> Caption:
    """The words around the chart."""
    metrics = of_headlines(view.parts, {metric: metric.name for metric in HEADLINES}, " or ")
    those = "those" if THROUGHPUT in view.headlines or not view.parts else "that"
    return Caption(
        title=_title(view),
        note=joined(
            f"{metrics.capitalize()} ÷ {those} of {view.only_baseline or 'the baseline'}, on a "
            "logarithmic scale",
            loads(view.parts),
            whiskers(view),
        ),
        reading=(
            f"{of_headlines(view.parts, _READING)} The line through a mark is the 95 % interval. A "
            "winner is named only where the line stays clear of 1 × and the mark lies outside the "
            "grey band, which is too small a difference to matter; hollow marks are comparisons without one."
        ),
        alt=as_alt(_facts(view.parts)),
    )


_READING: Mapping[Metric, str] = {
    THROUGHPUT: (
        "Closed load: a mark right of 1 × means that the candidate served more requests per "
        "second than the baseline."
    ),
    MEDIAN: (
        "Open load: a mark left of 1 × means that the median request took less time with the "
        "candidate than with the baseline, at the same rate."
    ),
    START: "Starts: a mark left of 1 × means that the candidate was ready sooner than the baseline.",
}


def _title(view: View) -> str:
    pairs = {
        (baseline, candidate)
        for plan in view.run.blocks
        for baseline, candidate in plan.pairs
        if baseline in view.stacks and candidate in view.stacks
    }
    baselines = {baseline: view.stacks[baseline] for baseline, _ in pairs}
    candidates = {candidate: view.stacks[candidate] for _, candidate in pairs}
    names = {stack.name for stack in (*baselines.values(), *candidates.values())}
    if not pairs:
        return "How do the stacks compare?"
    workers = {stack.workers for stack in (*baselines.values(), *candidates.values())}
    if len(names) == 1 and len(workers) > 1:
        return f"What do more worker processes do for {names.pop()}?"
    if len(names) == 1:
        return f"How does {names.pop()} compare with itself?"
    all_twins = all(stack.own is None for stack in (*baselines.values(), *candidates.values()))
    old = {stack.twin if all_twins else stack.label for stack in baselines.values()}
    new = {stack.twin if all_twins else stack.label for stack in candidates.values()}
    if len(old) == len(new) == 1 and old != new:
        return f"How does {_twin(new.pop())} compare with {_twin(old.pop())}?"
    if len(baselines) == 1:
        return f"How do the other stacks compare with {next(iter(baselines))}?"
    return "How do the candidates compare with their baselines?"


def _twin(twin: str) -> str:
    return TWINS.get(twin, twin)


def _facts(parts: Iterable[Part]) -> Iterator[str]:
    for part in parts:
        for pair, comparison in part.compared:
            names = f"{part.title}: {pair.candidate} ÷ {pair.baseline}"
            if not has_ratio(comparison):
                yield f"{names} {comparison.verdict} ({part.why_not_compared(pair)})"
                continue
            of = "" if part.headline == THROUGHPUT else f" of the {part.headline.name}"
            undecided = comparison.verdict is Verdict.INCONCLUSIVE
            why = f" ({why_inconclusive(comparison, part.round_s)})" if undecided else ""
            limits = formats.ratio_interval(comparison.ratio, comparison.ci_low, comparison.ci_high)
            yield (
                f"{names} {formats.ratio(comparison.ratio)} {limits}{of}, {verdict_words(comparison)}{why}"
            )


# ------------------------------------------------------------------------- drawing


class RatioRow(NamedTuple):
    """A line of the chart."""

    part: Part
    pair: Pair
    comparison: Comparison


@styled
def draw(view: View, caption: Caption) -> Sheet:
    """Rows grouped by what the scenarios spend their time on."""
    groups = grouped(view)
    lines = sum(1 + len(rows) for _, rows in groups)
    if not lines:
        return empty(caption, "There is nothing to compare yet.")
    head_in = 0.3
    sheet = Sheet(caption, head_in + lines * ROW_IN + TICKS_IN)
    top = sheet.body_in + head_in

    rows = [row for _, group in groups for row in group]
    scenario_in = min(2.6, max(text_in(row.part.title, weight="bold") for row in rows) + 0.2)
    pair_in = min(3.6, max(text_in(pair_words(view, row.pair)) for row in rows) + 0.25)
    figure_in = max(text_in(ratio_words(row.comparison)) for row in rows) + 0.2
    plot_left = MARGIN_IN + scenario_in + pair_in
    plot_in = CONTENT_IN - scenario_in - pair_in - figure_in - _VERDICT_IN - 0.2
    figure_left = plot_left + plot_in + 0.2

    axes = sheet.place(plot_left, top, plot_in, lines * ROW_IN)
    axes.set_ylim(lines, 0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    _ratio_axis(axes, [row.comparison for row in rows])
    _legend_above(sheet, axes, plot_left, plot_in, rows)

    line = 0
    for heading, group in groups:
        y = top + ROW_IN * (line + 0.58)
        sheet.write(MARGIN_IN, y, heading[0].upper() + heading[1:], color=QUIET, weight="bold")
        sheet.rule(top + ROW_IN * (line + 0.98))
        line += 1
        _bands(axes, line, group)
        named = ""
        for part, pair, comparison in group:
            y = top + ROW_IN * (line + 0.5)
            if part.title != named:
                words = shorten(part.title, scenario_in - 0.1, TEXT_PT, "bold")
                sheet.write(MARGIN_IN, y, words, weight="bold")
            named = part.title
            words = shorten(pair_words(view, pair), pair_in - 0.15)
            sheet.write(MARGIN_IN + scenario_in, y, words)
            if has_ratio(comparison):
                _mark(axes, line + 0.5, comparison, view.looks[pair.candidate])
                sheet.write(figure_left, y, ratio_words(comparison))
            else:
                reason = shorten(part.why_not_compared(pair), plot_in + figure_in + 0.2)
                sheet.write(plot_left, y, reason, style="italic", bbox=PATCH)
            write_verdict(sheet, comparison, verdict_words(comparison), y)
            line += 1
    return sheet


def grouped(view: View) -> list[tuple[str, list[RatioRow]]]:
    """Rows by kind; by metric too, if not the same one decides everywhere."""
    mixed = len(view.headlines) > 1
    found: dict[str, list[RatioRow]] = {}
    for kind in KINDS.values():
        for metric in HEADLINES if mixed else (None,):
            rows = [
                RatioRow(part, *compared)
                for part in view.parts
                if part.kind == kind and metric in (part.headline, None)
                for compared in part.compared
            ]
            found[f"{kind} · {metric.heading}" if metric else kind] = rows
    return [(heading, rows) for heading, rows in found.items() if rows]


def pair_words(view: View, pair: Pair) -> str:
    """The pair, or the candidate alone where the note above names the only baseline."""
    return pair.candidate if view.only_baseline else f"{pair.candidate} ÷ {pair.baseline}"


def reach(comparisons: Sequence[Comparison]) -> tuple[float, float]:
    """Both ends of an axis that holds every ratio with its interval, and the band around 1."""
    widest = max(comparison.same_within for comparison in comparisons)
    shown = [1 / (1 + 2 * widest), 1 + 2 * widest]
    for comparison in comparisons:
        if has_ratio(comparison):
            shown += [comparison.ratio, comparison.ci_low, comparison.ci_high]
    shown = [value for value in shown if math.isfinite(value) and value > 0]
    margin = max(1.01, (max(shown) / min(shown)) ** 0.06)
    return min(shown) / margin, max(shown) * margin


def _ratio_axis(axes: Axes, comparisons: Sequence[Comparison]) -> None:
    low, high = reach(comparisons)
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    ticks = ratio_ticks(low, high)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter(_named(axes, ticks)))
    axes.xaxis.set_minor_locator(FixedLocator([]))
    axes.grid(axis="x")
    axes.axvline(1, color=QUIET, lw=1, zorder=1)


def _bands(axes: Axes, first_line: int, rows: Sequence[RatioRow]) -> None:
    """The band of each row's own metric; the first reaches over the group's heading."""
    for place, row in enumerate(rows):
        edge = 1 + row.comparison.same_within
        top = first_line + place
        span = [top - (place == 0), top + 1]
        axes.fill_betweenx(span, 1 / edge, edge, color=BAND, lw=0, zorder=0.5)


def ratio_ticks(low: float, high: float) -> list[float]:
    """The finest of a few scales that has at most seven ticks; 1 is always one of them."""
    decades = range(-6, 7)
    scales: Iterable[Sequence[float]] = (
        [round(0.9 + 0.02 * step, 2) for step in range(11)],
        [round(0.05 * step, 2) for step in range(1, 60)],
        [round(0.1 * step, 1) for step in range(1, 60)],
        [0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5],
        [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8],
        [10.0**decade * digit for decade in decades for digit in (1, 2, 5)],
        [10.0**decade * digit for decade in decades for digit in (1, 3)],
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
    sheet: Sheet, axes: Axes, left_in: float, width_in: float, rows: Sequence[RatioRow]
) -> None:
    """Names the band, and what left and right of it mean where there is room to say."""
    low, high = axes.get_xlim()
    parity_x = left_in + width_in * math.log(1 / low) / math.log(high / low)
    band = f"same within ±{formats.percent(rows[0].comparison.same_within)}"
    directions = {(row.part.headline.below, row.part.headline.above) for row in rows}
    below, above = directions.pop() if len(directions) == 1 else ("less", "more")
    aside = text_in(band) / 2 + 0.15
    y = sheet.body_in + 0.14
    sheet.write(parity_x, y, band, ha="center", color=QUIET)
    for words, align, room, shift in (
        (f"← {below}", "right", parity_x - left_in, -aside),
        (f"{above} →", "left", left_in + width_in - parity_x, aside),
    ):
        if text_in(words) + aside <= room:
            sheet.write(parity_x + shift, y, words, ha=align, color=QUIET)


def _mark(axes: Axes, y: float, comparison: Comparison, look: Look) -> None:
    if has_interval(comparison):
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
        markerfacecolor=look.colour if is_decided(comparison) else PAPER,
        zorder=4,
    )


def _named(axes: Axes, ticks: Sequence[float]) -> list[str]:
    """The words of ticks, empty for those that have no room beside others; nearest to 1 come first."""
    low, high = axes.get_xlim()
    per_log_in = axes.get_position().width * WIDTH_IN / math.log(high / low)
    words = {value: f"{value:g}{formats.NBSP}×" for value in ticks}
    taken: list[tuple[float, float]] = []
    for value in sorted(ticks, key=lambda value: abs(math.log(value))):
        half = text_in(words[value]) / 2 + 0.05
        left, right = (math.log(value) * per_log_in + side for side in (-half, half))
        if any(left < end and begin < right for begin, end in taken):
            words[value] = ""
        else:
            taken.append((left, right))
    return list(words.values())
