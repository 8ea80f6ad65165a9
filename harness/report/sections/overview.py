"""What a terminal shows first: every stack beside its baseline, in the metric that decides."""

from __future__ import annotations

from collections.abc import Iterator

from harness.models import ROUNDS_FOR_A_VERDICT, CellSummary, Verdict
from harness.report import formats
from harness.report.content import (
    TERMINAL,
    Block,
    Cell,
    Column,
    Finding,
    Findings,
    Paragraph,
    Section,
    Table,
    note,
)
from harness.report.metrics import CPU, MEDIAN, P99, START, THROUGHPUT
from harness.report.sections import figures
from harness.report.verdicts import not_judged
from harness.report.view import Part, View, has_ratio, overload_words
from harness.report.words.disturbed import disturbed
from harness.report.words.limited import limited_note
from harness.report.words.pauses import pausing

#: Columns of a terminal from which latency and CPU time have room, and from which intervals do.
WIDE, INTERVALS = 96, 76


def table(view: View) -> Section:
    """All cells with their ratios and verdicts."""
    rows = tuple(
        figures.row(part, _cells(part, cell, view), cell)
        for part in view.parts
        for cell in part.cells
    )
    blocks: tuple[Block, ...] = (Paragraph(("No round has finished: nothing to show.",)),)
    if rows:
        blocks = (Table("results", _columns(view), rows),)
    return Section("results", "Results", blocks, outputs=TERMINAL)


def _columns(view: View) -> tuple[Column, ...]:
    """The metric that decides is always shown; the others where there is room."""
    decide = view.headlines
    ratio = "× baseline" if THROUGHPUT in decide else "p50 × baseline"
    metrics = [Column("Req/s", is_number=True)] if THROUGHPUT in decide else []
    metrics.append(
        Column(MEDIAN.column, is_number=True, from_width=WIDE if decide == {THROUGHPUT} else 0)
    )
    if decide != {START}:
        metrics.append(Column(P99.column, is_number=True, from_width=WIDE))
    metrics.append(Column(CPU.column, is_number=True, from_width=WIDE))
    return (
        Column("Scenario", is_group=True),
        Column("Stack"),
        *metrics,
        Column(ratio, details_from=INTERVALS),
        Column("Verdict"),
    )


def _cells(part: Part, cell: CellSummary, view: View) -> tuple[Cell, ...]:
    decide = view.headlines
    shown = (
        *((THROUGHPUT,) if THROUGHPUT in decide else ()),
        MEDIAN,
        *((P99,) if decide != {START} else ()),
        CPU,
    )
    return (
        Cell(part.title),
        Cell(cell.stack),
        *(figures.number(metric.of(cell).value) for metric in shown),
        *_verdict(part, cell),
    )


def _verdict(part: Part, cell: CellSummary) -> tuple[Cell, Cell]:
    """The ratio to the baseline, and what follows from it."""
    state = figures.state(cell)
    if state is Verdict.INVALID:
        return Cell(""), Cell("", verdict=state)
    # The first of several, as in a ladder: a stack's ratio to the baseline of the scenario.
    comparison = next((made for pair, made in part.compared if pair.candidate == cell.stack), None)
    if comparison is None:
        is_baseline = any(pair.baseline == cell.stack for pair in part.pairs)
        return Cell("baseline" if is_baseline else "", is_quiet=True), Cell("", verdict=state)
    if not has_ratio(comparison):  # its baseline is invalid or overloaded, and says so itself
        word = Cell("", verdict=state) if state else Cell("not compared", is_quiet=True)
        return Cell(""), word
    ratio = figures.ratio(comparison)
    return (
        Cell(ratio.text, ratio.value, detail=ratio.detail),
        Cell("", verdict=comparison.verdict, not_judged=not_judged(comparison)),
    )


def remarks(view: View) -> Section:
    """What the tables have no room for: reasons, disturbances, and how far verdicts go."""
    findings = tuple(_findings(view))
    blocks: list[Block] = []
    if view.measured_parts:
        blocks = [*([Findings(findings)] if findings else []), note(_note(view))]
    return Section("remarks", "Remarks", tuple(blocks), outputs=TERMINAL)


def _findings(view: View) -> Iterator[Finding]:
    for part in view.parts:
        for cell in part.cells:
            who = f"{part.title}, {cell.stack}"
            if not cell.valid:
                yield Finding(f"{who}: {formats.clean(cell.reason)}", Verdict.INVALID)
            if cell.overloaded:
                phrases = overload_words(cell).removeprefix(f"{Verdict.OVERLOADED}: ")
                yield Finding(f"{who}: {phrases}", Verdict.OVERLOADED)
        if words := pausing(part):
            yield Finding(words)
    yield from map(Finding, disturbed(view))
    if limited := limited_note(view):
        yield Finding(limited)
    yield from _what_decides(view)


def _what_decides(view: View) -> Iterator[Finding]:
    """What ratio stands in the table where it is not that of requests per second."""
    started = [part.title for part in view.parts if part.counts_starts]
    if started:
        yield Finding(f"{formats.listing(started)}: p50 is the median start, and decides")
    scheduled = [part.title for part in view.parts if part.headline == MEDIAN]
    if scheduled and THROUGHPUT in view.headlines:
        yield Finding(f"{formats.listing(scheduled)}: the ratio is that of the median latency, p50")


def _note(view: View) -> str:
    words = f"{view.rounds_words}; the same within ±{formats.percent(view.plan.same_within)}"
    if MEDIAN in view.headlines:
        loads = dict.fromkeys(part.load for part in view.measured_parts)
        words = f"{'; '.join(loads)}; {words}; latency and lag in ms, from the intended start"
    if view.fewest_rounds < ROUNDS_FOR_A_VERDICT:
        words += f"; a verdict needs at least {ROUNDS_FOR_A_VERDICT} rounds"
    return words
