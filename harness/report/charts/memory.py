"""Bars of memory: the scenario that took most, and each scenario as a dot."""

from __future__ import annotations

import math
from collections.abc import Iterable

from matplotlib.ticker import FixedLocator

from harness.models import CellSummary
from harness.report import formats
from harness.report.charts.caption import Caption, as_alt, cell_facts, joined
from harness.report.charts.panels import (
    ROW_IN,
    TICKS_IN,
    bar,
    empty,
    figure_beside,
    label_in,
    on_paper,
    value_axis,
)
from harness.report.charts.sheet import CONTENT_IN, MARGIN_IN, Sheet, styled, text_in
from harness.report.metrics import MEMORY
from harness.report.palette import INK, PAPER
from harness.report.view import View
from harness.report.words.answers import AT_REST


def caption(view: View) -> Caption:
    """The words around the chart."""
    return Caption(
        title="How much memory does each stack take?",
        note=joined(
            "Memory of the server's process tree in MiB",
            "bar: the scenario that took most, dots: each scenario",
            view.rounds_words,
        ),
        reading=(
            "Shorter bars are better. The figure is the proportional set size (shared pages are "
            "split among those who share them), or the resident size where the system has no such "
            "figure; each dot is the largest of a scenario's rounds. One round's processes serve "
            "all scenarios in turn, so a later scenario may hold memory that an earlier one asked "
            "for." + (f" {AT_REST}" if len(view.answering) < len(view.parts) else "")
        ),
        alt=as_alt(
            cell_facts(view.parts, lambda cell: f"{formats.number(cell.pss_mib)} {MEMORY.unit}")
        ),
    )


@styled
def draw(view: View, caption: Caption) -> Sheet:
    """A bar for each stack."""
    names = view.measured_stacks
    if not names:
        return empty(caption)
    cells = {name: [cell for cell in view.analysis.cells if cell.stack == name] for name in names}
    sized = _sized(view.analysis.cells)
    peaks = [text_in(_peak(view, cell)) for cell in sized] or [0.0]
    sheet = Sheet(caption, ROW_IN * len(names) + TICKS_IN)
    labels_in = label_in(names)
    width_in = CONTENT_IN - labels_in
    axes = sheet.place(MARGIN_IN + labels_in, sheet.body_in, width_in, ROW_IN * len(names))
    sizes = [cell.pss_mib for cell in sized] or [0.0]
    reach = (max(sizes) or 1.0) / (1 - (0.3 + max(peaks)) / width_in)
    value_axis(axes, reach, names, labels_in)
    if not any(sizes):
        axes.xaxis.set_major_locator(FixedLocator([]))
    for row, name in enumerate(names):
        valid = _sized(cells[name])
        if not valid:
            unknown = any(cell.valid for cell in cells[name])
            on_paper(axes, row, "not known" if unknown else "invalid in every scenario")
            continue
        largest = max(valid, key=lambda cell: cell.pss_mib)
        bar(axes, row, largest.pss_mib, view.looks[name])
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
        figure_beside(axes, row, largest.pss_mib, _peak(view, largest))
    return sheet


def _peak(view: View, cell: CellSummary) -> str:
    return f"{MEMORY.with_unit(cell.pss_mib)} ({view.part_of(cell).title})"


def _sized(cells: Iterable[CellSummary]) -> list[CellSummary]:
    """The valid cells whose memory is known."""
    return [cell for cell in cells if cell.valid and math.isfinite(cell.pss_mib)]
