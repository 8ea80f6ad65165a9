"""The claims ledger: what a run says to common claims."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.models import ClaimKind, ClaimResult, ClaimTest, ClaimVerdict, JudgedClaim
from harness.report import formats
from harness.report.charts import CHARTS
from harness.report.content import (
    DOCUMENTS,
    TERMINAL,
    Block,
    Cell,
    Code,
    Column,
    Paragraph,
    Row,
    Section,
    Table,
    note,
)
from harness.report.sections import parts
from harness.report.view import View
from harness.report.words import claims as words

#: Kind of test -> the charts that show its figure; the first that the run has is linked.
_CHARTS: Mapping[ClaimKind, tuple[str, ...]] = {
    ClaimKind.RATIO: ("ratios",),
    ClaimKind.LARGER_EFFECT: ("ratios",),
    ClaimKind.NEITHER_BETTER: ("ratios",),
    ClaimKind.MOST: ("curves",),
    ClaimKind.LARGEST_LOAD: ("curves",),
    ClaimKind.WORKER_MEMORY: ("workers", "memory"),
    ClaimKind.CAPACITY: ("capacity",),
    ClaimKind.AT_SHARE: ("load-shares", "capacity"),
}
_COLUMNS = (
    Column("Claim"),
    Column("Verdict"),
    Column("Measured"),
    Column("Figure", is_number=True),
    Column("Bound"),
)


def claims(view: View) -> Section | None:
    """The claims that this run can say something about, and how many need others; None without any."""
    ledger = view.analysis.claims
    judged = [each for each in ledger if each.is_measured]
    if not judged:
        return None
    others = len(ledger) - len(judged)
    more = f"{formats.plural(others, 'more claim')} need other runs: " if others else ""
    blocks: tuple[Block, ...] = (
        note(
            f"Claims: {words.counted(judged)}. 'twinbench list claims' shows all {len(ledger)}.",
            outputs=TERMINAL,
        ),
        Table(
            "claims",
            _COLUMNS,
            tuple(row for each in judged for row in _rows(view, each)),
            is_dense=False,
            outputs=DOCUMENTS,
        ),
        note(words.CLAIMS_NOTE, outputs=DOCUMENTS),
        Paragraph(
            (
                more,
                Code("twinbench list claims"),
                f" names the command that measures each, and judges all {len(ledger)} by the runs "
                "that there are.",
            ),
            outputs=DOCUMENTS,
        ),
    )
    return Section("claims", "Claims put to the test", blocks, "Claims")


def _rows(view: View, judged: JudgedClaim) -> Iterator[Row]:
    """A row for each test; the first says which claim it is and what became of it."""
    first = (Cell(judged.claim.claim), Cell(words.verdict_words(judged), is_strong=True))
    for place, tested in enumerate(judged.tested):
        yield Row((*(first if place == 0 else (Cell(""), Cell(""))), *_tested(view, tested)))


def _tested(view: View, tested: ClaimResult) -> tuple[Cell, Cell, Cell]:
    is_measured = tested.verdict is not ClaimVerdict.NOT_MEASURED
    page = parts.page_of(view, tested.source)
    reason = formats.clean(tested.reason)
    if not is_measured and tested.test.measure:
        reason = f"not measured: {tested.test.measure}"
    return (
        Cell(
            words.measured_words(tested.test),
            aside=(reason,) if reason else (),
            link="" if page or not is_measured else _chart(view, tested.test),
            file=page,
        ),
        Cell(
            words.figure_words(tested) or formats.NOTHING,
            tested.figure.value if tested.figure else None,
        ),
        Cell(words.bound_words(tested.test) or formats.NOTHING),
    )


def _chart(view: View, test: ClaimTest) -> str:
    """The chart that has the figure; empty if the page has none."""
    if test.candidate not in _compared(view) and "waterfall" in _shown(view, ("waterfall",)):
        return "waterfall"  # a step of a ladder, which is no ordinary comparison
    return next(iter(_shown(view, _CHARTS.get(test.kind, ()))), "")


def _shown(view: View, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if CHARTS[name].has_something(view)]


def _compared(view: View) -> set[str]:
    """Stacks of the ordinary comparisons."""
    return {
        stack
        for part in view.parts
        for pair in part.pairs
        for stack in (pair.baseline, pair.candidate)
    }
