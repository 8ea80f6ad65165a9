"""Maps: which of two stacks serves more, load by load."""

from __future__ import annotations

from harness.models import Tile, Winner, WinnerMap
from harness.report import formats
from harness.report.content import (
    DOCUMENTS,
    Bullets,
    Cell,
    Column,
    Drawing,
    Finding,
    Findings,
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
        note(words.NOTE, outputs=DOCUMENTS),
        *(_table(of) for of in found),
    )
    return Section("map", "Who serves more where?", blocks, "Map")


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
