"""A locustfile in a real load process, against servers of a test: turns are played as a run plays them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.analysis import stats
from harness.channel.messages import Contender, Turn
from harness.measuring.crew import Crew, Order, crew
from harness.measuring.players import PlayedCell
from harness.models import CellKey, Load, Slice
from harness.planning.files import PROJECT

#: Longer than any machine stalls.
PATIENT_S = 60.0


@dataclass
class Locustfile:
    """The users of a locustfile in a load process, one set of them for each server."""

    crew: Crew
    users: int
    cells: list[CellKey]

    def play(
        self, stack: int = 0, *, seconds: float = 0.2, requests: int | None = None, cycle: int = 0
    ) -> Slice:
        turn = Turn(self.cells[stack], cycle, seconds, requests=requests)
        return self.crew.play(turn).slice

    def warm_up(self, seconds: float = 0.2) -> None:
        for stack in range(len(self.cells)):
            self.play(stack, seconds=seconds, cycle=-1)
        self.crew.measure()

    def finish(self) -> list[Measured]:
        return [Measured(cell, self.users) for cell in self.crew.finish().cells]


class Measured:
    """What came of one stack."""

    def __init__(self, cell: PlayedCell, users: int) -> None:
        self.played = cell.played
        self.samples = samples = cell.samples
        self.endpoints = cell.played.endpoints
        from_ns = np.array([piece.from_ns for piece in cell.played.slices])
        to_ns = np.array([piece.to_ns for piece in cell.played.slices])
        start_ns, place = samples["start_ns"], samples["slice"]
        self.counted = counted = (start_ns >= from_ns[place]) & (start_ns < to_ns[place])
        good = counted & (samples["failure"] == 0)
        count = len(cell.played.slices)
        # As analysis.figures reckons it.
        _, self.rps = stats.closed_rates(
            users,
            np.bincount(place[good], minlength=count).astype(float),
            np.bincount(place[counted], samples["latency_ns"][counted], minlength=count),
            np.array([piece.think_ns for piece in cell.played.slices], dtype=float),
        )
        self.latency_s = float(samples["latency_ns"][good].mean()) / 1e9 if good.any() else 0.0

    def requests(self) -> dict[str, int]:
        """Endpoint -> how many samples there are of it."""
        places = self.samples["endpoint"]
        return {name: int((places == at).sum()) for at, name in enumerate(self.endpoints)}


@contextmanager
def running(
    tmp_path: Path,
    source: str,
    urls: Sequence[str],
    *,
    users: int = 1,
    timeout_s: float = PATIENT_S,
    name: str = "locustfile.py",
) -> Iterator[Locustfile]:
    """Start a load process whose users are those of this locustfile."""
    with crew(size=1, cores=(), logs=tmp_path, folder=PROJECT) as members:
        yield seat(members, tmp_path, source, urls, users=users, timeout_s=timeout_s, name=name)


def seat(
    members: Crew,
    tmp_path: Path,
    source: str,
    urls: Sequence[str],
    *,
    users: int = 1,
    timeout_s: float = PATIENT_S,
    name: str = "locustfile.py",
) -> Locustfile:
    """Begin a block of a load process."""
    file = tmp_path / name
    file.write_text(textwrap.dedent(source))
    load = Load(users)
    cells = [CellKey(f"stack-{number}", "versus", load.label) for number in range(len(urls))]
    contenders = tuple(Contender(cell, load, url) for cell, url in zip(cells, urls, strict=True))
    members.seat(Order("", contenders, timeout_s, "seed", locustfile=str(file)))
    return Locustfile(members, users, cells)
