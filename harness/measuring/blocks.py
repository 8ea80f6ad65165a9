"""What all ways of measuring share: what they find ready, what they must be, how turns are taken."""

from __future__ import annotations

import dataclasses
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.channel.messages import Played, Turn
from harness.models import BlockPlan, BlockUsage, CellRound, Measures, Placement, Plan, Slice, Usage
from harness.planning.plan import turns as drawn_turns
from harness.serving.services import Services

#: A request without an answer has failed; a stack that can't drain within this is overloaded.
TIMEOUT_S = 10.0
#: Roles beside the stacks; no stack's label begins with a space.
POSTGRES, UPSTREAM, HARNESS = " postgres", " upstream", " harness"


class Listener(Protocol):
    """Who wants to know how far a run is."""

    def preparing(self, what: str) -> None:
        """Something starts that takes a moment."""

    def round_started(self, number: int) -> None:
        """A round begins."""

    def block_started(self, block: BlockPlan) -> None:
        """A block's warm-up begins."""

    def slice_done(self, stack: str, rps: float, seconds: float) -> None:
        """One stack had one turn of so many seconds."""

    def round_ended(self, number: int) -> None:
        """A round is in the journal."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What stands ready as long as a run goes on."""

    plan: Plan
    placement: Placement
    folder: Path  # the run's
    logs: Path
    services: Services
    listener: Listener

    def environment(self, measures: Measures) -> dict[str, str]:
        """TWIN_* variables that all stacks have alike, in every round of a run.

        They depend on what is measured in that way at any time: a round that is gone on with
        has the same as one that was not cut off.
        """
        scenarios = [block.scenario for block in self.plan.blocks]
        needs = {need for one in scenarios if one.measures is measures for need in one.needs}
        return {
            **self.services.environment,
            # A stack that keeps its upstream waiting is slow, and is to be measured as slow:
            # with the twins' usual 2 s, a slow machine would turn its tail into errors.
            "TWIN_UPSTREAM_TIMEOUT_S": str(TIMEOUT_S),
            # Whoever is not asked for a prediction is spared seconds of importing, and 170 MiB.
            "TWIN_CLASSIFIER": "on" if "classifier" in needs else "off",
        }

    def samples_file(self, block: BlockPlan, label: str, number: int) -> str:
        """Where a cell's samples of a round go, relative to the run's folder."""
        return f"samples/{block.scenario.name}.{label}.{block.load.label}.r{number:02}.parquet"

    def samples_path(self, block: BlockPlan, label: str, number: int) -> Path:
        """The same, as every process can open it."""
        return (self.folder / self.samples_file(block, label, number)).resolve()

    @property
    def roles(self) -> dict[str, list[int]]:
        """Process ids of everybody who is there in every block and is ours, by name of role."""
        services = {POSTGRES: self.services.postgres, UPSTREAM: self.services.upstream}
        return {
            **{role: child.tree() for role, child in services.items() if child is not None},
            HARNESS: [os.getpid()],
        }


class Blocks(Protocol):
    """The blocks of one round."""

    @property
    def ready_s(self) -> Mapping[str, float]:
        """Stack -> seconds from spawn to the first good answer, of servers that stay up."""

    def measure(self, block: BlockPlan) -> tuple[list[CellRound], BlockUsage]:
        """One scenario of the round: warm-up, then all stacks in turns; who used what."""


class Way(Protocol):
    """How the scenarios that measure one kind of thing are measured, as long as a run goes on."""

    def round(self, number: int, blocks: Sequence[BlockPlan]) -> AbstractContextManager[Blocks]:
        """Fresh processes for a round; gone when the block ends."""


class Players(Protocol):
    """Who plays the slices of one block: load.crew.Crew, or what acts like it."""

    def play(self, turn: Turn) -> tuple[Slice, int]:
        """One slice of one stack, with how many samples it had."""

    def measure(self) -> None:
        """What was played so far was warm-up."""

    def finish(self) -> list[Played]:
        """Have the samples written; what came of each stack."""


class Metering(Protocol):
    """Who reads what the stacks and the roles use: a Meter, or what acts like it."""

    def cpu_seconds(self) -> dict[str, float]:
        """Stack or role -> CPU seconds since it began."""

    def usage(self) -> dict[str, Usage]:
        """Stack or role -> what it used since the metering began, and what it holds now."""


