"""The report on services that were sent the same requests: a page, and tables for the terminal."""

from __future__ import annotations

from rich.console import RenderableType

from harness.models import Cause, ParityFound
from harness.report import formats
from harness.report.content import (
    DOCUMENTS,
    TERMINAL,
    Block,
    Bullets,
    Cell,
    Column,
    Command,
    Output,
    Paragraph,
    Row,
    Section,
    Subheading,
    Table,
    note,
)
from harness.report.page import page
from harness.report.terminal import Terminal
from harness.report.words import parity as words
from harness.report.words.heading import Heading

#: Causes and operations that a terminal shows; the page has all.
_MOST_IN_TERMINAL = 30
#: Causes whose commands a terminal shows.
_WITH_COMMANDS = 5


def parity_page(found: ParityFound) -> bytes:
    """The page, in one file that needs no other."""
    services = [f"{label}: {formats.clean(url)}" for label, url in found.services.items()]
    heading = Heading(words.title(found), "", (f"{formats.listing(services)}.",))
    return page(heading, _sections(found), {}).encode()


def parity_terminal(found: ParityFound) -> RenderableType:
    """What was found, as a table, with commands that show the worst of it."""
    return Terminal(_sections(found))


def _sections(found: ParityFound) -> tuple[Section, ...]:
    sections = [_causes(found)]
    if found.lacking:
        sections.append(_lacking(found))
    if found.causes:
        sections.append(_examples(found))
    sections.append(_notes(found))
    return tuple(each for each in sections if each.blocks)


def _causes(found: ParityFound) -> Section:
    blocks: list[Block] = [Paragraph((words.conclusion(found),))]
    if found.causes:
        blocks.append(_table(found, len(found.causes), DOCUMENTS))
        blocks.append(_table(found, _MOST_IN_TERMINAL, TERMINAL))
        more = len(found.causes) - _MOST_IN_TERMINAL
        if more > 0:
            blocks.append(note(f"And {more} more: --html and --json have all.", outputs=TERMINAL))
    return Section("differences", "What differs, by cause", tuple(blocks), "Differences")


def _table(found: ParityFound, most: int, outputs: frozenset[Output]) -> Table:
    names_service = len(found.services) > 2
    return Table(
        "differences",
        (
            Column("Differs"),
            Column("Cause"),
            Column("For example", from_width=100),
            Column("Requests", is_number=True),
        ),
        tuple(
            Row(
                (
                    Cell(words.KINDS[cause.kind], is_strong=True),
                    Cell(words.cause_words(cause, names_service=names_service)),
                    Cell(formats.clean(cause.examples[0].request)),
                    Cell(f"{cause.requests:,}", cause.requests),
                )
            )
            for cause in found.causes[:most]
        ),
        is_dense=False,
        outputs=outputs,
    )


def _lacking(found: ParityFound) -> Section:
    def table(most: int, outputs: frozenset[Output]) -> Table:
        return Table(
            "operations",
            (Column("Operation"), Column("Lacking")),
            tuple(
                Row(
                    (
                        Cell(f"{each.method} {formats.clean(each.path)}", is_strong=True),
                        Cell(words.lacking_words(each)),
                    )
                )
                for each in found.lacking[:most]
            ),
            is_dense=False,
            outputs=outputs,
        )

    blocks: list[Block] = [
        table(len(found.lacking), DOCUMENTS),
        table(_MOST_IN_TERMINAL, TERMINAL),
    ]
    more = len(found.lacking) - _MOST_IN_TERMINAL
    if more > 0:
        blocks.append(note(f"And {more} more: --html and --json have all.", outputs=TERMINAL))
    return Section("operations", "Operations that a service lacks", tuple(blocks), "Operations")


def _examples(found: ParityFound) -> Section:
    """Requests that show each cause; a terminal has the first of the worst causes."""
    blocks: list[Block] = []
    for place, cause in enumerate(found.causes):
        outputs = DOCUMENTS | TERMINAL if place < _WITH_COMMANDS else DOCUMENTS
        blocks.append(Subheading(_heading(found, cause), outputs=DOCUMENTS))
        for number, example in enumerate(cause.examples):
            shown = outputs if number == 0 else DOCUMENTS
            said = f"{formats.clean(example.request)}: {formats.clean(example.detail)}"
            blocks.append(Paragraph((said,), outputs=shown))
            blocks += [Command(each, outputs=shown) for each in example.curl.values()]
    return Section("examples", "Requests that show it", tuple(blocks), "Examples")


def _heading(found: ParityFound, cause: Cause) -> str:
    said = words.cause_words(cause, names_service=len(found.services) > 2)
    return f"{said} ({formats.plural(cause.requests, 'request')})"


def _notes(found: ParityFound) -> Section:
    notes = [f"{formats.clean(each[0].upper() + each[1:])}." for each in found.notes if each]
    said = [each for each in (words.drawn_words(found.drawn),) if each]
    blocks: list[Block] = []
    if said or notes:
        blocks.append(Bullets((*said, *notes), outputs=DOCUMENTS))
        blocks += [note(each, outputs=TERMINAL) for each in (*said, *notes)]
    return Section("notes", "Notes", tuple(blocks), "Notes")
