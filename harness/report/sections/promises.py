"""Promises between services: what became of each, for every candidate, scenario and load."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.models import FailIfJudged
from harness.report import formats
from harness.report.content import DOCUMENTS, Cell, Column, Row, Section, Table, note
from harness.report.view import View
from harness.report.words import promises as words

_COLUMNS = (
    Column("Promise broken if", short_heading="Broken if"),
    Column("Outcome"),
    Column("Scenario"),
    Column("Candidate"),
    Column("Figure", is_number=True, details_from=120),
    Column("Rounds", is_number=True, from_width=110),
    Column("Why", outputs=DOCUMENTS),
)


def promises(view: View) -> Section | None:
    """The promises that the reader asked for; None without any."""
    judged = view.analysis.fail_ifs
    if not judged:
        return None
    return Section(
        "promises",
        f"Promises: {words.counted(judged)}",
        (table(judged), note(words.PROMISES_NOTE, outputs=DOCUMENTS)),
        "Promises",
    )


def table(judged: Sequence[FailIfJudged]) -> Table:
    """A row for each, the broken ones first."""
    return Table("promises", _COLUMNS, tuple(_rows(words.worst_first(judged))), is_dense=False)


def _rows(judged: Sequence[FailIfJudged]) -> Iterator[Row]:
    for each in judged:
        yield Row(
            (
                Cell(each.condition.text, is_strong=True),
                Cell("", verdict=each.outcome),
                Cell(f"{each.scenario} ({each.load})"),
                Cell(words.beside_words(each)),
                Cell(
                    words.figure_words(each) or formats.NOTHING,
                    each.figure.value if each.figure else None,
                    detail=words.interval_words(each),
                ),
                Cell(f"{each.rounds:,}", float(each.rounds)),
                Cell(formats.clean(each.reason)),
            )
        )
