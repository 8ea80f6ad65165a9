"""Measures starts of a server, one stack at a time: the time, the CPU time, and the memory at rest.

Before its first counted start of a run, each stack is started once without being counted: then its
files are in the system's memory and its bytecode is compiled, and no disk is measured. A server runs
on the servers' cores from its first moment, as in a container of that size.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from apps import contract
from harness.channel.messages import Played, Turn
from harness.errors import ServerFailed
from harness.load.client import Request
from harness.load.connection import Outcome
from harness.load.recorder import Recorder
from harness.measuring.blocks import Bench, StacksAndRoles, play_block
from harness.measuring.players import Finished, PlayedCell, PlayedSlice
from harness.models import (
    SERVER_CORES,
    BlockPlan,
    BlockUsage,
    CellKey,
    CellRound,
    Failure,
    Measures,
    Slice,
    Usage,
)
from harness.planning.files import PROJECT
from harness.processes import foreign
from harness.processes.children import Child
from harness.processes.foreign import NO_TIME, CoreSeconds
from harness.processes.meter import Meter, cpu_seconds, lifetime
from harness.serving import postgres
from harness.serving.servers import READY, READY_STATUS, serving

#: A server is at rest when its processes have used less than 5 % of a core for 0.2 s. The first
#: reply may come from the first of several workers, while the others still import.
_REST_LOOK_S = 0.2
_REST_CORE_SHARE = 0.05
_REST_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class ByStarts:
    """The way for scenarios that measure starts."""

    bench: Bench
    warm: set[str] = field(default_factory=set)  # stacks that this run has started before

    @contextmanager
    def round(self, number: int, blocks: Sequence[BlockPlan]) -> Iterator[StartBlocks]:
        """Start nothing yet: each slice starts a server of its own."""
        yield StartBlocks(self.bench, self.warm, number)


@dataclass(frozen=True, slots=True)
class StartBlocks:
    """Measures the blocks of a round."""

    bench: Bench
    warm: set[str]
    number: int

    @property
    def ready_s(self) -> dict[str, float]:
        """Nothing, because no server stays up."""
        return {}

    def measure(self, block: BlockPlan) -> tuple[list[CellRound], BlockUsage]:
        """Start each stack in turns."""
        starter = Starter(self.bench, block, self.number)
        for cell in block.cells:
            if cell.stack not in self.warm:
                starter.play(Turn(cell, cycle=-1, seconds=0.0))
                self.warm.add(cell.stack)
        measured, usage = play_block(
            self.bench, block, self.number, starter, lambda: StartMeters(self.bench, starter), {}
        )
        return [replace(cell, died=starter.failed.get(cell.stack, "")) for cell in measured], usage


class Starter:
    """Plays a slice by starting a server, and stopping it when it has come to rest."""

    def __init__(self, bench: Bench, block: BlockPlan, number: int) -> None:
        self._bench, self._block, self._number = bench, block, number
        self._stacks = {stack.label: stack for stack in bench.plan.stacks}
        (healthz,) = contract.tested([f"GET {READY.path}"])
        self._request = Request(healthz, "localhost")
        self._origin_ns = time.perf_counter_ns()
        self.measure()

    def measure(self) -> None:
        """Forget what was played until now."""
        self._recorders = {cell: Recorder() for cell in self._block.cells}
        self._slices: dict[CellKey, list[Slice]] = {cell: [] for cell in self._block.cells}
        #: Stack -> what all its servers together have used.
        self.used = dict.fromkeys(self._block.stacks, Usage(0.0, 0, 0, 0))
        self.failed: dict[str, str] = {}  # stack -> why a server did not start
        #: What the servers' cores did from each spawn until the server was at rest, added up. The
        #: end of a server is left out, because its CPU time can't be read any more.
        self.server_cores: CoreSeconds | None = NO_TIME

    def play(self, turn: Turn) -> PlayedSlice:
        """Start a server, however long it takes."""
        bench, stack = self._bench, self._stacks[turn.cell.stack]
        recorder = self._recorders[turn.cell]
        begin_ns = time.perf_counter_ns()
        cores_before = self._read_server_cores()
        ready_ns = 0
        recorder.begin_slice()
        try:
            with serving(
                [stack],
                workers=bench.plan.workers,
                environment=bench.environment(Measures.STARTS, self._number),
                cores=bench.placement.servers,
                start_cores=bench.placement.servers,
                logs=bench.logs,
                folder=PROJECT,
                check=bench.services.check,
            ) as up:
                target = up[stack.label]
                assert target.child is not None
                assert target.ready_s is not None
                begin_ns = _on_our_clock(target.child.spawned_at)
                ready_ns = begin_ns + round(target.ready_s * 1e9)
                outcome = self._request.judge(READY_STATUS, target.first_reply)
                _come_to_rest(target.child)
                used = lifetime(target.tree())
                self._add_cores(cores_before, self._read_server_cores())
                self._add(stack.label, used)
                end_ns = time.perf_counter_ns()
        except ServerFailed as error:
            end_ns = time.perf_counter_ns()
            outcome = Outcome(0, 0, Failure.REFUSED, _in_one_line(error))
        if not outcome.good:
            self.failed[stack.label] = outcome.example
        ready_ns = ready_ns or end_ns
        recorder.add(begin_ns, begin_ns, ready_ns, recorder.intern(outcome))
        recorder.end_slice()
        begin_ns, ready_ns, end_ns = (
            each - self._origin_ns for each in (begin_ns, ready_ns, end_ns)
        )
        played = Slice(turn.cycle, begin_ns, begin_ns, ready_ns, end_ns)
        self._slices[turn.cell].append(played)
        return PlayedSlice(played, samples=1, load_cpu_s=())

    def _read_server_cores(self) -> CoreSeconds | None:
        return foreign.read({SERVER_CORES: self._bench.placement.servers}).get(SERVER_CORES)

    def _add_cores(self, before: CoreSeconds | None, after: CoreSeconds | None) -> None:
        """Add one start. After one that can't be read, the sum stays unknown."""
        passed = after.since(before) if before and after else None
        if self.server_cores is not None:
            self.server_cores = None if passed is None else self.server_cores + passed

    def _add(self, label: str, used: Usage) -> None:
        """Add what one more server has used; of what servers hold, the largest counts."""
        before = self.used[label]
        self.used[label] = Usage(
            cpu_s=before.cpu_s + used.cpu_s,
            pss_bytes=max(before.pss_bytes, used.pss_bytes),
            threads=max(before.threads, used.threads),
            context_switches=before.context_switches + used.context_switches,
            uss_bytes=None
            if used.uss_bytes is None
            else max(before.uss_bytes or 0, used.uss_bytes),
        )

    def finish(self) -> Finished:
        """End the block; return what came of it."""
        cells = (
            PlayedCell(
                Played(
                    cell=cell,
                    requests=len(recorder),
                    errors=recorder.errors,
                    starved=0,
                    spun_s=(),
                    examples=recorder.examples,
                    slices=tuple(self._slices[cell]),
                ),
                recorder.columns(self._origin_ns),
            )
            for cell, recorder in self._recorders.items()
        )
        return Finished(load=(), cells=cells)


