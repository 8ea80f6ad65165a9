"""Sentences about other programs on the cores that a run was measured on."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from harness.models import OTHER_CORES, SERVER_CORES, CellSummary
from harness.report import formats
from harness.report.view import Part, View

SHARE_WORTH_A_WORD = 0.01  # of the cores
#: With more cells than this, one sentence sums them up.
_MOST_SENTENCES = 5
_CORES: Mapping[str, str] = {
    SERVER_CORES: "the servers' cores",
    OTHER_CORES: "the cores of load and services",
}


@dataclass(frozen=True, slots=True)
class _Share:
    """What a cell lacked of its cores."""

    where: str  # "flask-gthread was measured in hello"
    who: str  # and what it did
    share: float
    cores: str

    def __str__(self) -> str:
        return f"{self.who} {formats.percent(self.share)} of {self.cores}"


def disturbed(view: View) -> tuple[str, ...]:
    """A sentence for each cell that had to share its cores noticeably, or one for all if many had."""
    cells = [shares for part in view.parts for cell in part.cells if (shares := _of(part, cell))]
    if len(cells) <= _MOST_SENTENCES:
        return tuple(
            f"While {shares[0].where}, {formats.listing([str(each) for each in shares])}."
            for shares in cells
        )
    count = sum(len(part.cells) for part in view.parts)
    kinds: defaultdict[tuple[str, str], list[_Share]] = defaultdict(list)
    for each in itertools.chain.from_iterable(cells):
        kinds[each.who, each.cores].append(each)
    worst = [max(shares, key=lambda each: each.share) for shares in kinds.values()]
    most = formats.listing([f"{each} (while {each.where})" for each in worst])
    return (
        f"In {len(cells)} of {count} cells, the cores were shared with others. At most, {most}.",
    )


def _of(part: Part, cell: CellSummary) -> list[_Share]:
    return [
        _Share(f"{cell.stack} was measured in {part.where}", who, shares[cores], whose)
        for cores, whose in _CORES.items()
        for who, shares in (
            ("other processes used", cell.foreign_share),
            ("the host took away", cell.steal_share),
        )
        if shares.get(cores, 0.0) > SHARE_WORTH_A_WORD
    ]
