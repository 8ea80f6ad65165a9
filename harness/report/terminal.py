"""The report in a terminal: tables, as wide as it lets them be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table as RichTable
from rich.text import Text

from harness.models import FailOutcome, Verdict
from harness.report.content import (
    Block,
    Cell,
    Column,
    Command,
    Findings,
    Output,
    Paragraph,
    Row,
    Section,
    Table,
)
from harness.report.verdicts import BADGES, MARKS, NOT_JUDGED


@dataclass(frozen=True, slots=True)
class Terminal:
    """The sections that a terminal shows; rich prints it."""

    sections: tuple[Section, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        blocks = [block for section in self.sections for block in section.shown(Output.TERMINAL)]
        for place, block in enumerate(blocks):
            # Findings and what is noted below them stand together.
            if place and not isinstance(blocks[place - 1], Findings):
                yield Text("")
            yield from _block(block, options.max_width)


def _block(block: Block, width: int) -> Iterator[RenderableType]:
    match block:
        case Table():
            yield _table(block, width)
        case Findings():
            for finding in block.findings:
                if finding.verdict is None:
                    yield Text(finding.text)
                else:
                    style = MARKS[finding.verdict].terminal
                    yield Text.assemble((f"{finding.verdict}  ", style), finding.text)
        case Paragraph():
            words = "".join(
                piece if isinstance(piece, str) else piece.text for piece in block.pieces
            )
            yield Text(words, "dim" if block.is_note else "")
        case Command():
            # Whole on one line, so that it can be copied.
            yield Text(block.text, no_wrap=True, overflow="ignore")
        case _:
            raise TypeError(f"{type(block).__name__} has no form in a terminal")


def _table(table: Table, width: int) -> RichTable:
    columns = [
        column
        for column in table.columns
        if Output.TERMINAL in column.outputs and width >= column.from_width
    ]
    drawn = RichTable(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    texts = [column for column in columns if not column.is_number]
    # The last column of a table of sentences is the longest.
    folded = texts[:2] if table.is_dense else [*texts[:2], *texts[-1:]]
    for column in columns:
        drawn.add_column(
            _heading(column, width),
            justify="right" if column.is_number else "left",
            style="bold" if column.is_group else "",
            # Names give way, figures do not.
            no_wrap=column not in folded,
            overflow="fold" if column in folded else "ellipsis",
        )
    group = ""
    for place, row in enumerate(table.rows):
        begins = place == 0 or row.group != group
        if place and begins:
            drawn.add_section()
        group = row.group
        drawn.add_row(*_cells(table, row, columns, width, begins=begins))
    return drawn


def _heading(column: Column, width: int) -> str:
    heading = column.short_heading or column.heading
    return f"{heading} [95 %]" if _shows_details(column, width) else heading


def _cells(
    table: Table, row: Row, columns: Sequence[Column], width: int, *, begins: bool
) -> Iterator[Text]:
    for placed in table.placed(row, columns):
        if placed.column.is_group and not begins:
            yield Text("")
        else:
            yield _cell(placed.cell, row, details=_shows_details(placed.column, width))


def _shows_details(column: Column, width: int) -> bool:
    return column.details_from is not None and width >= column.details_from


def _cell(cell: Cell, row: Row, *, details: bool) -> Text:
    if not cell.text and cell.verdict:
        if cell.not_judged:
            return Text(
                f"{NOT_JUDGED.sign} {cell.not_judged.partition(':')[0]}", NOT_JUDGED.terminal
            )
        return verdict_text(cell.verdict)
    style = "bold" if cell.is_strong else "dim" if cell.is_quiet or not row.is_valid else ""
    words = f"{cell.text} {cell.detail}" if cell.detail and details else cell.text
    return Text(words, style)


def verdict_text(verdict: Verdict | FailOutcome) -> Text:
    """A verdict with its sign, in its colour."""
    mark = BADGES[verdict]
    return Text(f"{mark.sign} {verdict}", mark.terminal)
