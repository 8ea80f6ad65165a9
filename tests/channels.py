"""A member that lives in this process: what a crew measures is known, and nothing is started."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import asdict, dataclass, field

import numpy as np

from harness.channel.messages import Block, Message, Played, SliceReport, Turn
from harness.channel.samples import pack
from harness.models import CellKey, Slice, Usage

#: CPU seconds that each member spends on spinning in a block.
SPUN_S = 0.002
USAGE = Usage(cpu_s=0.5, pss_bytes=60 << 20, threads=2, context_switches=7)


@dataclass
class FakeMember:
    """A channel to a member that claims so many requests a slice, without sending any."""

    clock_offset_ns: int = 0  # its clock minus ours
    requests: int = 10
    cpu_s: float = 0.01  # of each slice
    told: list[Message] = field(default_factory=list)
    _answers: deque[Message] = field(default_factory=deque)
    _slices: dict[CellKey, list[Slice]] = field(default_factory=dict)

    def clock_ns(self) -> int:
        """What its clock says now."""
        return time.perf_counter_ns() + self.clock_offset_ns

    def tell(self, order: Message) -> None:
        self.told.append(order)
        match order.kind:
            case "block":
                self.block = Block.from_json(order.values["block"])
                self._say("seated")
            case "slice":
                self._play(Turn.from_json(order.values["turn"]))
            case "measure":
                self._slices.clear()
                self._say("measuring")
            case "finish":
                self._say("finished", usage=asdict(USAGE))
                for contender in self.block.contenders:
                    self._hand_over(contender.cell)

    def answer(self, within_s: float) -> Message:
        return self._answers.popleft()

    def _say(self, kind: str, data: bytes = b"", **values: object) -> None:
        self._answers.append(Message(kind, values, data))

    def _play(self, turn: Turn) -> None:
        begin_ns = (turn.begin_ns or self.clock_ns()) - self.block.origin_ns
        length_ns = int(turn.seconds * 1e9)
        played = Slice(
            cycle=turn.cycle,
            begin_ns=begin_ns,
            from_ns=begin_ns + int(turn.settle_s * 1e9),
            to_ns=begin_ns + length_ns,
            end_ns=begin_ns + length_ns,
        )
        self._slices.setdefault(turn.cell, []).append(played)
        self._say("slice", report=asdict(SliceReport(played, self.requests, self.cpu_s)))

    def _hand_over(self, cell: CellKey) -> None:
        slices = self._slices[cell]
        begin_ns = np.repeat([part.begin_ns for part in slices], self.requests)
        due_ns = begin_ns + np.tile(np.arange(self.requests) * 1_000, len(slices))
        count = len(due_ns)
        samples = {
            "slice": np.repeat(np.arange(len(slices), dtype=np.int32), self.requests),
            "intended_ns": due_ns,
            "start_ns": due_ns,
            "latency_ns": np.full(count, 500_000),
            "status": np.full(count, 200, dtype=np.int16),
            "size": np.full(count, 27, dtype=np.int32),
            "failure": np.zeros(count, dtype=np.int8),
            "starved": np.zeros(count, dtype=np.int8),
            "endpoint": np.zeros(count, dtype=np.int8),
        }
        played = Played(cell, count, 0, 0, (SPUN_S,), (), tuple(slices))
        self._say("played", pack(samples), played=asdict(played))
