"""What all ways of measuring share: the bench, the protocols, and how stacks take turns."""

from __future__ import annotations

import dataclasses
import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from harness import store
from harness.analysis import gates
from harness.channel.messages import Played, Turn
from harness.machine import facts
from harness.measuring.players import PlayedSlice, Players
from harness.models import (
    OTHER_CORES,
    SERVER_CORES,
    BlockPlan,
    BlockUsage,
    BusyProcess,
    CellKey,
    CellRound,
    CoreUsage,
    Measures,
    Placement,
    Plan,
    Usage,
    Window,
)
from harness.planning.plan import lengths as drawn_lengths
from harness.planning.plan import slicings as fitted_slicings
from harness.planning.plan import turns as drawn_turns
from harness.planning.plan import warmup_s
from harness.processes import foreign
from harness.processes.child_environment import drawn_for_round
from harness.processes.foreign import CoreSeconds
from harness.processes.meter import Meter
from harness.serving.services import Services

#: A request without a reply after this has failed; a stack that can't drain in it is overloaded.
TIMEOUT_S = 10.0
#: The role of this very process.
HARNESS = "harness"

_T = TypeVar("_T")


class Listener(Protocol):
    """Hears how far a run is."""

    def preparing(self, what: str) -> None:
        """A slow preparation begins."""

    def round_started(self, number: int) -> None:
        """A round begins."""

    def block_started(self, block: BlockPlan) -> None:
        """The warm-up of a block begins."""

    def warmed_up(self) -> None:
        """The block's slices begin. Whoever hears this does nothing of its own while one plays."""

    def slice_done(self, stack: str, rps: float, seconds: float) -> None:
        """A stack had a turn of so many seconds. No slice plays before this returns."""

    def window_judged(self, stack: str, window: Window) -> None:
        """That turn was a window of a search."""

    def round_ended(self, number: int) -> None:
        """The journal has a whole round."""


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything that lives as long as a run."""

    plan: Plan
    placement: Placement
    folder: Path  # the run's
    logs: Path
    services: Services
    listener: Listener
    more_environment: Mapping[str, str] = field(default_factory=dict)  # of all stacks

    def environment(self, measures: Measures, number: int) -> dict[str, str]:
        """Variables that all stacks of a round share.

        The TWIN_* variables depend on all blocks of the plan that are measured in this way, and not
        on the blocks of one round: so stacks are the same in a round that was resumed as in one that
        was not cut off.
        """
        scenarios = [block.scenario for block in self.plan.blocks]
        needs = {
            need
            for scenario in scenarios
            if scenario.measures is measures
            for need in scenario.needs
        }
        return {
            **drawn_for_round(self.plan.seed, number),
            **self.services.environment,
            # A stack that keeps its upstream waiting is slow, and has to be measured as slow. With
            # the twins' default of 2 s, a slow machine would turn the slowest replies into errors.
            "TWIN_UPSTREAM_TIMEOUT_S": str(TIMEOUT_S),
            # A stack without a classifier starts seconds sooner and takes 170 MiB less.
            "TWIN_CLASSIFIER": "on" if "classifier" in needs else "off",
            **self.more_environment,
        }

    def samples_file(self, cell: CellKey, number: int) -> str:
        """The file with a cell's samples of a round, relative to the run's folder."""
        return f"samples/{cell.scenario}.{cell.stack}.{cell.load}.r{number:02}.parquet"

    @property
    def cores(self) -> dict[str, list[int]]:
        """Groups of cores whose time is accounted for; empty lists where nothing is pinned."""
        where = self.placement
        return {
            SERVER_CORES: sorted(where.servers),
            OTHER_CORES: sorted({*where.load, *where.services}),
        }

    @property
    def roles(self) -> dict[str, list[int]]:
        """Role -> its process ids: the services that we started, and the harness itself."""
        return {**self.services.trees, HARNESS: [os.getpid()]}


class Blocks(Protocol):
    """Measures the blocks of one round."""

    @property
    def ready_s(self) -> Mapping[str, float]:
        """Stack -> seconds from spawn to the first good reply, of servers that stay up."""

    def measure(self, block: BlockPlan) -> tuple[list[CellRound], BlockUsage]:
        """Measure a block: warm-up, then all stacks in turns."""


class Way(Protocol):
    """A way of measuring: for scenarios that measure requests, starts or test clients."""

    def round(self, number: int, blocks: Sequence[BlockPlan]) -> AbstractContextManager[Blocks]:
        """Start fresh processes for a round; they are gone when the context ends."""


@dataclass(frozen=True, slots=True)
class StacksAndRoles(Generic[_T]):
    """A value for each stack, and one for each role beside the stacks.

    Roles are the services, the harness and the load. A stack and a role may have the same name.
    """

    stacks: Mapping[str, _T]
    roles: Mapping[str, _T]


class Metering(Protocol):
    """Reads what stacks and roles use."""

    def cpu_seconds(self) -> StacksAndRoles[float]:
        """CPU seconds since each of them began."""

    def core_seconds(self) -> Mapping[str, CoreSeconds]:
        """Group of cores -> reading of their clocks; without those that can't be read."""

    def usage(self) -> StacksAndRoles[Usage]:
        """What each has used since the metering began, and what it holds now."""


