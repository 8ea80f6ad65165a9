"""All load processes in step: each order goes to all of them, and their shares are merged."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from harness.channel.messages import (
    MOST_ENDPOINTS,
    Block,
    Channel,
    Contender,
    Message,
    Played,
    SliceReport,
    Turn,
    share_of,
)
from harness.channel.pipe import PipeToMember
from harness.channel.samples import Columns, unpack
from harness.measuring.players import Finished, PlayedCell, PlayedSlice
from harness.models import CellKey, Slice, Usage
from harness.processes import children as processes
from harness.processes.children import Child

#: Beyond what an order should take: starting users, packing samples, a machine that stalls.
_PATIENCE_S = 60.0
#: How far ahead several members are told to begin, so that all have read the order by then.
_AHEAD_NS = 3_000_000
#: A slice takes at most about this many times the seconds that it was planned for.
_OVERTIME = 20


@dataclass(frozen=True, slots=True)
class Order:
    """A block, before it is shared out."""

    scenario_file: str
    contenders: tuple[Contender, ...]
    timeout_s: float
    seed: str
    endpoints: tuple[str, ...] = ()  # as of a Block
    locustfile: str = ""  # absolute path of one whose users load in place of the scenario's


class Member:
    """One member, addressed on our clock. Times are converted here and nowhere else."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def seat(self, block: Block) -> None:
        """Order a block; its origin is on our clock."""
        block = replace(block, origin_ns=self._on_its_clock(block.origin_ns))
        self._channel.tell(Message("block", {"block": asdict(block)}))

    def begin(self, turn: Turn) -> None:
        """Order a slice; its beginning is on our clock."""
        if turn.begin_ns is not None:
            turn = replace(turn, begin_ns=self._on_its_clock(turn.begin_ns))
        self._channel.tell(Message("slice", {"turn": asdict(turn)}))

    def tell(self, kind: str) -> None:
        """Give an order without values."""
        self._channel.tell(Message(kind))

    def answer(self, within_s: float = _PATIENCE_S) -> Message:
        """Wait for the next answer. Its times count from the block's origin on either clock."""
        return self._channel.answer(within_s)

    def _on_its_clock(self, our_ns: int) -> int:
        return our_ns + self._channel.clock_offset_ns


class Crew:
    """Members that act as one. Each plays its share of the load."""

    def __init__(self, channels: Sequence[Channel]) -> None:
        self._members = [Member(channel) for channel in channels]
        self._order: Order | None = None

    def seat(self, order: Order, origin_ns: int | None = None) -> None:
        """Give every cell its users; times count from `origin_ns` on our clock, or from now."""
        self._order = order
        if origin_ns is None:
            origin_ns = time.perf_counter_ns()
        for part, member in enumerate(self._members):
            member.seat(
                Block(
                    scenario_file=order.scenario_file,
                    contenders=order.contenders,
                    part=part,
                    parts=len(self._members),
                    timeout_s=order.timeout_s,
                    seed=order.seed,
                    origin_ns=origin_ns,
                    endpoints=order.endpoints,
                    locustfile=order.locustfile,
                )
            )
        for member in self._members:
            member.answer()

    def play(self, turn: Turn) -> PlayedSlice:
        """Play one slice of one cell."""
        assert self._order is not None
        if len(self._members) > 1:
            turn = replace(turn, begin_ns=time.perf_counter_ns() + _AHEAD_NS)
        parts = len(self._members)
        for part, member in enumerate(self._members):
            requests = None if turn.requests is None else share_of(turn.requests, part, parts)
            uncounted = share_of(turn.uncounted, part, parts)
            member.begin(replace(turn, requests=requests, uncounted=uncounted))
        # A slice that is slow may take many times as long as it was planned for; what hangs takes its
        # time-out, and in open load what was due then takes another.
        within_s = _OVERTIME * turn.seconds + 2 * self._order.timeout_s + _PATIENCE_S
        answers = [member.answer(within_s) for member in self._members]
        reports = [SliceReport.from_json(answer.values["report"]) for answer in answers]
        columns = None
        if turn.tells_samples:
            columns = merged_samples([unpack(answer.data) for answer in answers])
        return PlayedSlice(
            slice=merged([report.slice for report in reports]),
            samples=sum(report.samples for report in reports),
            load_cpu_s=tuple(report.cpu_s for report in reports),
            columns=columns,
        )

    def measure(self) -> None:
        """Count from now on; what was played until now was warm-up."""
        for member in self._members:
            member.tell("measure")
        for member in self._members:
            member.answer()

    def finish(self) -> Finished:
        """End the block, and fetch what came of it."""
        for member in self._members:
            member.tell("finish")
        usages = [Usage(**member.answer().values["usage"]) for member in self._members]
        return Finished(tuple(usages), self._cells())

    def _cells(self) -> Iterator[PlayedCell]:
        assert self._order is not None
        for contender in self._order.contenders:
            answers = [member.answer() for member in self._members]
            shares = [Played.from_json(answer.values["played"]) for answer in answers]
            names, columns = named_alike(
                [share.endpoints for share in shares], [unpack(answer.data) for answer in answers]
            )
            yield PlayedCell(_merged_cell(contender.cell, shares, names), merged_samples(columns))


