"""Sentences about times in which all users of a stack wait at once."""

from __future__ import annotations

from collections.abc import Iterator

from harness.models import CellSummary, Pauses
from harness.report import formats
from harness.report.view import Part, View

PAUSES_NOTE = (
    "A pause is a time in which every user waits for a reply and none comes, at least 2.5 × as long as "
    "is usual for the stack. Its duration is what it has beyond the usual. Pauses that come in few "
    "rounds, or take less than 1 % of the time beside what others took of the cores, may be the "
    "machine's, and no answer mentions them."
)


def pausing(part: Part) -> str:
    """Which stacks of a part stop all their users again and again, and for how long; maybe empty."""
    phrases = [
        f"{part.names[cell.stack]} {pause_words(cell.pauses)}"
        for cell in part.cells
        if cell.valid and cell.pauses and cell.pauses.recurring
    ]
    return f"In {part.where}, {'; '.join(phrases)}." if phrases else ""


def pause_words(found: Pauses) -> str:
    """As in `stops all its users about every 470 requests, for 152 ms in the median …`."""
    return (
        f"stops all its users about every {formats.number(found.requests_each, 2)}{formats.NBSP}"
        f"requests, for {_ms(found.p50_ms)} in the median and {_ms(found.longest_ms)} at most: "
        f"{formats.percent(found.time_share)} of its time"
    )


def short_slices(view: View) -> Iterator[str]:
    """A sentence about the cells whose slices are short beside their slowest requests."""
    phrases = [
        f"{cell.stack} in {part.where} ({_ms(cell.short_slices.slice_ms)} beside "
        f"{_ms(cell.short_slices.slowest_ms)})"
        for part in view.parts
        for cell in part.cells
        if cell.valid and cell.short_slices
    ]
    if phrases:
        yield (
            "Slices are short beside the slowest of a hundred requests, so that p99 and beyond may be "
            f"too low: {formats.listing(phrases)}. A longer --slice helps."
        )


def pausing_cells(view: View) -> list[tuple[Part, CellSummary, Pauses]]:
    """The cells in which any pause was found."""
    return [
        (part, cell, cell.pauses)
        for part in view.parts
        for cell in part.cells
        if cell.pauses and cell.pauses.count
    ]


def _ms(value: float) -> str:
    return f"{formats.number(value)}{formats.NBSP}ms"
