"""What a whole run measured beside its scenarios: each part has a page of its own."""

from __future__ import annotations

from harness.report import formats
from harness.report.content import DOCUMENTS, Cell, Column, Row, Section, Table, note
from harness.report.view import View

#: How a part's name begins -> what it is about.
_ABOUT = {
    "sweep": "throughput and latency against the number of users",
    "threads": "the same for Flask with threads alone, up to 1,000 users",
    "development": "servers of development beside those of production",
    "workers": "throughput and memory against the number of worker processes",
    "capacity": "the highest rate at which a promise is kept, and what that costs",
    "connections": "memory of connections that are held, and who else is served",
}


def parts(view: View) -> Section | None:
    """The parts of a run, and where their pages are; None if it has none."""
    if not view.analysis.parts:
        return None
    rows = tuple(
        Row(
            (
                Cell(part.name, file=page_of(view, part.name)),
                Cell(_ABOUT.get(part.name.partition("-")[0], formats.NOTHING)),
                Cell(f"{part.valid} of {part.cells}", float(part.valid)),
            ),
            is_valid=part.valid == part.cells,
        )
        for part in view.analysis.parts
    )
    columns = (Column("Part"), Column("What it shows"), Column("Valid figures", is_number=True))
    return Section(
        "parts",
        "Also measured in this run",
        (
            Table("parts", columns, rows, is_dense=False, outputs=DOCUMENTS),
            note("Each part has a report of its own, beside this one.", outputs=DOCUMENTS),
        ),
        "Curves, capacity, connections",
        DOCUMENTS,
    )


def page_of(view: View, name: str) -> str:
    """The page of a part, from the report's folder; empty if the run has no such part."""
    for part in view.analysis.parts:
        if part.name == name:
            return f"../{part.folder}/report/index.html"
    return ""
