"""The runner's end of the load process. Nothing of Locust is imported here."""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness import processes
from harness.errors import LoadFailed
from harness.load.block import Block, Metered, Played
from harness.processes import Child

#: Beyond what a block should take: starting users, writing samples, a machine that stalls.
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a block."""

    played: list[Played]
    wall_s: float
    idle_core_share: dict[str, float]


class LoadProcess:
    """Plays blocks, one at a time."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self._unread = b""

    def play(
        self,
        block: Block,
        *,
        metered: Callable[[], Metered],
        slice_done: Callable[[str, float], None],
    ) -> Outcome:
        """Load the contenders in turn.

        Args:
            block: the order.
            metered: called between the warm-up and the first slice: whose CPU time to read.
            slice_done: called after each slice with the stack's label and requests/s.

        Raises:
            LoadFailed: the process died, reported a failure or fell silent.
        """
        self._tell(json.dumps(block.to_json()))
        slices = sum(map(len, block.turns))
        budget_s = (
            slices * (block.slice_s + block.drain_s)
            + len(block.contenders) * (block.warmup_s + block.drain_s)
            + _PATIENCE_S
        )
        for message in self._messages(time.monotonic() + budget_s):
            match message["event"]:
                case "warm":
                    self._tell(json.dumps(asdict(metered())))
                case "slice":
                    slice_done(message["stack"], message["rps"])
                case "done":
                    played = [Played.from_json(item) for item in message["played"]]
                    return Outcome(played, message["wall_s"], message["idle_core_share"])
                case "failed":
                    raise self._failure(f"the load process failed: {message['message']}")
        raise self._failure("the load process ended without an answer")

    def _tell(self, line: str) -> None:
        try:
            self.child.stdin.write(line + "\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            raise self._failure("the load process died") from None

    def _messages(self, deadline: float) -> Iterator[dict[str, Any]]:
        descriptor = self.child.stdout.fileno()
        while True:
            line, found, rest = self._unread.partition(b"\n")
            if found:
                self._unread = rest
                try:
                    yield json.loads(line)
                except ValueError:
                    raise self._failure(f"the load process said {line[:80]!r}") from None
                continue
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not select.select([descriptor], [], [], left_s)[0]:
                raise self._failure("the load process fell silent")
            data = os.read(descriptor, 1 << 16)
            if not data:
                raise self._failure("the load process died")
            self._unread += data

    def _failure(self, message: str) -> LoadFailed:
        return LoadFailed(f"{message}; its last lines:", detail=self.child.last_lines())


@contextmanager
def load_process(*, cores: Sequence[int], logs: Path, folder: Path) -> Iterator[LoadProcess]:
    """Start the load process; it is gone when the block ends."""
    child = Child(
        "load",
        [sys.executable, "-m", "harness.load"],
        log=logs / "load.log",
        cores=cores,
        piped=True,
        folder=folder,
    )
    try:
        yield LoadProcess(child)
    finally:
        processes.stop([child])
