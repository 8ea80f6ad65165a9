"""What a section consists of, whatever it is rendered to.

A section is declared once, in `sections`, from these blocks; `page`, `markdown` and `terminal`
decide how a block looks, never what it says. Where a block is left out of an output, `outputs`
says so.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.models import FailOutcome, Verdict


class Output(enum.Enum):
    """Where the report is read."""

    PAGE = "index.html"
    MARKDOWN = "summary.md"
    TERMINAL = "terminal"


EVERYWHERE = frozenset(Output)
PAGE = frozenset({Output.PAGE})
MARKDOWN = frozenset({Output.MARKDOWN})
TERMINAL = frozenset({Output.TERMINAL})
DOCUMENTS = PAGE | MARKDOWN


# ---------------------------------------------------------------------------- text


@dataclass(frozen=True, slots=True)
class Code:
    """Text as one would type it."""

    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """A file beside the page."""

    text: str
    file: str


Piece = str | Code | Link


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence, and the verdict that it rests on; None where it rests on none."""

    text: str
    verdict: Verdict | None = None
    not_judged: str = ""  # in place of the verdict's word, where there are too few rounds for one
    labels: tuple[str, ...] = ()  # which kind of pair it speaks of: "default pair"
    also: tuple[Finding, ...] = ()  # what else was found of the same pair, each in a few words


# -------------------------------------------------------------------------- blocks


@dataclass(frozen=True, kw_only=True)
class Block:
    """A piece of a section."""

    outputs: frozenset[Output] = EVERYWHERE


@dataclass(frozen=True)
class Paragraph(Block):
    """A few sentences."""

    pieces: tuple[Piece, ...]
    is_note: bool = False  # explains what stands above it


@dataclass(frozen=True)
class Findings(Block):
    """Findings one below the other, each with its verdict; only a terminal has a form for it."""

    findings: tuple[Finding, ...]
    outputs: frozenset[Output] = field(default=TERMINAL, kw_only=True)


@dataclass(frozen=True)
class Bullets(Block):
    """Sentences that do not depend on each other."""

    items: tuple[str, ...]
    are_short: bool = False  # so that several fit beside each other


@dataclass(frozen=True, slots=True)
class Card:
    """A question with its findings."""

    heading: str
    findings: tuple[Finding, ...]
    name: str = ""  # of the scenario
    about: str = ""  # its kind, load and rounds


@dataclass(frozen=True)
class Cards(Block):
    """Questions and what came out."""

    cards: tuple[Card, ...]
    #: Whether the findings of a card make one paragraph where there is no room for cards.
    are_paragraphs: bool = False


@dataclass(frozen=True)
class Subheading(Block):
    """A heading within a section."""

    text: str


@dataclass(frozen=True)
class Drawing(Block):
    """A chart; its words and its picture go by this name."""

    name: str
    contents: str = ""  # what the table of contents calls it; empty: it is not there
    outputs: frozenset[Output] = field(default=DOCUMENTS, kw_only=True)


@dataclass(frozen=True, slots=True)
class Mark:
    """A ratio with its interval, as shares of the width of an axis."""

    at: float
    low: float  # equal to `at` without an interval
    high: float
    colour: str  # as CSS writes it
    is_filled: bool  # whether the verdict names a winner


@dataclass(frozen=True, slots=True)
class RatioLine:
    """A comparison: its names, its mark and its figures."""

    scenario: str
    pair: str
    band: tuple[float, float]  # what is too small to matter, as shares of the width
    mark: Mark | None  # None where there is no ratio
    figure: str  # "2.34 ×"; the reason where there is no ratio
    interval: str
    verdict: Verdict
    not_judged: str = ""


@dataclass(frozen=True)
class Ratios(Block):
    """The chart of ratios as a table, for a page that may be narrow."""

    name: str  # of the chart whose words stand around it
    ticks: tuple[tuple[float, str], ...]  # share of the width, and what stands there
    groups: tuple[tuple[str, tuple[RatioLine, ...]], ...]  # heading -> its lines
    outputs: frozenset[Output] = field(default=PAGE, kw_only=True)


