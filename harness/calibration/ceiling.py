"""What one load process can do: against a server that does nothing, the way that stacks are loaded."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.channel.messages import Contender, Played, Turn
from harness.errors import LoadFailed, ServerFailed
from harness.measuring.crew import Crew, Order, crew
from harness.models import Load, Placement
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
    """Connections -> requests/s of one load process; every reply is checked, as ever.

    Args:
        where: the server on the servers' core, the load on its own.
        seconds: of load, for all numbers of connections together; starting takes 1–2 s more.

    Raises:
        ServerFailed, LoadFailed: a process did not do its part.
    """
    each_s = seconds / len(CONNECTIONS)
    with (
        processes.kept_to(sorted({*where.load, *where.services})),
        processes.scratch_folder("ceiling") as folder,
        no_op_server(where.servers, folder) as server,
        crew(size=1, cores=where.load[:1], logs=folder, folder=PROJECT) as load,
    ):
        return {
            str(connections): rate_rps(
                play(load, server.url, Load(connections), folder / "samples", seconds=each_s)
            )
            for connections in CONNECTIONS
        }


class NoOpServer:
    """The server that does nothing, from when it listens."""

    def __init__(self, child: Child) -> None:
        self.child = child
        ready = select.select([child.stdout], [], [], _READY_WITHIN_S)[0]
        port = child.stdout.readline().strip() if ready else ""
        if not port:
            raise ServerFailed(
                "the no-op server did not start; its last lines:", detail=child.last_lines()
            )
        self.url = f"http://127.0.0.1:{port}"


@contextmanager
def no_op_server(cores: Sequence[int], folder: Path) -> Iterator[NoOpServer]:
    """Start it, and stop it at the end; its log goes into the folder."""
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
    load: Crew, url: str, todo: Load, samples: Path, *, seconds: float, slice_s: float = _SLICE_S
) -> Played:
    """One block of slices against one server, after a short warm-up.

    Raises:
        LoadFailed: there was a reply that should not have been, or none at all.
    """
    load.seat(
        Order(
            scenario_file=str(_SCENARIO),
            contenders=(Contender(_LABEL, url, str(samples)),),
            load=todo,
            timeout_s=_TIMEOUT_S,
            seed="ceiling",
        )
    )
    load.play(Turn(_LABEL, cycle=-1, seconds=_WARMUP_S, settle_s=0.0))
    load.measure()
    for cycle in range(max(1, round(seconds / slice_s))):
        load.play(Turn(_LABEL, cycle, slice_s, settle_s=0.0))
    (played,) = load.finish()
    if played.errors or not played.requests:
        raise LoadFailed(
            f"{played.errors:,} of {played.requests:,} requests to the no-op server failed: "
            "a ceiling with failures is none",
            detail="\n".join(played.examples),
        )
    return played


def rate_rps(played: Played) -> float:
    """All requests by all the time that their slices took."""
    wall_ns = sum(piece.end_ns - piece.begin_ns for piece in played.slices)
    return played.requests / (wall_ns / 1e9)
