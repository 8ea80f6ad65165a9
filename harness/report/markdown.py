"""summary.md: the report as Markdown, with the charts beside it in `charts/`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from harness.report.charts import Picture
from harness.report.content import (
    Bullets,
    Card,
    Cards,
    Cell,
    Code,
    Column,
    Drawing,
    Finding,
    Link,
    Output,
    Paragraph,
    Piece,
    Section,
    Subheading,
    Table,
)
from harness.report.words.heading import Heading

_SPECIAL = re.compile(r"[\\`*_<>|~$]|(?<=\])\(")


def markdown(heading: Heading, sections: Sequence[Section], pictures: Mapping[str, Picture]) -> str:
    """The report as one text."""
    return "\n".join(_lines(heading, sections, pictures)) + "\n"


def excerpt(
    title: str, table: Table | None, findings: Sequence[Finding], folded: Sequence[Table]
) -> str:
    """A text that needs no file beside it, and is short until the reader unfolds it.

    Args:
        title: its heading.
        table: what is shown at once; None: there is nothing.
        findings: what is said below it.
        folded: what is shown on demand.
    """
    lines = [f"### {_text(title)}", ""]
    lines += ["Nothing to show."] if table is None else _table(table)
    lines += ["", *(f"- {_finding(finding)}" for finding in findings)]
    if folded:
        lines += ["", "<details><summary>All measurements</summary>"]
        for each in folded:
            lines += ["", *_table(each)]
        lines += ["", "</details>"]
    return "\n".join(lines) + "\n"


def _lines(
    heading: Heading, sections: Sequence[Section], pictures: Mapping[str, Picture]
) -> Iterator[str]:
    yield f"# {_text(heading.title)}"
    yield ""
    yield _pieces(heading.summary)
    for section in sections:
        blocks = section.shown(Output.MARKDOWN)
        if blocks:
            yield ""
            yield f"## {_text(section.heading)}"
        for block in blocks:
            yield ""
            match block:
                case Paragraph():
                    yield _pieces(block.pieces)
                case Bullets():
                    yield from (f"- {_text(item)}" for item in block.items)
                case Cards(are_paragraphs=True):
                    yield from (f"- {_paragraph(card)}" for card in block.cards)
                case Cards():
                    for card in block.cards:
                        yield from (f"- {_finding(finding)}" for finding in card.findings)
                case Subheading():
                    yield f"### {_text(block.text)}"
                case Drawing():
                    title = _text(pictures[block.name].caption.title)
                    yield f"![{title}](charts/{block.name}.svg)"
                case Table():
                    yield from _table(block)
                case _:
                    raise TypeError(f"{type(block).__name__} has no form in Markdown")


def _finding(finding: Finding) -> str:
    if finding.verdict is None:
        return _text(finding.text)
    return f"**{finding.verdict.capitalize()}.** {_text(finding.text)}"


def _paragraph(card: Card) -> str:
    return _text(" ".join(finding.text for finding in card.findings))


def _table(table: Table) -> Iterator[str]:
    columns = [column for column in table.columns if Output.MARKDOWN in column.outputs]
    yield _row([_heading(column) for column in columns])
    yield _row(["---:" if column.is_number else "---" for column in columns])
    for row in table.rows:
        texts: list[str] = []
        for placed in table.placed(row, columns):
            texts += [_cell(placed.cell), *[""] * (placed.span - 1)]
        yield _row(texts)


def _heading(column: Column) -> str:
    return _text(
        f"{column.over.removesuffix(', ms')} {column.heading} ms" if column.over else column.heading
    )


def _cell(cell: Cell) -> str:
    verdict = cell.verdict_text or cell.verdict or ""
    if cell.span > 1:
        return _text(f"{verdict}: {cell.text}")
    codes = [f"`{code}`" for code in cell.codes]
    texts = [_text(text) for text in (cell.text, cell.detail, verdict) if text]
    return " ".join([*codes, *texts])


def _row(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _pieces(pieces: Sequence[Piece]) -> str:
    return "".join(map(_piece, pieces))


def _piece(piece: Piece) -> str:
    match piece:
        case Code():
            return f"`{piece.text}`"
        case Link():
            return f"[{_text(piece.text)}]({piece.file})"
        case str():
            return _text(piece)


def _text(words: str) -> str:
    """Text from data so that it stays text in Markdown."""
    return _SPECIAL.sub(r"\\\g<0>", words.replace("\n", " "))