class Meters:
    """Meters trees of processes on this machine, and its cores."""

    def __init__(
        self, trees: StacksAndRoles[Sequence[int]], cores: Mapping[str, Sequence[int]]
    ) -> None:
        """Begin to meter.

        Args:
            trees: Process ids.
            cores: Group of cores -> its cores.
        """
        self._stacks, self._roles = Meter(trees.stacks), Meter(trees.roles)
        self._cores = cores

    def core_seconds(self) -> dict[str, CoreSeconds]:
        """Group of cores -> reading of their clocks; without those that can't be read."""
        return foreign.read(self._cores)

    def cpu_seconds(self) -> StacksAndRoles[float]:
        """CPU seconds since each of them began."""
        return StacksAndRoles(self._stacks.cpu_seconds(), self._roles.cpu_seconds())

    def usage(self) -> StacksAndRoles[Usage]:
        """What each has used since the metering began, and what it holds now."""
        return StacksAndRoles(self._stacks.usage(), self._roles.usage())


def warm_up(players: Players, plan: Plan, block: BlockPlan, number: int) -> dict[str, float]:
    """Play a first turn of each stack, which does not count; return stack -> requests per second."""
    rates_rps = {}
    for cell in block.cells:
        seconds = warmup_s(plan, block, number, cell.stack)
        played = players.play(Turn(cell, cycle=-1, seconds=seconds))
        seconds = (played.slice.end_ns - played.slice.begin_ns) / 1e9
        rates_rps[cell.stack] = played.samples / seconds
    return rates_rps


def play_block(
    bench: Bench,
    block: BlockPlan,
    number: int,
    players: Players,
    metering: Callable[[], Metering],
    rates_rps: Mapping[str, float],
) -> tuple[list[CellRound], BlockUsage]:
    """Play all turns of a block after its warm-up, as drawn beforehand, and write its samples.

    Args:
        bench: What is there as long as the run goes on.
        block: What to measure.
        number: The round.
        players: Plays the slices.
        metering: Begins to meter. It is called after the warm-up, in which pools, workers and
            backends have grown: only then are the trees of processes complete.
        rates_rps: Stack -> requests per second in the warm-up, which decide how many requests a
            slice of closed load counts; empty where slices don't count requests.
    """

    def take_turns(meter: Metering) -> Turns:
        return _take_turns(bench, block, number, players, meter, rates_rps)

    return play(bench, block, number, players, metering, take_turns)


