"""How the replies of services of the reader's own differ from the baseline's."""

from __future__ import annotations

from collections.abc import Iterator

from harness.report import formats
from harness.report.content import Cell, Column, Paragraph, Row, Section, Table, note
from harness.report.view import View

_AT = ("before: ", "after: ")
_ELSE = "does something else"


def replies(view: View) -> Section | None:
    """Every difference that was found, once; None for a run of the twins."""
    blocks = [block for block in view.run.blocks if block.scenario.requests]
    if not blocks:
        return None
    rows = tuple(dict.fromkeys(_rows(view)))
    if not rows:
        text = (
            "No difference was found: each service answered the same requests with the same status, "
            "and bodies and headers said the same, apart from what each draws for itself."
        )
        return Section("replies", "Replies", (Paragraph((text,)),), "Replies")
    columns = (
        Column("Service"),
        Column("What"),
        Column("How its replies differ from the baseline's"),
    )
    return Section(
        "replies",
        "Replies",
        (
            Table(
                "replies",
                columns,
                tuple(Row(tuple(map(Cell, row))) for row in rows),
                is_dense=False,
            ),
            note(_consequence(rows)),
        ),
        "Replies",
    )


def _consequence(rows: tuple[tuple[str, str, str], ...]) -> str:
    """What follows for the figures."""
    services = tuple(dict.fromkeys(service for service, what, _ in rows if what == _ELSE))
    if services:
        verb, whose = ("does", "its") if len(services) == 1 else ("do", "their")
        what = f"Since {formats.listing(services)} {verb} something else, {whose} figures are not compared."
    else:
        what = (
            "Each service answered with the same status, so figures are compared; whether what "
            "differs is the same work is for you to judge."
        )
    return (
        f"{what} 'twinbench check' with the same services and requests shows every difference, with a "
        "command that repeats it."
    )


def _rows(view: View) -> Iterator[tuple[str, str, str]]:
    for finished in view.run.rounds:
        for cell in finished.cells:
            for text in cell.parity:
                words = text
                for at in _AT:
                    words = words.removeprefix(at)
                yield cell.stack, _ELSE, formats.clean(words)
            for text in cell.differences:
                yield cell.stack, "says something else", formats.clean(text)