def warm_up(players: Players, block: BlockPlan) -> None:
    """A first turn of each stack that does not count."""
    for label in block.stacks:
        players.play(Turn(label, cycle=-1, seconds=block.warmup_s, settle_s=0.0))


def play_block(
    bench: Bench,
    block: BlockPlan,
    number: int,
    players: Players,
    metering: Callable[[], Metering],
    loads: Sequence[str] = (),
) -> tuple[list[CellRound], BlockUsage]:
    """All turns of a block, warm-up over; each stack's figures, and who used what.

    Args:
        bench: what stands ready.
        block: what is measured.
        number: of the round.
        players: play the slices.
        metering: made now, since pools, workers and backends have grown in the warm-up: only now
            are the trees of processes complete.
        loads: roles of the load processes.
    """
    players.measure()
    meter = metering()
    turns = _take_turns(bench, block, number, players, meter)
    used = meter.usage()
    played = players.finish()
    bench.services.check()
    cells = []
    for one in played:
        cpu_s = turns.cpu_s[one.label]
        cells.append(
            CellRound(
                round=number,
                scenario=block.scenario.name,
                stack=one.label,
                load=block.load.label,
                samples_file=bench.samples_file(block, one.label, number),
                requests=one.requests,
                errors=one.errors,
                slices=one.slices,
                server=dataclasses.replace(used[one.label], cpu_s=cpu_s[one.label]),
                load_cpu_s=tuple(cpu_s[role] for role in loads),
                services_cpu_s={role.strip(): cpu_s.get(role) for role in (POSTGRES, UPSTREAM)},
                wall_s=sum(piece.end_ns - piece.begin_ns for piece in one.slices) / 1e9,
                starved=one.starved,
                parity=one.parity,
                error_examples=one.examples,
            )
        )
    usage = BlockUsage(
        round=number,
        scenario=block.scenario.name,
        load=block.load.label,
        wall_s=turns.wall_s,
        idle_core_share=turns.idle_core_share(used, [one for one in used if one[0] != " "]),
        roles={role.strip(): used[role] for role in used if role[0] == " "},
    )
    return cells, usage


def _take_turns(
    bench: Bench, block: BlockPlan, number: int, players: Players, meter: Metering
) -> _Turns:
    """All slices of a block, everybody's CPU clock read around each."""
    result = _Turns(list(block.stacks))
    begun = time.perf_counter()
    for cycle, order in enumerate(drawn_turns(bench.plan, block, number)):
        for label in order:
            before = meter.cpu_seconds()
            piece, samples = players.play(Turn(label, cycle, block.slice_s, block.settle_s))
            result.add(label, piece, before, meter.cpu_seconds())
            seconds = (piece.end_ns - piece.begin_ns) / 1e9
            bench.listener.slice_done(label, samples / seconds, block.slice_s)
    result.wall_s = time.perf_counter() - begun
    return result


class _Turns:
    """What everybody used in the slices of each stack."""

    def __init__(self, stacks: Sequence[str]) -> None:
        self.cpu_s: dict[str, defaultdict[str, float]] = {
            label: defaultdict(float) for label in stacks
        }
        self._own_s: defaultdict[str, float] = defaultdict(float)
        self.wall_s = 0.0

    def add(
        self, label: str, piece: Slice, before: Mapping[str, float], after: Mapping[str, float]
    ) -> None:
        """One slice more."""
        self._own_s[label] += (piece.end_ns - piece.begin_ns) / 1e9
        for role, seconds in after.items():
            self.cpu_s[label][role] += seconds - before[role]

    def idle_core_share(self, used: Mapping[str, Usage], stacks: Iterable[str]) -> dict[str, float]:
        """Per stack: the share of a core that it used while it did not have its turn."""
        shares = {}
        for label in stacks:
            own_cpu_s = self.cpu_s[label][label] if label in self.cpu_s else 0.0
            idle_s = self.wall_s - self._own_s[label]
            if idle_s > 0:
                shares[label] = max(0.0, used[label].cpu_s - own_cpu_s) / idle_s
        return shares
