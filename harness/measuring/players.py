"""What plays the slices of a block: load processes, test clients, or starts of servers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from harness.channel.messages import Played, Turn
from harness.channel.samples import Columns
from harness.models import Slice, Usage


@dataclass(frozen=True, slots=True)
class PlayedSlice:
    """One slice of one cell."""

    slice: Slice
    samples: int
    load_cpu_s: tuple[float, ...]  # of each load process
    columns: Columns | None = None  # its samples, if the turn asked for them


@dataclass(frozen=True, slots=True)
class PlayedCell:
    """What came of one cell in a block, with its samples."""

    played: Played
    samples: Columns


@dataclass(frozen=True, slots=True)
class Finished:
    """What a block leaves behind."""

    load: tuple[Usage, ...]  # of each load process, since its warm-up ended
    cells: Iterable[PlayedCell]  # fetched one by one, so that memory holds one cell's samples


class Players(Protocol):
    """Plays the slices of one block."""

    def play(self, turn: Turn) -> PlayedSlice:
        """Play one slice of one cell."""

    def measure(self) -> None:
        """Count from now on; what was played until now was warm-up."""

    def finish(self) -> Finished:
        """End the block; return what came of it."""
