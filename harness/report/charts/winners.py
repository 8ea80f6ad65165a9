"""Maps as tiles: the colour of the stack that serves more, and the line where that changes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from harness.models import Crossing, Tile, Winner, WinnerMap
from harness.report import formats
from harness.report.charts.caption import Caption, as_alt, joined, whiskers
from harness.report.charts.panels import GAP_IN, TICKS_IN, empty, grid, grid_in
from harness.report.charts.sheet import (
    CONTENT_IN,
    MARGIN_IN,
    PANEL_PT,
    TEXT_PT,
    Sheet,
    shorten,
    styled,
)
from harness.report.palette import FAINT, INK, PAPER, QUIET, Look
from harness.report.view import View
from harness.report.words import maps as words

_TILE_IN = 0.52  # the height of a row of tiles
_HEAD_IN = 0.34
_SET_HEAD_IN = 0.32
_USERS_IN = 0.72  # left of the tiles
_AXIS_NAME_IN = 0.2
_COLUMNS = 2
_MOST_TILES_OF_HALF = 5  # more columns of tiles need the whole width
#: The ratio from which on the colour is as strong as it gets, and how strong it is at 1 and there.
_STRONGEST = 4.0
_PALE, _STRONG = 0.18, 0.78
_LINE: Mapping[str, Any] = {"color": INK, "lw": 2.4, "solid_capstyle": "butt", "zorder": 4}


def caption(view: View) -> Caption:
    """The words around the chart."""
    return Caption(
        title="Who serves more where?",
        note=joined(
            "requests per second, candidate ÷ baseline, with the interval below",
            "colour: the stack that serves more, stronger with a larger difference",
            "no colour: inside the noise",
            "thick line: where the winner changes, dashed where tiles between are inside the noise",
            whiskers(view).removeprefix("lines: "),
        ),
        reading=words.NOTE,
        alt=as_alt(_facts(view)),
    )


def _facts(view: View) -> list[str]:
    return [
        f"{words.title(of)}: {words.work(tile.work)}, {formats.plural(tile.users, 'user')}, upstream "
        f"{formats.tick(tile.io_ms)} ms: {_words(tile) or 'inside the noise'}"
        for of in view.analysis.maps
        for tile in of.tiles
    ]


def _words(tile: Tile) -> str:
    """What stands in a tile; empty inside the noise."""
    if tile.winner in (Winner.CANDIDATE, Winner.BASELINE):
        return formats.ratio(tile.ratio.value)
    return "" if tile.winner is Winner.UNSURE else str(tile.winner)


@styled
def draw(view: View, caption: Caption) -> Sheet:
    """A panel for each amount of work, pair by pair."""
    found = view.analysis.maps
    if not found:
        return empty(caption)
    columns = _COLUMNS if all(len(of.values("io_ms")) <= _MOST_TILES_OF_HALF for of in found) else 1
    sets_in = [_set_in(of, columns) for of in found]
    named = {name for of in found for name in (of.candidate, of.baseline)}
    legend = {label: look for label, look in view.looks.items() if label in named}
    sheet = Sheet(caption, sum(sets_in) + GAP_IN * (len(found) - 1), legend)
    top_in = sheet.body_in
    for of, set_in in zip(found, sets_in, strict=True):
        heading = shorten(words.title(of), CONTENT_IN, PANEL_PT, "bold")
        sheet.write(MARGIN_IN, top_in + 0.1, heading, size=PANEL_PT, weight="bold")
        places = grid(_heights(of), columns, top_in + _SET_HEAD_IN)
        for units, place in zip(of.values("work"), places, strict=True):
            _panel(sheet, of, int(units), place, view.looks)
        top_in += set_in + GAP_IN
    return sheet


def _heights(of: WinnerMap) -> list[float]:
    height = _HEAD_IN + _TILE_IN * len(of.values("users")) + TICKS_IN + _AXIS_NAME_IN
    return [height] * len(of.values("work"))


def _set_in(of: WinnerMap, columns: int) -> float:
    return _SET_HEAD_IN + grid_in(_heights(of), columns)


def _panel(
    sheet: Sheet,
    of: WinnerMap,
    units: int,
    where: tuple[float, float, float],
    looks: Mapping[str, Look],
) -> None:
    left, top, width = where
    io_values, users_values = of.values("io_ms"), of.values("users")
    sheet.write(left, top + 0.12, words.work(units), size=TEXT_PT + 1, weight="bold")
    height, axes_in = _TILE_IN * len(users_values), width - _USERS_IN
    axes = sheet.place(left + _USERS_IN, top + _HEAD_IN, axes_in, height)
    axes.set_xlim(0, len(io_values))
    axes.set_ylim(0, len(users_values))
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xticks(
        [place + 0.5 for place in range(len(io_values))], [formats.tick(v) for v in io_values]
    )
    axes.set_yticks(
        [place + 0.5 for place in range(len(users_values))], [formats.tick(v) for v in users_values]
    )
    sheet.write(left, top + _HEAD_IN + height / 2, "users", color=QUIET)
    below = top + _HEAD_IN + height + TICKS_IN + 0.04
    middle = left + _USERS_IN + axes_in / 2
    sheet.write(middle, below, "upstream latency in ms", color=QUIET, ha="center")
    for tile in of.tiles:
        if tile.work == units:
            x, y = io_values.index(tile.io_ms), users_values.index(tile.users)
            _tile(axes, of, tile, (x, y), looks, narrow=axes_in / len(io_values) < 0.8)
    for crossing in of.crossings:
        if crossing.work == units:
            _line(axes, crossing, io_values, users_values)


def _tile(
    axes: Axes,
    of: WinnerMap,
    tile: Tile,
    place: tuple[int, int],
    looks: Mapping[str, Look],
    *,
    narrow: bool,
) -> None:
    x, y = place
    fill, ink = to_rgb(PAPER), QUIET
    if tile.winner in (Winner.CANDIDATE, Winner.BASELINE):
        stack = of.candidate if tile.winner is Winner.CANDIDATE else of.baseline
        strength = _strength(tile.ratio.value)
        fill = _mixed(looks[stack].colour, strength)
        ink = PAPER if strength > 0.62 else INK
    axes.add_patch(Rectangle((x, y), 1, 1, facecolor=fill, edgecolor=FAINT, lw=0.8, zorder=1))
    if tile.winner is Winner.INVALID:
        axes.add_patch(
            Rectangle((x, y), 1, 1, facecolor="none", edgecolor=FAINT, hatch="////", lw=0, zorder=1)
        )
    said = _words(tile)
    has_interval = tile.winner in (Winner.CANDIDATE, Winner.BASELINE) and not narrow
    axes.text(
        x + 0.5,
        y + (0.64 if has_interval else 0.5),
        said,
        ha="center",
        va="center",
        color=ink,
        weight="bold" if has_interval else "normal",
        zorder=3,
    )
    if has_interval:
        ratio = tile.ratio
        axes.text(
            x + 0.5,
            y + 0.28,
            formats.ratio_interval(ratio.value, ratio.low, ratio.high),
            ha="center",
            va="center",
            color=ink,
            size=TEXT_PT - 1.5,
            zorder=3,
        )


def _strength(ratio: float) -> float:
    share = min(1.0, abs(math.log(ratio)) / math.log(_STRONGEST))
    return _PALE + share * (_STRONG - _PALE)


def _mixed(colour: str, strength: float) -> tuple[float, float, float]:
    """A colour on paper."""
    red, green, blue = (
        strength * part + (1 - strength) * paper
        for part, paper in zip(to_rgb(colour), to_rgb(PAPER), strict=True)
    )
    return red, green, blue


def _line(
    axes: Axes,
    crossing: Crossing,
    io_values: Sequence[float],
    users_values: Sequence[float],
) -> None:
    """A piece of the line across one row or column of tiles, at the edge between two winners."""
    along, across = (
        (io_values, users_values) if crossing.axis == "io_ms" else (users_values, io_values)
    )
    low, high = along.index(crossing.low), along.index(crossing.high)
    position = (low + 1 + high) / 2
    start = across.index(crossing.at)
    dashes = "-" if crossing.adjacent else (0, (1.6, 1.1))
    ends = [start, start + 1]
    xs, ys = ([position] * 2, ends) if crossing.axis == "io_ms" else (ends, [position] * 2)
    axes.plot(xs, ys, linestyle=dashes, **_LINE)
