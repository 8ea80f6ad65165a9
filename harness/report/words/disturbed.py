"""Sentences about other programs on the cores that a run was measured on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.models import OTHER_CORES, SERVER_CORES
from harness.report import formats
from harness.report.view import View

SHARE_WORTH_A_WORD = 0.01  # of the cores
_CORES: Mapping[str, str] = {
    SERVER_CORES: "the servers' cores",
    OTHER_CORES: "the cores of load and services",
}


def disturbed(view: View) -> tuple[str, ...]:
    """A sentence for each cell that had to share its cores noticeably."""
    return tuple(_disturbed(view))


def _disturbed(view: View) -> Iterator[str]:
    for part in view.parts:
        for cell in part.cells:
            phrases = [
                f"{who} {formats.percent(shares[cores])} of {whose}"
                for cores, whose in _CORES.items()
                for who, shares in (
                    ("other processes used", cell.foreign_share),
                    ("the host took away", cell.steal_share),
                )
                if shares.get(cores, 0.0) > SHARE_WORTH_A_WORD
            ]
            if phrases:
                listed = formats.listing(phrases)
                yield f"While {cell.stack} was measured in {part.where}, {listed}."
