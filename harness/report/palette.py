"""One look per stack, the same in every chart: warm for Flask, cold for FastAPI.

The two families stay apart for colour-blind readers and in grey print; within a family the
marker, the hatch and the dash say which variant it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.models import Analysis

INK = "#1f2933"
QUIET = "#5b6672"
FAINT = "#d9dee4"
PAPER = "#ffffff"
BAND = "#eef0f3"
INVALID = "#9aa3ad"

_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "flask": ("#d9772b", "#a8502a", "#dba92f", "#c2577f"),
    "fastapi": ("#2b7bba", "#6a5fb5", "#3f9e96", "#7fb2d9"),
}
_OTHERS = ("#6b7280", "#374151", "#9aa3ad", "#4b5563")
_MARKERS: Mapping[str, tuple[str, ...]] = {
    "flask": ("s", "D", "p", "P"),
    "fastapi": ("o", "^", "v", "X"),
}
_HATCHES = ("", "////", "\\\\\\\\", "xxxx")
_DASHES: tuple[tuple[float, ...], ...] = ((), (5, 2), (1.5, 1.5), (6, 2, 1.5, 2))


@dataclass(frozen=True, slots=True)
class Look:
    """How one stack is drawn."""

    colour: str
    marker: str
    hatch: str
    dashes: tuple[float, ...]  # on and off in points; empty for a whole line


def looks(analysis: Analysis) -> dict[str, Look]:
    """Label -> look, by the stack's place within its family."""
    twins = {stack.label: stack.twin for stack in analysis.run.plan.stacks}
    for cell in analysis.cells:
        twins.setdefault(cell.stack, cell.twin)
    return looks_of(twins)


def looks_of(twins: Mapping[str, str]) -> dict[str, Look]:
    """Label -> look, given label -> twin."""
    found: dict[str, Look] = {}
    seen: dict[str, int] = {}
    for label, twin in twins.items():
        place = seen.get(twin, 0)
        seen[twin] = place + 1
        colours = _FAMILIES.get(twin, _OTHERS)
        markers = _MARKERS.get(twin, ("h", "<", ">", "*"))
        lap, shade = divmod(place, len(colours))
        found[label] = Look(
            colour=colours[shade],
            marker=markers[(shade + lap) % len(markers)],
            hatch=_HATCHES[(shade + lap) % len(_HATCHES)],
            dashes=_DASHES[(shade + lap) % len(_DASHES)],
        )
    return found
