"""Sentences about stacks whose throughput the number of users or threads limited."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.axes import AXES
from harness.models import CellSummary, Comparison
from harness.report import formats
from harness.report.metrics import CPU, THROUGHPUT
from harness.report.view import Pair, Part, View, has_ratio
from harness.report.words.ratios import absolutes, compared, figure_words

#: A reply that takes so many times the upstream's latency waits for more than the upstream.
_LONG = 3.0


def leading(part: Part, pair: Pair) -> Comparison | None:
    """The comparison of CPU time, where it says more than the pair's throughput; None elsewhere.

    That is where users or threads left a stack of the pair idle for part of its time.
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
    if all(cell.stack in part.threads for cell in cells):
        meaning = "holds for so many threads"
    elif len(cells) > 1:
        meaning = "says how long requests wait, and not how many could be served"
    else:
        bound = "a lower" if cells[0].stack == pair.candidate else "an upper"
        meaning = f"is {bound} bound, and moves with the machine"
    figures = absolutes(THROUGHPUT, pair, part)
    served = f"Requests per second: {figures}. Their ratio" if figures else "The ratio of them"
    return (
        f"{compared(part, pair, cpu, CPU)} {_causes(part, cells)} {served}, "
        f"{figure_words(pair.comparisons[THROUGHPUT.key])}, {meaning}."
    )


def _causes(part: Part, cells: Sequence[CellSummary]) -> str:
    """What limited these cells: their own threads where there are fewer of them than users."""
    sentences = [
        f"{part.names[cell.stack]} is limited by its {part.threads[cell.stack]} threads, which are "
        f"fewer than the {part.load}, and was {formats.percent(cell.core_share)} busy."
        for cell in cells
        if cell.stack in part.threads
    ]
    held = [
        cell for cell in cells if cell.stack not in part.threads and _waits_elsewhere(part, cell)
    ]
    sentences += [
        f"{part.names[cell.stack]} waits for something that is neither its core nor its users: "
        f"{part.load} kept it {formats.percent(cell.core_share)} busy, and waited "
        f"{formats.number(1e3 * _mean_latency_s(part, cell))} ms for a reply, of which the other service "
        f"took {formats.number(1e3 * part.upstream_s)} ms."
        for cell in held
    ]
    others = [cell for cell in cells if cell.stack not in part.threads and cell not in held]
    if others:
        names = formats.listing([part.names[cell.stack] for cell in others])
        busy = formats.listing([formats.percent(cell.core_share) for cell in others])
        are, them = ("is", "it") if len(others) == 1 else ("are", "them")
        sentences.insert(
            0,
            f"{names} {are} limited by the number of users: {part.load} kept {them} {busy} busy.",
        )
    return " ".join(sentences)


def _waits_elsewhere(part: Part, cell: CellSummary) -> bool:
    """Whether replies take so long that more users would only wait longer, though the core is idle."""
    return part.upstream_s > 0 and _mean_latency_s(part, cell) > _LONG * part.upstream_s


def _mean_latency_s(part: Part, cell: CellSummary) -> float:
    """By Little's law."""
    return part.plan.load.users / cell.throughput_rps.value


def limited_note(view: View) -> str:
    """Which cells the users or threads limited; empty if none.

    A scenario with a curve over the number of users needs no such words: the curve shows it. Nor does one
    with a map, whose table has it for each tile.
    """
    shown = {of.scenario for of in view.curve_sets if of.axis is AXES["users"]}
    shown |= {of.scenario for of in view.analysis.maps}
    phrases = [
        f"{cell.stack} in {part.where} ({formats.percent(cell.core_share)} busy with "
        f"{_with_threads(part, cell)})"
        for part in view.parts
        for cell in part.cells
        if cell.valid and cell.limited_by_users and part.name not in shown
    ]
    if not phrases:
        return ""
    return (
        "Limited by users or threads and not by a core, so that CPU time per request says more than "
        f"requests per second: {formats.listing(phrases)}."
    )


def _with_threads(part: Part, cell: CellSummary) -> str:
    if cell.stack not in part.threads:
        return part.load
    return f"{part.load} and {part.threads[cell.stack]} threads"
