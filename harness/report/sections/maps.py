"""Maps: which of two stacks serves more, load by load."""

from __future__ import annotations

from harness.models import Tile, Winner, WinnerMap
from harness.report import formats
from harness.report.content import (
    DOCUMENTS,
    MARKDOWN,
    TERMINAL,
    Block,
    Bullets,
    Cell,
    Column,
    Drawing,
    Finding,
    Findings,
    Paragraph,
    Row,
    Section,
    Table,
    note,
)
from harness.report.sections import figures
from harness.report.view import View
from harness.report.words import maps as words


def maps(view: View) -> Section | None:
    """The map of each pair of stacks; None if the run varied too little for one."""
    found = view.analysis.maps
    if not found:
        return None
    said = tuple(
        f"{words.title(of)}: {sentence}" if len(found) > 1 else sentence
        for of in found
        for sentence in words.said_of(of)
    )
    blocks = (
        Bullets(said, outputs=DOCUMENTS),
        Findings(tuple(map(Finding, said))),
        Drawing("map"),
        note(words.NOTE, outputs=MARKDOWN),  # the page has it below the drawing
        *(_table(of) for of in found),
    )
    return Section("map", "Who serves more where?", blocks, "Map")


def grids(view: View) -> Section | None:
    """Each map as a terminal draws it: a line for each number of users, a column for each latency."""
    blocks: list[Block] = []
    for of in view.analysis.maps:
        blocks += [Paragraph((words.grid_title(of),)), _grid(of)]
    return Section("grid", "Map", tuple(blocks), outputs=TERMINAL) if blocks else None


def _grid(of: WinnerMap) -> Table:
    latencies = of.values("io_ms")
    tiles = {(tile.work, tile.users, tile.io_ms): tile for tile in of.tiles}
    places = list(dict.fromkeys((tile.work, tile.users) for tile in of.tiles))
    return Table(
        f"grid: {words.title(of)}",
        (
            Column("CPU work", is_group=True),
            Column("Users"),
            *(Column(f"{formats.tick(io_ms)} ms", is_number=True) for io_ms in latencies),
        ),
        tuple(
            Row(
                (
                    Cell(formats.plural(work, "unit")),
                    Cell(f"{users:,}"),
                    *(_tile(tiles.get((work, users, io_ms))) for io_ms in latencies),
                ),
                group=str(work),
            )
            for work, users in places
        ),
    )


def _tile(tile: Tile | None) -> Cell:
    """The ratio, if the tile has a winner; otherwise why it has none."""
    if tile is None:
        return Cell("")
    ratio = figures.ratio_estimate(tile.ratio)
    match tile.winner:
        case Winner.INVALID:
            return Cell("invalid", is_quiet=True)
        case Winner.UNSURE:
            return Cell("?", is_quiet=True)
        case Winner.SAME:
            return Cell("same")
        case _:
            return Cell(ratio.text, ratio.value, is_strong=True)


def _table(of: WinnerMap) -> Table:
    return Table(
        f"map: {words.title(of)}",
        (
            Column("Work", is_group=True),
            Column("Users", is_number=True),
            Column("Upstream ms", is_number=True),
            Column("Rounds", is_number=True),
            Column("Requests/s, ratio"),
            Column("CPU time per request, ratio"),
            Column("Serves more"),
            Column("Limited by users"),
        ),
        tuple(_row(of, tile) for tile in of.tiles),
        outputs=DOCUMENTS,
    )


def _row(of: WinnerMap, tile: Tile) -> Row:
    return Row(
        (
            Cell(words.work(tile.work)),
            figures.count(tile.users),
            Cell(formats.tick(tile.io_ms), tile.io_ms),
            figures.count(tile.rounds),
            figures.ratio_estimate(tile.ratio),
            figures.ratio_estimate(tile.cpu_ratio),
            Cell(_winner(of, tile)),
            Cell(formats.listing(tile.limited_by_users)),
        ),
        group=words.work(tile.work),
        is_valid=tile.winner is not Winner.INVALID,
    )


def _winner(of: WinnerMap, tile: Tile) -> str:
    named = {Winner.CANDIDATE: of.candidate, Winner.BASELINE: of.baseline}
    return named.get(tile.winner, "can't be told" if tile.winner is Winner.UNSURE else tile.winner)
