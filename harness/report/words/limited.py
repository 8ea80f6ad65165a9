"""Sentences about stacks whose throughput the number of users limited."""

from __future__ import annotations

from harness.analysis.axes import AXES
from harness.models import CellSummary, Comparison
from harness.report import formats
from harness.report.metrics import CPU, THROUGHPUT
from harness.report.view import Pair, Part, View, has_ratio
from harness.report.words.ratios import compared, figure_words


def leading(part: Part, pair: Pair) -> Comparison | None:
    """The comparison of CPU time, where it says more than the pair's throughput; None elsewhere.

    That is where the users left a stack of the pair idle for part of its time.
    """
    throughput, cpu = pair.comparisons.get(THROUGHPUT.key), pair.comparisons.get(CPU.key)
    if part.headline != THROUGHPUT or not throughput or not cpu or not limited(part, pair):
        return None
    return cpu if has_ratio(throughput) and has_ratio(cpu) else None


def limited(part: Part, pair: Pair) -> list[CellSummary]:
    """The cells of a pair that the users limited, the candidate's first."""
    cells = (part.cell(pair.candidate), part.cell(pair.baseline))
    return [cell for cell in cells if cell is not None and cell.limited_by_users]


def compared_by_cpu(part: Part, pair: Pair, cpu: Comparison) -> str:
    """What came out of a pair by its CPU time, and why its throughput says less."""
    cells = limited(part, pair)
    names = formats.listing([part.names[cell.stack] for cell in cells])
    busy = formats.listing([formats.percent(cell.core_share) for cell in cells])
    are, them = ("is", "it") if len(cells) == 1 else ("are", "them")
    if len(cells) > 1:
        meaning = "says how long requests wait, and not how many could be served"
    else:
        bound = "a lower" if cells[0].stack == pair.candidate else "an upper"
        meaning = f"is {bound} bound, and moves with the machine"
    return (
        f"{compared(part, pair, cpu, CPU)} {names} {are} limited by the number of users: "
        f"{part.load} kept {them} {busy} busy. The ratio of requests per second, "
        f"{figure_words(pair.comparisons[THROUGHPUT.key])}, {meaning}."
    )


def limited_note(view: View) -> str:
    """Which cells the users limited; empty if none.

    A scenario with a curve over the number of users needs no such words: the curve shows it.
    """
    curved = {of.scenario for of in view.curve_sets if of.axis is AXES["users"]}
    phrases = [
        f"{cell.stack} in {part.where} ({formats.percent(cell.core_share)} busy with {part.load})"
        for part in view.parts
        for cell in part.cells
        if cell.valid and cell.limited_by_users and part.name not in curved
    ]
    if not phrases:
        return ""
    return (
        "Limited by the number of users, so that CPU time per request says more than requests per "
        f"second: {formats.listing(phrases)}."
    )