def play(
    bench: Bench,
    block: BlockPlan,
    number: int,
    players: Players,
    metering: Callable[[], Metering],
    take_turns: Callable[[Metering], Turns],
) -> tuple[list[CellRound], BlockUsage]:
    """Have the turns of a block played, whatever decides them; other arguments as `play_block`."""
    players.measure()
    bench.listener.warmed_up()
    meter = metering()
    others, others_from_s = facts.others_cpu_seconds(), time.perf_counter()
    turns = take_turns(meter)
    used = meter.usage()
    finished = players.finish()
    cells = []
    for played, samples in ((cell.played, cell.samples) for cell in finished.cells):
        file = bench.samples_file(played.cell, number)
        store.write_samples(bench.folder / file, samples)
        cells.append(_cell_round(bench, number, played, file, turns, used))
    bench.services.check()
    load = {f"load {position}": usage for position, usage in enumerate(finished.load, 1)}
    usage = BlockUsage(
        round=number,
        scenario=block.scenario.name,
        load=block.load.label,
        wall_s=turns.wall_s,
        idle_core_share=turns.idle_core_share(used.stacks),
        roles={**load, **used.roles},
        busiest=_busiest(bench, cells, others, time.perf_counter() - others_from_s),
    )
    return cells, usage


def _cell_round(
    bench: Bench,
    number: int,
    played: Played,
    file: str,
    turns: Turns,
    used: StacksAndRoles[Usage],
) -> CellRound:
    stack = played.cell.stack
    server = used.stacks.get(stack)  # missing if the target's processes are not ours to meter
    if server is not None:
        server = dataclasses.replace(server, cpu_s=turns.stack_cpu_s[stack])
    return CellRound(
        round=number,
        scenario=played.cell.scenario,
        stack=stack,
        load=played.cell.load,
        samples_file=file,
        requests=played.requests,
        errors=played.errors,
        slices=played.slices,
        server=server,
        load_cpu_s=turns.load_cpu_s[stack],
        services_cpu_s={name: turns.role_cpu_s[stack].get(name) for name in bench.services.names},
        wall_s=sum(turn.end_ns - turn.begin_ns for turn in played.slices) / 1e9,
        starved=played.starved,
        load_spun_s=played.spun_s,
        cores=turns.cores(stack),
        parity=played.parity,
        error_examples=played.examples,
        endpoints=played.endpoints,
    )


def _take_turns(
    bench: Bench,
    block: BlockPlan,
    number: int,
    players: Players,
    meter: Metering,
    rates_rps: Mapping[str, float],
) -> Turns:
    """Play all slices of a block, and read every CPU clock around each."""
    turns = Turns(shared_cores=share_cores(bench.cores))
    slicings = fitted_slicings(block, rates_rps)
    lengths = {
        label: drawn_lengths(bench.plan, block, number, label, rate_rps, slicings[label])
        for label, rate_rps in rates_rps.items()
    }
    begun = time.perf_counter()
    for label, position in drawn_turns(bench.plan, block, number, slicings):
        turn = Turn(block.cell(label), position, slicings[label].slice_s, block.settle_s)
        if label in lengths:
            length = lengths[label][position]
            turn = dataclasses.replace(turn, requests=length.counted, uncounted=length.uncounted)
        turns.play(bench, players, meter, turn)
    turns.wall_s = time.perf_counter() - begun
    return turns


def _busiest(
    bench: Bench, cells: Sequence[CellRound], others: Mapping[int, float], seconds: float
) -> tuple[BusyProcess, ...]:
    """The busiest processes of others, if others took a notable share of the servers' cores."""
    usages = [cell.cores[SERVER_CORES] for cell in cells if SERVER_CORES in cell.cores]
    if all(gates.foreign_share([usage]) <= gates.MAX_FOREIGN_SHARE for usage in usages):
        return ()
    return facts.busiest_others(others, seconds, bench.cores[SERVER_CORES])


def share_cores(groups: Mapping[str, Sequence[int]]) -> bool:
    """Whether servers and load have a core in common, as on a machine with one core."""
    return not set(groups[SERVER_CORES]).isdisjoint(groups[OTHER_CORES])