class StartMeters:
    """Meters stacks that live for one slice: a stack has used what all its servers have used."""

    def __init__(self, bench: Bench, starter: Starter) -> None:
        # PostgreSQL has a process for each connection. A server opens connections when it starts, so
        # these processes come and go between two readings, and what they use is not known.
        self._roles = Meter(
            {role: ids for role, ids in bench.roles.items() if role != postgres.NAME}
        )
        self._starter = starter

    def cpu_seconds(self) -> StacksAndRoles[float]:
        """CPU seconds since each of them began."""
        stacks = {label: used.cpu_s for label, used in self._starter.used.items()}
        return StacksAndRoles(stacks, self._roles.cpu_seconds())

    def core_seconds(self) -> dict[str, CoreSeconds]:
        """Reading of the servers' cores while servers were starting.

        The other cores are left out: what PostgreSQL used there is not known.
        """
        server_cores = self._starter.server_cores
        return {} if server_cores is None else {SERVER_CORES: server_cores}

    def usage(self) -> StacksAndRoles[Usage]:
        """What each has used since the metering began, and what it held at most."""
        return StacksAndRoles(dict(self._starter.used), self._roles.usage())


def _in_one_line(error: ServerFailed) -> str:
    """The error with the line of its log that names an exception, or else the last line."""
    lines = error.detail.splitlines()
    naming = [line for line in lines if "Error: " in line]
    return " ".join([str(error), *(naming or lines)[-1:]])


def _on_our_clock(spawned_at: float) -> int:
    """Convert a moment of `time.monotonic` to ns of `time.perf_counter_ns`."""
    return time.perf_counter_ns() - round((time.monotonic() - spawned_at) * 1e9)


def _come_to_rest(child: Child) -> None:
    """Wait until a server's processes have next to nothing to do.

    Raises:
        ServerFailed: The server ended, or goes on working.
    """
    deadline = time.monotonic() + _REST_WITHIN_S
    used_s = _cpu_seconds(child)
    while time.monotonic() < deadline:
        time.sleep(_REST_LOOK_S)
        if child.exit_code() is not None:
            raise ServerFailed(
                f"stack '{child.name}' ended after its first reply with exit code "
                f"{child.exit_code()}; its last lines:",
                detail=child.last_lines(),
            )
        before_s, used_s = used_s, _cpu_seconds(child)
        # A process that begins or ends is work too, and takes its CPU time with it.
        if used_s.keys() == before_s.keys():
            spent_s = sum(used_s.values()) - sum(before_s.values())
            if spent_s < _REST_CORE_SHARE * _REST_LOOK_S:
                return
    raise ServerFailed(f"stack '{child.name}' did not come to rest within {_REST_WITHIN_S:.0f} s")


def _cpu_seconds(child: Child) -> dict[int, float]:
    return {pid: cpu_seconds(pid) for pid in child.tree()}
