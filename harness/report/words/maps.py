"""Sentences about maps: who serves more where, and where that changes."""

from __future__ import annotations

from collections.abc import Iterator

from harness.models import Crossing, Tile, Winner, WinnerMap
from harness.report import formats
from harness.report.formats import NBSP

NOTE = (
    "Ratios of requests per second, with 95 % intervals, over rounds of fresh processes. A tile without a "
    "colour lies inside the noise, or differs by too little to matter. Where users only wait for the "
    "upstream, both stacks serve what so many users can ask for; the CPU time per request tells them apart."
)


def title(of: WinnerMap) -> str:
    """As in `fastapi-aiohttp ÷ flask-gthread, 3 queries`."""
    pair = f"{of.candidate} ÷ {of.baseline}"
    return f"{pair}, {of.held}" if of.held else pair


def grid_title(of: WinnerMap) -> str:
    """What stands above the map in a terminal."""
    return (
        f"Requests/s, {title(of)}, by upstream latency. Above 1 ×, {of.candidate} serves more; "
        "“?” lies inside the noise."
    )


def work(units: int) -> str:
    """As in `10 units of CPU work`."""
    return f"{formats.plural(units, 'unit')} of CPU work" if units else "no CPU work"


def said_of(of: WinnerMap) -> Iterator[str]:
    """What a map shows, for each amount of work."""
    for units in map(int, of.values("work")):
        tiles = [tile for tile in of.tiles if tile.work == units]
        yield f"{_capital(work(units))}: {_counts(of, tiles)}"
        yield from (_crossing(of, crossing) for crossing in of.crossings if crossing.work == units)


def _counts(of: WinnerMap, tiles: list[Tile]) -> str:
    counted = []
    for winner, stack in ((Winner.CANDIDATE, of.candidate), (Winner.BASELINE, of.baseline)):
        count = sum(tile.winner is winner for tile in tiles)
        if count:
            counted.append(f"{stack} serves more in {count}")
    same = sum(tile.winner is Winner.SAME for tile in tiles)
    unsure = sum(tile.winner is Winner.UNSURE for tile in tiles)
    invalid = sum(tile.winner is Winner.INVALID for tile in tiles)
    counted += [f"both serve the same in {same}"] if same else []
    counted += [f"{unsure} can't be told from the noise"] if unsure else []
    counted += [f"{invalid} invalid"] if invalid else []
    return f"of {formats.plural(len(tiles), 'tile')}, {formats.listing(counted)}."


def _crossing(of: WinnerMap, crossing: Crossing) -> str:
    stack = of.candidate if crossing.above is Winner.CANDIDATE else of.baseline
    value, low, high = (
        formats.number(each, 2) for each in (crossing.value, crossing.low, crossing.high)
    )
    if crossing.axis == "io_ms":
        where = f"At {formats.plural(int(crossing.at), 'user')}"
        unit = f"{NBSP}ms of upstream latency"
    else:
        where = f"At {formats.tick(crossing.at)}{NBSP}ms of upstream latency"
        unit = f"{NBSP}users"
    about = f"about {value}" if crossing.adjacent else "somewhere"
    return (
        f"{where} and {work(crossing.work)}, {stack} serves more from {about}"
        f"{unit if crossing.adjacent else ''} on (between {low} and {high}{unit if not crossing.adjacent else ''})."
    )


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
