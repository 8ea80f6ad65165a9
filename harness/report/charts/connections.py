"""Bars of memory per held connection, and whether others were served meanwhile.

There is a panel for each state in which connections are held.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from harness.models import ConnectionsAnalysis, HeldMemory
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
    on_paper,
    value_axis,
    whisker,
)
from harness.report.charts.sheet import PANEL_PT, Sheet, shorten, styled, text_in
from harness.report.palette import looks_of
from harness.report.view import ROUNDS_FOR_AN_INTERVAL
from harness.report.words.connections import TITLES, others_beside

_COLUMNS = 1  # of panels: the words beside a bar need the width


def caption(analysis: ConnectionsAnalysis) -> Caption:
    """The words around the chart."""
    rounds = min((memory.rounds for memory in analysis.memory), default=0)
    lines = (
        f"lines: 95{formats.NBSP}% intervals over {formats.plural(rounds, 'round')}"
        if rounds >= ROUNDS_FOR_AN_INTERVAL
        else f"{formats.plural(rounds, 'round')}: no intervals"
    )
    return Caption(
        title="How much memory does a held connection take, and are others served?",
        note=joined(
            "KiB of the server's processes per connection", "every panel has its own scale", lines
        ),
        reading=(
            "Shorter bars are better. The figure is by how much the proportional set size grows "
            "with each connection, over all numbers of connections together. What the kernel keeps "
            "for a socket is not in it. Others are ordinary clients: whether each of them got its reply "
            "while the connections were held."
        ),
        alt=as_alt(_facts(analysis)),
    )


def _facts(analysis: ConnectionsAnalysis) -> Iterator[str]:
    for each in analysis.memory:
        said = each.reason or f"{_figure(each)} per connection, {each.up_to:,} held"
        yield f"{TITLES[each.held]}: {each.stack} {_joined(said, _others(analysis, each))}"


def _figure(memory: HeldMemory) -> str:
    return f"{formats.number(memory.kib.value)}{formats.NBSP}KiB"


@styled
def draw(analysis: ConnectionsAnalysis, caption: Caption) -> Sheet:
    """A panel for each state, a bar for each stack."""
    looks = looks_of({stack.label: stack.twin for stack in analysis.record.plan.stacks})
    panels = [
        (held, rows)
        for held in analysis.record.plan.held
        if (rows := [each for each in analysis.memory if each.held is held])
    ]
    heights = [PANEL_HEAD_IN + ROW_IN * len(rows) + TICKS_IN for _, rows in panels]
    sheet = Sheet(caption, grid_in(heights, _COLUMNS))
    labels_in = label_in(looks)
    for (held, rows), (left, top, width) in zip(
        panels, grid(heights, _COLUMNS, sheet.body_in), strict=True
    ):
        sheet.write(left, top + 0.14, TITLES[held], size=PANEL_PT, weight="bold")
        width_in = width - labels_in
        axes = sheet.place(left + labels_in, top + PANEL_HEAD_IN, width_in, ROW_IN * len(rows))
        words = [_beside(analysis, each) for each in rows]
        longest = max((_end(each) for each in rows), default=0.0) or 1.0
        room_in = min(width_in / 2, max(map(text_in, words)) + 0.2)
        value_axis(
            axes, longest / (1 - room_in / width_in), [each.stack for each in rows], labels_in
        )
        for row, each in enumerate(rows):
            if not math.isfinite(each.kib.value):
                why = _joined(each.reason, _others(analysis, each))
                on_paper(axes, row, shorten(why, width_in - 0.1))
                continue
            bar(axes, row, max(0.0, each.kib.value), looks[each.stack])
            if math.isfinite(each.kib.low):
                whisker(axes, row, each.kib)
            figure_beside(axes, row, _end(each), words[row])
    return sheet


def _beside(analysis: ConnectionsAnalysis, memory: HeldMemory) -> str:
    """The figure, with how many connections it rests on, and whether others were served meanwhile."""
    if memory.reason:
        return ""
    return f"{_figure(memory)} ({_joined(f'{memory.up_to:,} held', _others(analysis, memory))})"


def _others(analysis: ConnectionsAnalysis, memory: HeldMemory) -> str:
    """Whether the stack served others; empty where the server itself failed."""
    if memory.broken:
        return ""
    mine = (memory.held, memory.stack)
    return others_beside(each for each in analysis.points if (each.held, each.stack) == mine)


def _joined(*pieces: str) -> str:
    """The pieces that are not empty, with commas."""
    return ", ".join(piece for piece in pieces if piece)


def _end(memory: HeldMemory) -> float:
    ends = [value for value in (memory.kib.value, memory.kib.high) if math.isfinite(value)]
    return max([0.0, *ends])
