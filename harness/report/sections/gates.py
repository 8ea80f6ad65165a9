"""The gates: which checks the measurements passed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.models import CellSummary, GateResult, Verdict
from harness.report import formats
from harness.report.content import (
    DOCUMENTS,
    PAGE,
    Cell,
    Column,
    Details,
    Paragraph,
    Row,
    Section,
    Table,
)
from harness.report.view import Part, View

_FIGURE = re.compile(r"\d[\d,]*(?:\.\d+)?")


def gates(view: View) -> Section | None:
    """Every gate with its bound and how many cells passed it; None if none was asked."""
    asked: dict[str, list[tuple[Part, CellSummary, GateResult]]] = {}
    for part in view.parts:
        for cell in part.cells:
            for gate in cell.gates:
                asked.setdefault(gate.gate, []).append((part, cell, gate))
    if not asked:
        return None
    return Section(
        "gates",
        "Gates",
        (
            Paragraph(
                (
                    "A gate asks whether a measurement can be used. One that fails is shown with "
                    "the reason and never ranked.",
                ),
                outputs=PAGE,
            ),
            Table(
                "gates",
                (
                    Column("Gate"),
                    Column("Bound"),
                    Column("Measurements that passed", is_number=True),
                ),
                tuple(
                    _summary(name, [gate for _, _, gate in results])
                    for name, results in asked.items()
                ),
                is_dense=False,
            ),
            Details(
                "The figures of every measurement",
                (
                    Table(
                        "all gates and measurements",
                        (Column("Gate", is_group=True), Column("Measurement"), Column("Figure")),
                        tuple(
                            _figure(name, *result)
                            for name, results in asked.items()
                            for result in results
                        ),
                    ),
                ),
                outputs=PAGE,
            ),
        ),
        "Gates",
        DOCUMENTS,
    )


def _summary(name: str, results: Sequence[GateResult]) -> Row:
    passed = sum(gate.passed for gate in results)
    counts = f"{passed} of {len(results)}"
    count = Cell(counts, passed)
    if passed < len(results):
        count = Cell("", passed, verdict=Verdict.INVALID, verdict_text=counts)
    return Row(
        (
            Cell(name, is_strong=True),
            Cell(formats.clean(_bounds([gate.bound for gate in results]))),
            count,
        )
    )


def _figure(name: str, part: Part, cell: CellSummary, gate: GateResult) -> Row:
    figure = Cell(formats.clean(gate.figure))
    if not gate.passed:
        figure = Cell(figure.text, verdict=Verdict.INVALID, verdict_text="failed")
    return Row((Cell(name), Cell(f"{part.title}, {cell.stack}"), figure), group=name)


def _bounds(bounds: Sequence[str]) -> str:
    """The bound, or the bounds where it depends on the cell."""
    phrases = sorted(dict.fromkeys(bounds), key=_figures_in)
    if len(phrases) <= 2:
        return " or ".join(phrases)
    first, *_, last = phrases
    return f"{first} to {last.removeprefix('at most ')}"


def _figures_in(bound: str) -> tuple[float, ...]:
    return tuple(float(figure.replace(",", "")) for figure in _FIGURE.findall(bound))
