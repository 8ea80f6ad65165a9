"""All load processes in step: one order to each, and their shares made one again."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from harness import store
from harness.channel.messages import Block, Contender, Played, Turn
from harness.channel.pipe import LoadProcess
from harness.models import Load, Slice
from harness.processes import children as processes
from harness.processes.children import Child

#: Beyond what an order should take: starting users, writing samples, a machine that stalls.
_PATIENCE_S = 60.0
#: How far ahead several processes are told to begin, so that all have read the order by then.
_AHEAD_NS = 3_000_000


@dataclass(frozen=True, slots=True)
class Order:
    """A block, before it is shared out."""

    scenario_file: str
    contenders: tuple[Contender, ...]
    load: Load
    timeout_s: float
    seed: str


class Crew:
    """Load processes that act as one; with one, it is that one."""

    def __init__(self, members: Sequence[LoadProcess]) -> None:
        self._members = members
        self._order: Order | None = None

    @property
    def trees(self) -> list[list[int]]:
        """Process ids, a list for each member."""
        return [member.child.tree() for member in self._members]

    def seat(self, order: Order, origin_ns: int | None = None) -> None:
        """Give every stack its users; all times count from `origin_ns`, or from now."""
        self._order = order
        origin_ns = origin_ns or time.perf_counter_ns()
        for part, member in enumerate(self._members):
            contenders = tuple(
                replace(one, samples_file=str(self._file(one, part))) for one in order.contenders
            )
            block = Block(
                scenario_file=order.scenario_file,
                contenders=contenders,
                load=order.load,
                part=part,
                parts=len(self._members),
                timeout_s=order.timeout_s,
                seed=order.seed,
                origin_ns=origin_ns,
            )
            member.tell("block", block=block.to_json())
        for member in self._members:
            member.answer(_PATIENCE_S)

    def play(self, turn: Turn) -> tuple[Slice, int]:
        """One slice of one stack, with how many requests it had."""
        assert self._order is not None
        if len(self._members) > 1:
            turn = replace(turn, begin_ns=time.perf_counter_ns() + _AHEAD_NS)
        for member in self._members:
            member.tell("slice", **asdict(turn))
        # A window may wait for its edges as long as it is itself; what hangs takes its time-out,
        # and in open load what was due then takes another.
        budget_s = 4 * turn.seconds + 2 * self._order.timeout_s + _PATIENCE_S
        answers = [member.answer(budget_s) for member in self._members]
        whole = merged([Slice(**answer["slice"]) for answer in answers])
        return whole, sum(answer["requests"] for answer in answers)

    def measure(self) -> None:
        """What was played so far was warm-up."""
        for member in self._members:
            member.tell("measure")
        for member in self._members:
            member.answer(_PATIENCE_S)

    def finish(self) -> list[Played]:
        """Have the samples written; what came of each stack."""
        assert self._order is not None
        for member in self._members:
            member.tell("finish")
        parts = [
            {one["label"]: Played.from_json(one) for one in member.answer(_PATIENCE_S)["played"]}
            for member in self._members
        ]
        played = []
        for contender in self._order.contenders:
            shares = [part[contender.label] for part in parts]
            files = [self._file(contender, part) for part in range(len(parts))]
            if len(files) > 1:
                store.merge_samples(files, Path(contender.samples_file))
            slices = zip(*(share.slices for share in shares), strict=True)
            played.append(
                Played(
                    label=contender.label,
                    requests=sum(share.requests for share in shares),
                    errors=sum(share.errors for share in shares),
                    starved=sum(share.starved for share in shares),
                    spun_s=tuple(seconds for share in shares for seconds in share.spun_s),
                    examples=tuple(dict.fromkeys(e for share in shares for e in share.examples)),
                    slices=tuple(merged(pieces) for pieces in slices),
                    parity=tuple(one for share in shares for one in share.parity),
                )
            )
        return played

    def _file(self, contender: Contender, part: int) -> Path:
        whole = Path(contender.samples_file)
        return whole if len(self._members) == 1 else whole.with_suffix(f".share{part}")


def merged(pieces: Sequence[Slice]) -> Slice:
    """One slice, played by several processes: counted where all of them were counting.

    All load the stack until the last answer to what crosses the end of their own window, so the
    window that they share lies in the steady state of all.
    """
    from_ns = max(piece.from_ns for piece in pieces)
    return Slice(
        cycle=pieces[0].cycle,
        begin_ns=min(piece.begin_ns for piece in pieces),
        from_ns=from_ns,
        to_ns=max(from_ns + 1, min(piece.to_ns for piece in pieces)),
        end_ns=max(piece.end_ns for piece in pieces),
    )


@contextmanager
def crew(*, size: int, cores: Sequence[int], logs: Path, folder: Path) -> Iterator[Crew]:
    """Start load processes, each on a core of its own as far as there are any; gone at the end."""
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
                )
            )
        yield Crew([LoadProcess(child) for child in children])
    finally:
        processes.stop(children)
