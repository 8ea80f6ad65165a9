"""One look per stack, the same in every chart: warm for Flask, cold for FastAPI.

The stacks that most runs have look the same in all reports.

The two families stay apart for colour-blind readers and in grey print; within a family the
marker, the hatch and the dash say which variant it is.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.models import Analysis

INK = "#1f2933"
QUIET = "#5b6672"
FAINT = "#d9dee4"
PAPER = "#ffffff"
BAND = "#eef0f3"
INVALID = "#7f8894"
MUTED = "#8a93a0"  # a bar about which nothing is decided

#: On paper, and on a dark page; each stands out from its ground by at least 3 : 1.
_FAMILIES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "flask": (
        ("#d06a1c", "#e8873a"),
        ("#8f3d12", "#d98c66"),
        ("#a17a00", "#dba92f"),
        ("#c2577f", "#e58ab0"),
    ),
    "fastapi": (
        ("#2b7bba", "#5aa7e0"),
        ("#6a5fb5", "#a79df0"),
        ("#17867e", "#4fbdb2"),
        ("#123f78", "#bcd9f2"),
    ),
}
_OTHERS = (
    ("#6b7280", "#9aa3ad"),
    ("#374151", "#c3cad2"),
    ("#7d8794", "#7d8794"),
    ("#4b5563", "#b0b8c2"),
)
#: Their places within their family; the other stacks of a run take those that are left, in its order.
_PLACES: Mapping[tuple[str, str], int] = {
    ("flask", "flask-gthread"): 0,
    ("flask", "flask-gevent"): 1,
    ("flask", "flask-sync"): 2,
    ("fastapi", "fastapi-uvicorn"): 0,
    ("fastapi", "fastapi-aiohttp"): 1,
    ("fastapi", "fastapi-httpx2"): 2,
}
_MARKERS: Mapping[str, tuple[str, ...]] = {
    "flask": ("s", "D", "p", "P"),
    "fastapi": ("o", "^", "v", "X"),
}
_HATCHES = ("", "////", "\\\\\\\\", "xxxx")
_DASHES: tuple[tuple[float, ...], ...] = ((), (5, 2), (1.5, 1.5), (6, 2, 1.5, 2))


#: Colours of charts that the page has by another name, which follows the reader's light or dark.
_OF_THE_PAGE: Mapping[str, str] = {
    INK: "--ink",
    QUIET: "--quiet",
    FAINT: "--line",
    PAPER: "--card",
    BAND: "--band",
}


@dataclass(frozen=True, slots=True)
class Variable:
    """A colour of charts as a variable of CSS."""

    name: str
    light: str
    dark: str


def variables() -> tuple[Variable, ...]:
    """The colours of charts that the page has for no other purpose."""
    families = {**_FAMILIES, "other": _OTHERS}
    return (
        *(
            Variable(f"--{family}-{place}", *shades)
            for family, colours in families.items()
            for place, shades in enumerate(colours, 1)
        ),
        Variable("--no-figure", INVALID, INVALID),
        Variable("--undecided", MUTED, MUTED),
    )


def variable(colour: str) -> str:
    """A colour of charts as CSS writes it; itself if it is the same on any ground."""
    name = _variable_names().get(colour)
    return f"var({name})" if name else colour


@functools.cache
def _variable_names() -> dict[str, str]:
    return {**_OF_THE_PAGE, **{made.light: made.name for made in variables()}}


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
    own = {
        (twin, _PLACES[twin, label]) for label, twin in twins.items() if (twin, label) in _PLACES
    }
    left: dict[str, Iterator[int]] = {}
    for label, twin in twins.items():
        free = left.setdefault(twin, itertools.count())
        place = _PLACES.get((twin, label))
        if place is None:
            place = next(number for number in free if (twin, number) not in own)
        colours = _FAMILIES.get(twin, _OTHERS)
        markers = _MARKERS.get(twin, ("h", "<", ">", "*"))
        lap, shade = divmod(place, len(colours))
        found[label] = Look(
            colour=colours[shade][0],
            marker=markers[(shade + lap) % len(markers)],
            hatch=_HATCHES[(shade + lap) % len(_HATCHES)],
            dashes=_DASHES[(shade + lap) % len(_DASHES)],
        )
    return found
