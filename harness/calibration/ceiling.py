"""Finds out what one load process can do: it loads a server that does nothing as it loads stacks."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.channel.messages import Contender, Played, Turn
from harness.channel.samples import Columns
from harness.errors import LoadFailed, ServerFailed
from harness.measuring.crew import Crew, Order, crew
from harness.models import CellKey, Load, Placement
from harness.planning.files import PROJECT
from harness.processes import children as processes
from harness.processes.children import Child

CONNECTIONS = (16, 64)
_SCENARIO = PROJECT / "scenarios" / "hello.py"
_LABEL = "no-op"
_READY_WITHIN_S = 30.0
_TIMEOUT_S = 10.0
_WARMUP_S = 0.2
#: The slices of a run are about as long.
_SLICE_S = 0.25


def measure(where: Placement, *, seconds: float) -> dict[str, float]:
    """Measure connections -> requests/s of one load process, which checks every reply.

    Args:
        where: Cores of the server and of the load.
        seconds: Seconds of load for all numbers of connections together; to start everything takes
            1 to 2 s more.

    Raises:
        ServerFailed, LoadFailed: A process did not do its part.
    """
    each_s = seconds / len(CONNECTIONS)
    with (
        processes.kept_to(sorted({*where.load, *where.services})),
        processes.scratch_folder("ceiling") as folder,
        no_op_server(where.servers, folder) as server,
        crew(size=1, cores=where.load[:1], logs=folder, folder=PROJECT) as load,
    ):
        return {
            str(connections): rate_rps(play(load, server.url, Load(connections), seconds=each_s)[0])
            for connections in CONNECTIONS
        }


class NoOpServer:
    """A server that does nothing, from the moment it listens."""

    def __init__(self, child: Child) -> None:
        self.child = child
        ready = select.select([child.stdout], [], [], _READY_WITHIN_S)[0]
        port = child.stdout.readline().decode().strip() if ready else ""
        if not port:
            raise ServerFailed(
                "the no-op server did not start; its last lines:", detail=child.last_lines()
            )
        self.url = f"http://127.0.0.1:{port}"


@contextmanager
def no_op_server(cores: Sequence[int], folder: Path) -> Iterator[NoOpServer]:
    """Start a no-op server with its log in the folder; stop it at the end."""
    child = Child(
        "no-op server",
        [sys.executable, "-m", "harness.load.no_op"],
        log=folder / "no-op.log",
        cores=cores,
        piped=True,
        folder=PROJECT,
    )
    try:
        yield NoOpServer(child)
    finally:
        processes.stop([child])


def play(
    load: Crew, url: str, todo: Load, *, seconds: float, slice_s: float = _SLICE_S
) -> tuple[Played, Columns]:
    """Play one block of slices against one server, after a short warm-up.

    Raises:
        LoadFailed: A reply was wrong, or no request was answered.
    """
    cell = CellKey(_LABEL, "ceiling", todo.label)
    load.seat(
        Order(
            scenario_file=str(_SCENARIO),
            contenders=(Contender(cell, todo, url),),
            timeout_s=_TIMEOUT_S,
            seed="ceiling",
        )
    )
    load.play(Turn(cell, cycle=-1, seconds=_WARMUP_S))
    load.measure()
    for cycle in range(max(1, round(seconds / slice_s))):
        load.play(Turn(cell, cycle, slice_s))
    ((played, samples),) = ((cell.played, cell.samples) for cell in load.finish().cells)
    if played.errors or not played.requests:
        raise LoadFailed(
            f"{played.errors:,} of {played.requests:,} requests to the no-op server failed, so "
            "there is no ceiling",
            detail="\n".join(played.examples),
        )
    return played, samples


def rate_rps(played: Played) -> float:
    """All requests divided by the time of all slices."""
    wall_ns = sum(turn.end_ns - turn.begin_ns for turn in played.slices)
    return played.requests / (wall_ns / 1e9)
