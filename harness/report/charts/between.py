"""Small multiples over runs: a panel for each ratio, a mark with its interval for each run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator

from harness.models import BlockKey, Change, Estimate, Moved, RunsCompared
from harness.report import formats
from harness.report.charts.caption import Caption, as_alt, joined
from harness.report.charts.panels import TICKS_IN, empty, grid, grid_in, round_ticks
from harness.report.charts.sheet import PANEL_PT, Sheet, shorten, styled, text_in
from harness.report.palette import BAND, INK, PAPER, QUIET, Look, looks_of
from harness.report.words import between as words

_HEAD_IN = 0.52
_PANEL_IN = 1.5
_TICK_IN = 0.62  # left of the axes
_WIDE = 4.0  # a scale from end to end that is hardly a straight one any more


@dataclass(frozen=True, slots=True)
class _Panel:
    """A ratio in all runs that have it."""

    block: BlockKey
    metric: str
    subject: str
    stack: str
    first: Estimate
    moves: tuple[Moved, ...]  # of later runs, in the order in which they were given


def caption(compared: RunsCompared) -> Caption:
    """The words around the chart."""
    first = compared.runs[0].label
    return Caption(
        title=words.title(compared),
        note=joined(
            "candidate ÷ baseline in each run, on a logarithmic scale",
            "oldest run first",
            f"grey: ±{formats.percent(compared.same_within)} around {first}",
            f"lines: 95{formats.NBSP}% intervals",
            "every panel has its own scale",
        ),
        reading=(
            f"Each panel shows one ratio. The grey band is ±{formats.percent(compared.same_within)} "
            f"around that of {first}, which is too small a difference to matter. A filled mark differs "
            f"from {first} beyond the noise of both runs; hollow marks don't, or can't be told."
        ),
        alt=as_alt(_facts(compared)),
    )


def _facts(compared: RunsCompared) -> Iterator[str]:
    for panel in _panels(compared):
        moves = ", ".join(
            f"{moved.after} ÷ {moved.before} {formats.ratio(moved.quotient.value)} ({moved.change})"
            for moved in panel.moves
        )
        yield f"{panel.block}: {panel.subject} {formats.ratio(panel.first.value)}; {moves}"


def _panels(compared: RunsCompared) -> list[_Panel]:
    """One for each headline that can be compared in some later run."""
    found: dict[tuple[BlockKey, str, str], list[Moved]] = {}
    for moved in compared.headlines:
        if moved.change is not Change.NOT_COMPARABLE:
            found.setdefault((moved.block, moved.metric, moved.subject), []).append(moved)
    panels = []
    for (block, metric, subject), moves in found.items():
        first = moves[0].earlier
        assert first is not None  # it can be compared
        panels.append(_Panel(block, metric, subject, moves[0].stack, first, tuple(moves)))
    return panels


@styled
def draw(compared: RunsCompared, caption: Caption) -> Sheet:
    """A panel for each ratio, two in a row."""
    panels = _panels(compared)
    if not panels:
        return empty(caption, "There is nothing that can be compared.")
    looks = looks_of(compared.twins)
    columns = 1 if len(panels) == 1 else 2
    heights = [_HEAD_IN + _PANEL_IN + TICKS_IN] * len(panels)
    sheet = Sheet(caption, grid_in(heights, columns))
    for panel, (left, top, width) in zip(
        panels, grid(heights, columns, sheet.body_in), strict=True
    ):
        _head(sheet, panel, left, top, width)
        axes = sheet.place(left + _TICK_IN, top + _HEAD_IN, width - _TICK_IN, _PANEL_IN)
        _draw_panel(axes, compared, panel, looks[panel.stack])
    return sheet


def _head(sheet: Sheet, panel: _Panel, left: float, top: float, width: float) -> None:
    """The scenario and the metric, and below them whose ratio it is."""
    name = shorten(panel.block.scenario, width, PANEL_PT, "bold")
    sheet.write(left, top + 0.12, name, size=PANEL_PT, weight="bold")
    after = left + text_in(name, PANEL_PT, "bold") + 0.14
    about = f"{panel.block.load} · {words.METRICS[panel.metric]}"
    sheet.write(after, top + 0.12, shorten(about, left + width - after), color=QUIET)
    sheet.write(left, top + 0.34, shorten(panel.subject, width))


def _draw_panel(axes: Axes, compared: RunsCompared, panel: _Panel, look: Look) -> None:
    places = {run.label: place for place, run in enumerate(compared.in_time)}
    first = compared.runs[0].label
    shown: list[tuple[str, Estimate, Moved | None]] = [(first, panel.first, None)]
    shown += [(moved.after, moved.later, moved) for moved in panel.moves if moved.later is not None]
    band = (
        panel.first.value / (1 + compared.same_within),
        panel.first.value * (1 + compared.same_within),
    )
    axes.axhspan(*band, color=BAND, lw=0, zorder=0.5)
    for label, estimate, moved in shown:
        x = places[label]
        colour = look.colour if moved is not None else INK
        if math.isfinite(estimate.low) and math.isfinite(estimate.high):
            axes.plot([x, x], [estimate.low, estimate.high], color=colour, lw=1.8, zorder=3)
        filled = moved is None or moved.changed
        axes.plot(
            [x],
            [estimate.value],
            marker=look.marker if moved is not None else "D",
            markersize=7 if moved is not None else 6,
            markeredgecolor=colour,
            markeredgewidth=1.6,
            markerfacecolor=colour if filled else PAPER,
            zorder=4,
        )
    _axes(axes, compared, [estimate for _, estimate, _ in shown], band)


def _axes(
    axes: Axes, compared: RunsCompared, estimates: Sequence[Estimate], band: tuple[float, float]
) -> None:
    ends = [end for each in estimates for end in (each.value, each.low, each.high)]
    ends = [end for end in (*ends, *band) if math.isfinite(end) and end > 0]
    margin = max(1.01, (max(ends) / min(ends)) ** 0.08)
    low, high = min(ends) / margin, max(ends) * margin
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    ticks = _ticks(low, high)
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(
        FixedFormatter([f"{formats.tick(value)}{formats.NBSP}×" for value in ticks])
    )
    axes.yaxis.set_minor_locator(FixedLocator([]))
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_xlim(-0.6, len(compared.runs) - 0.4)
    axes.set_xticks(range(len(compared.runs)), [run.label for run in compared.in_time])
    axes.tick_params(axis="x", labelcolor=INK)


def _ticks(low: float, high: float) -> list[float]:
    """Round figures: equally far apart on a scale that is almost straight."""
    if high / low > _WIDE:
        return round_ticks(low, high)
    found = MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [float(tick) for tick in found if low <= tick <= high]
