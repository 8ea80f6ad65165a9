"""Lines over the number of worker processes: requests per second, p99, and memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from harness.models import CellSummary, Estimate
from harness.report import formats
from harness.report.charts.caption import Caption, as_alt, cell_facts, joined, loads, whiskers
from harness.report.charts.panels import PANEL_HEAD_IN, TICKS_IN, panel_head
from harness.report.charts.sheet import CONTENT_IN, MARGIN_IN, Sheet, styled
from harness.report.metrics import MEMORY, P99, THROUGHPUT
from harness.report.palette import QUIET, Look, looks_of
from harness.report.view import Part, View
from harness.report.words.workers import sharing_cores

_PANEL_IN = 1.7
_TICK_IN = 0.62
_GAP_IN = 0.3
_ASIDE = 0.018  # of the range of numbers
_TITLE_IN = 0.22


@dataclass(frozen=True, slots=True)
class _Panel:
    """What is drawn over the number of workers; a second figure is drawn as a dotted line."""

    title: str
    of: Callable[[CellSummary], Estimate]
    beside: Callable[[CellSummary], float] | None = None


_PANELS = (
    _Panel("requests per second", THROUGHPUT.of),
    _Panel("p99 in ms", P99.of),
    _Panel("memory in MiB", MEMORY.of, beside=lambda cell: cell.uss_mib),
)


def caption(view: View) -> Caption:
    """The words around the chart."""
    sharing = " ".join(sharing_cores(view))
    return Caption(
        title="What do more worker processes do?",
        note=joined(
            "number of worker processes from left to right",
            "memory: whole line PSS, dotted line USS",
            loads(_parts(view)),
            whiskers(view),
        ),
        reading=(
            "The proportional set size (PSS) shares out pages that several processes have in "
            "common; the unique set size (USS) leaves them out. What lies between the two lines is "
            f"what the workers share. {sharing}"
        ).strip(),
        alt=as_alt(cell_facts(_parts(view), _fact)),
    )


def _fact(cell: CellSummary) -> str:
    return (
        f"{formats.number(cell.throughput_rps.value)} requests per second, p99 "
        f"{formats.number(P99.of(cell).value)} ms, {formats.number(cell.pss_mib)} MiB PSS, "
        f"{formats.number(cell.uss_mib)} MiB USS"
    )


def _parts(view: View) -> list[Part]:
    return [part for part in view.answering if any(_variants(view, part).values())]


def _variants(view: View, part: Part) -> dict[str, list[tuple[int, CellSummary]]]:
    """Stack without its number -> its valid cells by number of workers, fewest first."""
    found: dict[str, list[tuple[int, CellSummary]]] = {}
    for cell in part.cells:
        named = view.stacks[cell.stack].with_its_number
        if named and cell.valid:
            found.setdefault(named[0], []).append((named[1], cell))
    return {base: sorted(cells, key=lambda pair: pair[0]) for base, cells in found.items()}


@styled
def draw(view: View, caption: Caption) -> Sheet:
    """A row of panels for each scenario and load."""
    parts = _parts(view)
    looks = looks_of(
        {named[0]: stack.twin for stack in view.stacks.values() if (named := stack.with_its_number)}
    )
    row_in = PANEL_HEAD_IN + _TITLE_IN + _PANEL_IN + TICKS_IN + _GAP_IN
    sheet = Sheet(caption, row_in * max(1, len(parts)), looks)
    width_in = (CONTENT_IN - 2 * _GAP_IN) / len(_PANELS)
    for row, part in enumerate(parts):
        top_in = sheet.body_in + row * row_in
        panel_head(sheet, part, MARGIN_IN, top_in, CONTENT_IN, names_load=True)
        for column, panel in enumerate(_PANELS):
            left_in = MARGIN_IN + column * (width_in + _GAP_IN)
            title_in = top_in + PANEL_HEAD_IN + _TITLE_IN / 2
            sheet.write(left_in + _TICK_IN, title_in, panel.title, color=QUIET)
            axes = sheet.place(
                left_in + _TICK_IN,
                top_in + PANEL_HEAD_IN + _TITLE_IN,
                width_in - _TICK_IN,
                _PANEL_IN,
            )
            _draw_panel(axes, panel, _variants(view, part), looks)
    return sheet


def _draw_panel(
    axes: Axes,
    panel: _Panel,
    variants: Mapping[str, Sequence[tuple[int, CellSummary]]],
    looks: Mapping[str, Look],
) -> None:
    axes.spines["left"].set_visible(False)
    counts = sorted({count for cells in variants.values() for count, _ in cells})
    highest = 0.0
    for place, (base, cells) in enumerate(variants.items()):
        look = looks[base]
        shown = [(count, panel.of(cell)) for count, cell in cells]
        _line(axes, [(count, estimate.value) for count, estimate in shown], look)
        # Intervals stand beside each other.
        aside = _ASIDE * (counts[-1] - counts[0] or 1) * (place - (len(variants) - 1) / 2)
        for count, estimate in shown:
            if math.isfinite(estimate.low) and math.isfinite(estimate.high):
                ends = [estimate.low, estimate.high]
                axes.plot([count + aside] * 2, ends, color=look.colour, lw=1.1, zorder=2.5)
        highest = max([highest, *_ends(estimate for _, estimate in shown)])
        if panel.beside:
            _line(axes, [(count, panel.beside(cell)) for count, cell in cells], look, dotted=True)
    if not highest:
        axes.set_yticks([])
        axes.set_xticks([])
        axes.annotate("too few samples", (0, 0.9), xycoords="axes fraction", color=QUIET)
        return
    axes.set_ylim(0, 1.08 * highest)
    reach = max(0.3, 0.06 * (counts[-1] - counts[0])) if counts else 1.0
    axes.set_xlim(*((counts[0] - reach, counts[-1] + reach) if counts else (0.0, 1.0)))
    axes.xaxis.set_major_locator(FixedLocator(_apart(counts)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: formats.tick(value)))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: formats.tick(value)))
    axes.grid(axis="y")


def _line(
    axes: Axes, points: Sequence[tuple[int, float]], look: Look, *, dotted: bool = False
) -> None:
    axes.plot(
        [count for count, _ in points],
        [value for _, value in points],
        color=look.colour,
        marker=look.marker,
        markersize=4 if dotted else 6,
        lw=1.2 if dotted else 1.8,
        linestyle=(0, (1, 1.6)) if dotted else "-",
        zorder=3,
    )


def _ends(estimates: Iterator[Estimate]) -> Iterator[float]:
    """Values and upper limits; a limit of two rounds can lie far beyond everything else."""
    for estimate in estimates:
        if math.isfinite(estimate.value):
            yield estimate.value
            if math.isfinite(estimate.high):
                yield min(estimate.high, 2 * estimate.value)


def _apart(counts: Sequence[int]) -> list[int]:
    """Ticks that have room beside each other."""
    ticks: list[int] = []
    for count in counts:
        if not ticks or count - ticks[-1] >= (counts[-1] - counts[0]) / 14:
            ticks.append(count)
    return ticks
