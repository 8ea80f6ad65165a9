"""A member's side of a block: takes orders, has the slices played, and answers.

`__main__.py` (a load process) and `in_process.py` (a test client) are members. Nothing of Locust is
imported here.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Protocol

from harness.channel.messages import Block, MemberEnd, Message, Played, SliceReport, Turn
from harness.channel.samples import Columns, pack
from harness.errors import BadInput
from harness.models import CellKey, Slice
from harness.processes.meter import Meter

_SELF = "self"


class Player(Protocol):
    """Plays the slices of one block."""

    def play(self, turn: Turn) -> tuple[Slice, int]:
        """Play one slice; times count from the block's origin. Return how many samples it has."""

    def forget_warmup(self) -> None:
        """Drop what was recorded until now."""

    def samples_of_slice(self, cell: CellKey) -> Columns:
        """The samples of the slice that a cell played last."""

    def results(self) -> Iterator[tuple[Played, Columns]]:
        """Every cell with its samples, after the last slice."""


def serve(end: MemberEnd, seat: Callable[[Block], AbstractContextManager[Player]]) -> None:
    """Play one block after the other, until there are no more orders.

    Args:
        end: Where orders come from and answers go to.
        seat: Prepares what plays a block, and takes it down when the block is over.
    """
    while order := end.receive():
        try:
            with seat(Block.from_json(order.values["block"])) as player:
                end.say(Message("seated"))
                _play(end, player)
        except BadInput as error:  # a file of the reader's, and no fault of the load process
            end.say(Message("failed", {"message": str(error), "is_input": True}))
        except Exception as error:
            traceback.print_exc()
            end.say(Message("failed", {"message": f"{type(error).__name__}: {error}"}))


def _play(end: MemberEnd, player: Player) -> None:
    """Carry out the orders of one block."""
    meter = Meter({_SELF: [os.getpid()]})
    while order := end.receive():
        match order.kind:
            case "slice":
                turn = Turn.from_json(order.values["turn"])
                cpu_before_s = time.process_time()
                played_slice, samples = player.play(turn)
                cpu_s = time.process_time() - cpu_before_s
                report = SliceReport(played_slice, samples, cpu_s)
                data = pack(player.samples_of_slice(turn.cell)) if turn.tells_samples else b""
                end.say(Message("slice", {"report": asdict(report)}, data))
            case "measure":
                player.forget_warmup()
                meter = Meter({_SELF: [os.getpid()]})
                end.say(Message("measuring"))
            case "finish":
                usage = meter.usage()[_SELF]  # before packing, which is not part of the load
                end.say(Message("finished", {"usage": asdict(usage)}))
                for played, columns in player.results():
                    end.say(Message("played", {"played": asdict(played)}, pack(columns)))
                return
            case unknown:
                raise ValueError(f"there is no order '{unknown}'")
    raise EOFError("the orders ended in the middle of a block")
