"""Who else used the cores that the servers were measured on."""

from __future__ import annotations

from collections.abc import Iterator

from harness.report import formats
from harness.report.view import View

SHARE_WORTH_A_WORD = 0.01  # of the servers' cores


def disturbed(view: View) -> tuple[str, ...]:
    """A sentence for each cell that had to share its cores noticeably."""
    return tuple(_disturbed(view))


def _disturbed(view: View) -> Iterator[str]:
    for part in view.parts:
        for cell in part.cells:
            told = [
                f"{who} {formats.percent(share)} of the servers' cores"
                for who, share in (
                    ("other processes used", cell.foreign_share),
                    ("the host took away", cell.steal_share),
                )
                if share is not None and share > SHARE_WORTH_A_WORD
            ]
            if told:
                listed = formats.listing(told)
                yield f"While {cell.stack} was measured in {part.where}, {listed}."
