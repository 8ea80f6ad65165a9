"""Bars of the CPU time per request that goes to each group of code, a panel for each group."""

from __future__ import annotations

import math
from collections.abc import Iterator

from harness.models import Group, GroupShare, ProfileAnalysis
from harness.report import formats
from harness.report.charts.caption import Caption, as_alt, joined
from harness.report.charts.panels import (
    PANEL_HEAD_IN,
    ROW_IN,
    TICKS_IN,
    bar,
    figure_beside,
    grid,
    grid_in,
    label_in,
    value_axis,
    whisker,
)
from harness.report.charts.sheet import PANEL_PT, Sheet, styled, text_in
from harness.report.palette import looks_of

_COLUMNS = 2  # of panels


def caption(analysis: ProfileAnalysis) -> Caption:
    """The words around the chart."""
    rounds = min((each.rounds for each in analysis.stacks), default=0)
    block = analysis.record.plan.block
    return Caption(
        title=f"Where does the CPU time go in {block.scenario.name}?",
        note=joined(
            "µs of CPU time per request, all on one scale",
            f"{formats.plural(rounds, 'round')} of fresh processes",
            f"lines: 95{formats.NBSP}% intervals",
        ),
        reading=(
            "Each sample is put down to the innermost function that belongs to a group; the standard "
            "library works for its caller. Time per request is a stack's share of samples × its CPU time per "
            "request, which was counted without the sampler. Shorter bars are better."
        ),
        alt=as_alt(_facts(analysis)),
    )


def _facts(analysis: ProfileAnalysis) -> Iterator[str]:
    for group in groups(analysis):
        for share in analysis.shares:
            if share.group is group:
                yield f"{group}: {share.stack} {_figure(share)}"


def groups(analysis: ProfileAnalysis) -> list[Group]:
    """The groups that have samples."""
    seen = {share.group for share in analysis.shares}
    return [group for group in Group if group in seen]


@styled
def draw(analysis: ProfileAnalysis, caption: Caption) -> Sheet:
    """A panel for each group, a bar for each stack."""
    looks = looks_of({stack.label: stack.twin for stack in analysis.record.plan.run.stacks})
    panels = [
        (group, [share for share in analysis.shares if share.group is group])
        for group in groups(analysis)
    ]
    heights = [PANEL_HEAD_IN + ROW_IN * len(rows) + TICKS_IN for _, rows in panels]
    sheet = Sheet(caption, grid_in(heights, _COLUMNS))
    labels_in = label_in(looks)
    ends = [_end(share) for share in analysis.shares]
    longest = max(filter(math.isfinite, ends), default=1.0)
    for (group, rows), (left, top, width) in zip(
        panels, grid(heights, _COLUMNS, sheet.body_in), strict=True
    ):
        sheet.write(left, top + 0.14, str(group), size=PANEL_PT, weight="bold")
        width_in = width - labels_in
        axes = sheet.place(left + labels_in, top + PANEL_HEAD_IN, width_in, ROW_IN * len(rows))
        room_in = min(width_in / 2, text_in("88,888 µs") + 0.25)
        value_axis(
            axes, longest / (1 - room_in / width_in), [share.stack for share in rows], labels_in
        )
        for row, share in enumerate(rows):
            bar(axes, row, share.cpu_us_per_request.value, looks[share.stack])
            whisker(axes, row, share.cpu_us_per_request)
            figure_beside(axes, row, _end(share), _figure(share))
    return sheet


def _figure(share: GroupShare) -> str:
    return f"{formats.number(share.cpu_us_per_request.value, 2)}{formats.NBSP}µs"


def _end(share: GroupShare) -> float:
    cost = share.cpu_us_per_request
    return cost.high if math.isfinite(cost.high) else cost.value