def merged(slices: Sequence[Slice]) -> Slice:
    """Merge one slice that several members played; it counts where all of them were counting.

    Each member loads the stack until the requests that it counts are answered. So every request that
    is sent while all of them count is served under full load.
    """
    from_ns = max(share.from_ns for share in slices)
    return Slice(
        cycle=slices[0].cycle,
        begin_ns=min(share.begin_ns for share in slices),
        from_ns=from_ns,
        to_ns=max(from_ns + 1, min(share.to_ns for share in slices)),
        end_ns=max(share.end_ns for share in slices),
        requests=sum(wanted) if (wanted := [s.requests for s in slices if s.requests]) else None,
        think_ns=sum(share.think_ns for share in slices),
    )


def merged_samples(shares: Sequence[Columns]) -> Columns:
    """Merge shares of the same slices, in the order in which the requests were due."""
    if len(shares) == 1:
        return shares[0]
    whole = {name: np.concatenate([share[name] for share in shares]) for name in shares[0]}
    order = np.lexsort((whole["intended_ns"], whole["slice"]))
    return {name: column[order] for name, column in whole.items()}


def named_alike(
    names: Sequence[Sequence[str]], shares: Sequence[Columns]
) -> tuple[tuple[str, ...], Sequence[Columns]]:
    """Let samples name an endpoint by its place in alphabetical order, not in that of a member.

    Args:
        names: for each member, the endpoints that its samples name by their place; empty where the
            scenario says which they are.
        shares: each member's samples.
    """
    known = sorted({name for of_member in names for name in of_member})[:MOST_ENDPOINTS]
    if not known:
        return (), shares
    place = {name: number for number, name in enumerate(known)}
    renamed: list[Columns] = []
    for of_member, share in zip(names, shares, strict=True):
        # The last one stands for samples that name none: their place is -1.
        places = np.array([*(place.get(name, -1) for name in of_member), -1], dtype=np.int8)
        renamed.append({**share, "endpoint": places[share["endpoint"]]})
    return tuple(known), renamed


def _merged_cell(cell: CellKey, shares: Sequence[Played], endpoints: tuple[str, ...]) -> Played:
    slices = zip(*(share.slices for share in shares), strict=True)
    return Played(
        cell=cell,
        requests=sum(share.requests for share in shares),
        errors=sum(share.errors for share in shares),
        starved=sum(share.starved for share in shares),
        spun_s=tuple(seconds for share in shares for seconds in share.spun_s),
        examples=tuple(dict.fromkeys(e for share in shares for e in share.examples)),
        slices=tuple(merged(several) for several in slices),
        parity=tuple(difference for share in shares for difference in share.parity),
        endpoints=endpoints,
    )


@contextmanager
def crew(
    *,
    size: int,
    cores: Sequence[int],
    logs: Path,
    folder: Path,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Crew]:
    """Start load processes, each on a core of its own while there are enough; stop them at the end.

    Args:
        size: How many.
        cores: Cores to pin them to; empty if they may run anywhere.
        logs: Folder for their logs.
        folder: Working directory, from which `harness` can be imported.
        environment: Variables beside those that every child has.
    """
    children: list[Child] = []
    try:
        for number in range(size):
            children.append(
                Child(
                    f"load {number + 1}",
                    [sys.executable, "-m", "harness.load"],
                    log=logs / f"load-{number + 1}.log",
                    cores=[cores[number % len(cores)]] if cores else (),
                    piped=True,
                    folder=folder,
                    environment=environment,
                )
            )
        yield Crew([PipeToMember(child) for child in children])
    finally:
        processes.stop(children)
