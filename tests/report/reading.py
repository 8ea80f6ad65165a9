"""Reads a report as its readers do."""

import io
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from harness import report, store
from harness.models import Analysis, Comparison, Family, Verdict
from harness.report.charts import CHARTS
from harness.report.charts.caption import Caption
from harness.report.charts.sheet import Sheet
from harness.report.content import Cell, Details, Finding, Output, Section, Table
from harness.report.sections import sections
from harness.report.view import View
from harness.report.words.answers import answers
from harness.report.words.attribution import attribution

WINNER = re.compile(r"\b(faster|slower)\b", re.IGNORECASE)
#: The charts of a run without a ladder, without curves and searches, and with one number of workers.
USUAL = [
    name
    for name, chart in CHARTS.items()
    if not (
        chart.of_ladders
        or chart.of_curves
        or chart.of_workers
        or chart.of_capacity
        or chart.of_maps
        or chart.of_load_shares
        or chart.of_cost
    )
]


class Page(HTMLParser):
    """What a browser would see: elements with attributes, ids, and text outside of drawings."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.inside: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "input"):
            self.inside.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.inside.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.inside):
            self.words.append(data)

    @property
    def text(self) -> str:
        """All text, white space folded."""
        return folded(" ".join(self.words))


def folded(text: str) -> str:
    """White space of any kind as one blank."""
    return " ".join(text.split())


def render(analysis: Analysis, *, pixels: bool = False) -> dict[str, bytes]:
    """The report's files; unless pixels are asked for, a PNG file is one in name alone.

    They take a third of the time, and few tests look at them.
    """
    with pytest.MonkeyPatch.context() as patch:
        if not pixels:
            patch.setattr("harness.report.charts.png", lambda _sheet: b"no pixels")
        return report.render(analysis)


def write(analysis: Analysis, folder: Path, *, pixels: bool = False) -> list[Path]:
    """The report's files, on disk."""
    return store.write_report(folder, render(analysis, pixels=pixels))


def shown(analysis: Analysis, width: int) -> str:
    """What a terminal shows, as plain text."""
    console = Console(width=width, file=io.StringIO(), color_system=None)
    with console.capture() as capture:
        console.print(report.terminal(analysis))
    return capture.get()


def findings(analysis: Analysis) -> Iterator[Finding]:
    """What is answered, scenario by scenario."""
    for card in answers(View(analysis)):
        yield from card.findings


def steps(analysis: Analysis) -> list[Finding]:
    """What is said of the steps."""
    return [finding for card in attribution(View(analysis)) for finding in card.findings]


def caption(analysis: Analysis, name: str) -> Caption:
    """The words around a chart."""
    return CHARTS[name].caption(View(analysis))


def draw(analysis: Analysis, name: str) -> Sheet:
    """A chart."""
    view = View(analysis)
    return CHARTS[name].draw(view, CHARTS[name].caption(view))


def section(analysis: Analysis, identifier: str) -> Section:
    """A section by its id."""
    return next(found for found in sections(View(analysis)) if found.id == identifier)


def table(analysis: Analysis, name: str) -> Table:
    """A table by what it is a table of."""
    blocks = [block for found in sections(View(analysis)) for block in found.blocks]
    blocks += [inner for block in blocks if isinstance(block, Details) for inner in block.blocks]
    return next(block for block in blocks if isinstance(block, Table) and block.name == name)


def rows(analysis: Analysis, name: str, output: Output = Output.MARKDOWN) -> list[dict[str, Cell]]:
    """The rows of a table: heading -> cell, in the columns that an output shows."""
    found = table(analysis, name)
    columns = [column for column in found.columns if output in column.outputs]
    return [
        {placed.column.heading: placed.cell for placed in found.placed(row, columns)}
        for row in found.rows
    ]


def comparison(
    ratio: float, low: float, high: float, verdict: Verdict, rounds: int = 8
) -> Comparison:
    """A comparison of the twins in hello."""
    return Comparison(
        "hello",
        "closed-16",
        "throughput_rps",
        "flask-gthread",
        "fastapi-uvicorn",
        ratio,
        low,
        high,
        rounds,
        0.03,
        verdict,
        Family.ANSWERS,
    )
