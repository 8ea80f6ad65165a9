"""index.html: the whole report in one file that needs no other.

Its script sorts and filters tables; without it the page says the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.report.charts import Picture
from harness.report.charts.svg import OWNED
from harness.report.content import (
    Block,
    Code,
    Column,
    Drawing,
    Link,
    Output,
    Placed,
    Row,
    Section,
    Table,
    shown,
)
from harness.report.palette import variables
from harness.report.verdicts import BADGES, NOT_JUDGED
from harness.report.words.heading import Heading

_TEMPLATES = Path(__file__).parent / "templates"
_NOT_JUDGED = "not-judged"  # its class, beside those of the verdicts


def page(heading: Heading, sections: Sequence[Section], pictures: Mapping[str, Picture]) -> str:
    """The page as HTML."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown_sections = [
        (section, section.shown(Output.PAGE)) for section in sections if section.shown(Output.PAGE)
    ]
    return environment.get_template("page.html.j2").render(
        heading=heading,
        contents=[
            entry for section, blocks in shown_sections for entry in _contents(section, blocks)
        ],
        sections=shown_sections,
        section_ids={section.id for section, _ in shown_sections},
        pictures=pictures,
        marks={**{str(verdict): mark for verdict, mark in BADGES.items()}, _NOT_JUDGED: NOT_JUDGED},
        not_judged=_NOT_JUDGED,
        variables=variables(),
        owned=OWNED,
        most_stacks=max((len(picture.stacks) for picture in pictures.values()), default=0),
        kind=_kind,
        blocks_of=lambda blocks: shown(blocks, Output.PAGE),
        layout=_layout,
        markup=Markup,  # for what was escaped where it was made
        drawing=lambda name: Markup(pictures[name].inline_svg),  # escaped where it was made
    )


def _kind(thing: Any) -> str:
    """Which macro renders a block, or a piece of a text."""
    match thing:
        case str():
            return "text"
        case Code() | Link() | Block():
            return type(thing).__name__
        case _:
            raise TypeError(f"{type(thing).__name__} has no form on the page")


def _contents(section: Section, blocks: Sequence[Block]) -> Iterator[tuple[str, str]]:
    """Id and words of what the table of contents lists."""
    if section.contents:
        yield section.id, section.contents
    for block in blocks:
        if isinstance(block, Drawing) and block.contents:
            yield block.name, block.contents


@dataclass(frozen=True, slots=True)
class _Head:
    """A heading of a table, over one or several columns or rows."""

    words: str
    is_number: bool
    place: int | None  # of the column; None over several
    columns: int = 1
    rows: int = 1


@dataclass(frozen=True, slots=True)
class _PageCell:
    place: int  # of its column
    placed: Placed


@dataclass(frozen=True, slots=True)
class _PageRow:
    row: Row
    cells: tuple[_PageCell, ...]
    rows_of_group: int  # that its first cell stands beside; 0 where it stood there already


@dataclass(frozen=True, slots=True)
class _Layout:
    """A table as the page lays it out."""

    heads: tuple[tuple[_Head, ...], ...]
    groups: tuple[tuple[_PageRow, ...], ...]
    columns: int  # right of the group's


def _layout(table: Table) -> _Layout:
    columns = [column for column in table.columns if Output.PAGE in column.outputs]
    places = {id(column): place for place, column in enumerate(columns)}
    is_grouped = any(column.is_group for column in columns)
    groups: list[tuple[_PageRow, ...]] = []
    for _, members in groupby(table.rows, key=lambda row: row.group if is_grouped else ""):
        rows = list(members)
        lines = sum(2 if row.reason else 1 for row in rows)
        groups.append(
            tuple(
                _PageRow(
                    row,
                    tuple(
                        _PageCell(places[id(placed.column)], placed)
                        for placed in table.placed(row, columns)
                        if place == 0 or not placed.column.is_group
                    ),
                    rows_of_group=lines if place == 0 else 0,
                )
                for place, row in enumerate(rows)
            )
        )
    return _Layout(
        tuple(_heads(columns)), tuple(groups), columns=len(columns) - (1 if is_grouped else 0)
    )


def _heads(columns: Sequence[Column]) -> Iterator[tuple[_Head, ...]]:
    """A line of headings, or two where several columns share one."""
    places = {id(column): place for place, column in enumerate(columns)}

    def head(column: Column, rows: int = 1) -> _Head:
        return _Head(column.heading, column.is_number, places[id(column)], rows=rows)

    if not any(column.over for column in columns):
        yield tuple(head(column) for column in columns)
        return
    first: list[_Head] = []
    for over, members in groupby(columns, key=lambda column: column.over):
        shared = list(members)
        if over:
            first.append(_Head(over, is_number=False, place=None, columns=len(shared)))
        else:
            first += [head(column, rows=2) for column in shared]
    yield tuple(first)
    yield tuple(head(column) for column in columns if column.over)
