"""How the replies of services of the reader's own differ from the baseline's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.report import formats
from harness.report.content import Cell, Column, Paragraph, Row, Section, Table, note
from harness.report.view import View

_AT = ("before: ", "after: ")
#: Nobody reads more of them here; `twinbench check` groups them by cause.
_MOST_ROWS = 12


@dataclass(frozen=True, slots=True)
class Differing:
    """How a service's replies differ from the baseline's."""

    stack: str
    same_work: bool  # whether both served the request
    text: str


def replies(view: View) -> Section | None:
    """Every difference that was found, once; None for a run of the twins."""
    blocks = [block for block in view.run.blocks if block.scenario.requests]
    if not blocks:
        return None
    found = differing(view)
    if not found:
        text = (
            "No difference was found in the requests that were sent to all: the status was the same, "
            "and bodies and headers said the same, apart from what each service draws for itself."
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
            Table("replies", columns, tuple(map(_row, found[:_MOST_ROWS])), is_dense=False),
            note(_consequence(found)),
        ),
        "Replies",
    )


def _row(found: Differing) -> Row:
    does = "says something else" if found.same_work else "does something else"
    return Row((Cell(found.stack), Cell(does), Cell(found.text)))


def _consequence(found: Sequence[Differing]) -> str:
    """What follows for the figures."""
    services = tuple(dict.fromkeys(each.stack for each in found if not each.same_work))
    if services:
        verb, whose = ("does", "its") if len(services) == 1 else ("do", "their")
        what = f"Since {formats.listing(services)} {verb} something else, {whose} figures are not compared."
    else:
        what = (
            "Each service answered with the same status, so figures are compared; whether what "
            "differs is the same work is for you to judge."
        )
    more = len(found) - _MOST_ROWS
    if more > 0:
        what = f"And {formats.plural(more, 'further difference')}. {what}"
    return (
        f"{what} 'twinbench check' with the same services and requests shows every difference, with a "
        "command that repeats it."
    )


def differing(view: View) -> tuple[Differing, ...]:
    """Every difference that was found, once."""
    return tuple(dict.fromkeys(_found(view)))


def _found(view: View) -> Iterator[Differing]:
    for finished in view.run.rounds:
        for cell in finished.cells:
            for text in cell.parity:
                words = text
                for at in _AT:
                    words = words.removeprefix(at)
                yield Differing(cell.stack, False, formats.clean(words))
    for finished in view.run.rounds:
        for cell in finished.cells:
            for text in cell.differences:
                yield Differing(cell.stack, True, formats.clean(text))