@dataclass(frozen=True)
class Graphic(Block):
    """A drawing that is text itself: SVG on the page, and a file in charts/."""

    name: str
    title: str
    reading: str  # how it is read
    svg: str  # an element for the page, escaped where it was made
    outputs: frozenset[Output] = field(default=DOCUMENTS, kw_only=True)


@dataclass(frozen=True, slots=True)
class Listing:
    """A file of code."""

    title: str
    html: str  # coloured, escaped where it was made


@dataclass(frozen=True)
class Listings(Block):
    """Files of code: columns beside each other where there is room."""

    columns: tuple[tuple[Listing, ...], ...]
    outputs: frozenset[Output] = field(default=PAGE, kw_only=True)


@dataclass(frozen=True)
class Facts(Block):
    """Names and values."""

    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Command(Block):
    """A command line on a line of its own."""

    text: str


@dataclass(frozen=True)
class Details(Block):
    """What is shown on demand."""

    summary: str
    blocks: tuple[Block, ...]


# -------------------------------------------------------------------------- tables


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure or word of a table, and the number that the text was made from."""

    text: str
    value: float | None = None
    detail: str = ""  # belongs to it, as its interval does: "[3,980, 4,260]"
    aside: tuple[str, ...] = ()  # for which the page alone has room
    #: Stands beside the text; instead of it where there is none.
    verdict: Verdict | FailOutcome | None = None
    verdict_text: str = ""  # in place of the verdict's own word
    not_judged: str = ""  # likewise, where there are too few rounds for a verdict
    codes: tuple[str, ...] = ()  # stand before the text, as one would type them
    span: int = 1  # columns
    is_strong: bool = False
    is_quiet: bool = False
    link: str = ""  # a part of the same page, by its id, to which the text leads
    file: str = ""  # a file beside the page to which the text leads, if there is no link


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    heading: str
    is_number: bool = False
    is_group: bool = False  # neighbouring rows of the same group show it once
    over: str = ""  # a heading that neighbouring columns share
    outputs: frozenset[Output] = EVERYWHERE
    #: What a terminal has room for: another heading, and how wide it must be for the column, and
    #: for the details of its cells, to be shown.
    short_heading: str = ""
    from_width: int = 0
    details_from: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: a cell for each column, but for those that a cell spans."""

    cells: tuple[Cell, ...]
    group: str = ""  # of neighbouring rows that belong together
    is_valid: bool = True
    reason: str = ""  # why it is not, where that needs a line of its own


@dataclass(frozen=True, slots=True)
class Placed:
    """A cell in its column, over as many of the shown columns as it spans."""

    column: Column
    cell: Cell
    span: int


@dataclass(frozen=True)
class Table(Block):
    """Rows of figures."""

    name: str  # what it is a table of: "comparisons"
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    is_dense: bool = True  # has many columns

    def placed(self, row: Row, columns: Sequence[Column]) -> list[Placed]:
        """The cells of a row that stand in some of the columns."""
        found: list[Placed] = []
        first = 0
        for cell in row.cells:
            own = self.columns[first : first + cell.span]
            first += cell.span
            shown = [column for column in own if column in columns]
            if shown:
                found.append(Placed(shown[0], cell, len(shown)))
        return found


@dataclass(frozen=True)
class Section:
    """A part of the report with a heading."""

    id: str
    heading: str
    blocks: tuple[Block, ...]
    contents: str = ""  # what the table of contents calls it; empty: it is not there
    outputs: frozenset[Output] = EVERYWHERE

    def shown(self, output: Output) -> tuple[Block, ...]:
        """The blocks that an output shows; none if it leaves out the section."""
        return shown(self.blocks, output) if output in self.outputs else ()


def shown(blocks: Sequence[Block], output: Output) -> tuple[Block, ...]:
    """Those of some blocks that an output shows."""
    return tuple(block for block in blocks if output in block.outputs)


def note(text: str, *, outputs: frozenset[Output] = EVERYWHERE) -> Paragraph:
    """A paragraph that explains what stands above it."""
    return Paragraph((text,), is_note=True, outputs=outputs)
