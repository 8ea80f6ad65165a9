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
    Facts,
    Finding,
    Graphic,
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
    title: str,
    table: Table | None,
    findings: Sequence[Finding],
    folded: Sequence[Table],
    first: Section | None = None,
) -> str:
    """A text that needs no file beside it, and is short until the reader unfolds it.

    Args:
        title: its heading.
        table: what is shown at once; None: there is nothing.
        findings: what is said below it.
        folded: what is shown on demand.
        first: what stands above the table, with a heading of its own.
    """
    lines = [f"### {_text(title)}", ""]
    if first is not None:
        lines += [f"#### {_text(first.heading)}", ""]
        for block in first.shown(Output.MARKDOWN):
            if isinstance(block, Table):
                lines += [*_table(block), ""]
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
    if heading.facts:
        yield ""
        yield from _facts(heading.facts)
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
                    for place, card in enumerate(block.cards):
                        if card.name:
                            yield from ["", *_question(card)] if place else _question(card)
                        yield from (f"- {_finding(finding)}" for finding in card.findings)
                case Subheading():
                    yield f"### {_text(block.text)}"
                case Drawing():
                    title = _text(pictures[block.name].caption.title)
                    yield f"![{title}](charts/{block.name}.svg)"
                case Facts():
                    yield from _facts(block.facts)
                case Graphic():
                    yield f"![{_text(block.title)}](charts/{block.name}.svg)"
                case Table():
                    yield from _table(block)
                case _:
                    raise TypeError(f"{type(block).__name__} has no form in Markdown")


def _facts(facts: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield from (f"- {_text(name)}: {_text(value)}" for name, value in facts)


def _question(card: Card) -> list[str]:
    about = f" ({_text(card.about)})" if card.about else ""
    return [f"**{_text(card.name)}**{about}: {_text(card.heading)}", ""]


def _finding(finding: Finding) -> str:
    """The verdict, the sentence, and what else was found of the pair."""
    texts = " ".join(_text(each.text) for each in (finding, *finding.also))
    labels = f" ({_text('; '.join(finding.labels))})" if finding.labels else ""
    if finding.verdict is None:
        return f"{_capital(labels[2:-1])}: {texts}" if labels else texts
    return f"**{_text(_capital(finding.not_judged or finding.verdict))}**{labels}: {texts}"


def _capital(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}"


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
    verdict = cell.not_judged or cell.verdict_text or cell.verdict or ""
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