def _pace_rps(played: PlayedSlice) -> float:
    """How many requests were sent per second while they counted, or at all where seconds decided."""
    piece = played.slice
    if piece.requests is not None and piece.to_ns > piece.from_ns:
        return piece.requests / (piece.to_ns - piece.from_ns) * 1e9
    return played.samples / (piece.end_ns - piece.begin_ns) * 1e9


class Turns:
    """What stacks and roles used in the slices of each stack."""

    def __init__(self, *, shared_cores: bool) -> None:
        self._shared_cores = shared_cores
        self._accounts: defaultdict[str, foreign.Account] = defaultdict(foreign.Account)
        self.wall_s = 0.0  # of all slices together, and the moments between them
        #: Stack -> its own CPU time, and seconds, in its slices.
        self.stack_cpu_s: defaultdict[str, float] = defaultdict(float)
        self._slices_s: defaultdict[str, float] = defaultdict(float)
        #: Stack -> role -> the role's CPU time in the stack's slices.
        self.role_cpu_s: defaultdict[str, defaultdict[str, float]] = defaultdict(
            lambda: defaultdict(float)
        )
        #: Stack -> CPU time of each load process in the stack's slices.
        self.load_cpu_s: dict[str, tuple[float, ...]] = {}

    def play(self, bench: Bench, players: Players, meter: Metering, turn: Turn) -> PlayedSlice:
        """Play one slice, and read every CPU clock around it."""
        label = turn.cell.stack
        before, cores_before = meter.cpu_seconds(), meter.core_seconds()
        played = players.play(turn)
        cores_after, after = meter.core_seconds(), meter.cpu_seconds()
        self.add(label, played, before, after)
        self.add_cores(label, played, cores_before, cores_after, before, after)
        bench.listener.slice_done(label, _pace_rps(played), turn.seconds)
        return played

    def add(
        self,
        label: str,
        played: PlayedSlice,
        before: StacksAndRoles[float],
        after: StacksAndRoles[float],
    ) -> None:
        """Count one slice of a stack."""
        self._slices_s[label] += (played.slice.end_ns - played.slice.begin_ns) / 1e9
        if label in after.stacks:
            self.stack_cpu_s[label] += after.stacks[label] - before.stacks[label]
        for role, seconds in after.roles.items():
            self.role_cpu_s[label][role] += seconds - before.roles[role]
        earlier_s = self.load_cpu_s.get(label) or (0.0,) * len(played.load_cpu_s)
        self.load_cpu_s[label] = tuple(map(sum, zip(earlier_s, played.load_cpu_s, strict=True)))

    def add_cores(
        self,
        label: str,
        played: PlayedSlice,
        cores_before: Mapping[str, CoreSeconds],
        cores_after: Mapping[str, CoreSeconds],
        before: StacksAndRoles[float],
        after: StacksAndRoles[float],
    ) -> None:
        """Account for the time of all cores in one slice of a stack."""
        stacks_s = sum(after.stacks.values()) - sum(before.stacks.values())
        roles_s = sum(after.roles.values()) - sum(before.roles.values()) + sum(played.load_cpu_s)
        if self._shared_cores:
            stacks_s = roles_s = stacks_s + roles_s
        own_s = {SERVER_CORES: stacks_s, OTHER_CORES: roles_s}
        self._accounts[label].add(cores_before, cores_after, own_s)

    def cores(self, label: str) -> dict[str, CoreUsage]:
        """Group of cores -> what they did in the slices of one stack."""
        return self._accounts[label].usage()

    def idle_core_share(self, used: Mapping[str, Usage]) -> dict[str, float]:
        """Stack -> the share of a core that it used while it did not have its turn."""
        shares = {}
        for label, usage in used.items():
            idle_s = self.wall_s - self._slices_s[label]
            if idle_s > 0:
                shares[label] = max(0.0, usage.cpu_s - self.stack_cpu_s[label]) / idle_s
        return shares
