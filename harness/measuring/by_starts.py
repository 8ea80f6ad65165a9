"""Starts of a server, one stack alone at a time: how long, for how much CPU time, how large at rest.

A start here is a new process whose files are in the system's memory already: each stack is started
once, uncounted, before its first counted start of a run, so that no disk is measured and its
bytecode is compiled. It runs on the servers' cores from its first moment, as in a container of
that size.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from apps import contract
from harness import store
from harness.channel.messages import Played, Turn
from harness.errors import ServerFailed
from harness.load.client import Request
from harness.load.connection import Outcome
from harness.load.recorder import Recorder
from harness.measuring.blocks import POSTGRES, Bench, play_block
from harness.models import (
    SERVER_CORES,
    BlockPlan,
    BlockUsage,
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
from harness.serving.servers import Server, serving

#: A server is at rest when its processes have used less than 5 % of a core for 0.2 s: the first
#: answer may come from the first of several workers, while the others still import.
_REST_LOOK_S = 0.2
_REST_CORE_SHARE = 0.05
_REST_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class ByStarts:
    """A way of measuring."""

    bench: Bench
    warm: set[str] = field(default_factory=set)  # stacks that were started before in this run

    @contextmanager
    def round(self, number: int, blocks: Sequence[BlockPlan]) -> Iterator[StartBlocks]:
        """Each slice starts a server of its own."""
        yield StartBlocks(self.bench, self.warm, number)


@dataclass(frozen=True, slots=True)
class StartBlocks:
    """The blocks of a round."""

    bench: Bench
    warm: set[str]
    number: int

    @property
    def ready_s(self) -> dict[str, float]:
        """No server stays up."""
        return {}

    def measure(self, block: BlockPlan) -> tuple[list[CellRound], BlockUsage]:
        """Starts in turns."""
        starter = _Starter(self.bench, block, self.number)
        for label in block.stacks:
            if label not in self.warm:
                starter.play(Turn(label, cycle=-1, seconds=0.0, settle_s=0.0))
                self.warm.add(label)
        measured, usage = play_block(
            self.bench, block, self.number, starter, lambda: _StartMeter(self.bench, starter)
        )
        return [replace(one, died=starter.failed.get(one.stack, "")) for one in measured], usage


class _Starter:
    """Plays a slice by starting a server, and stopping it when it has come to rest."""

    def __init__(self, bench: Bench, block: BlockPlan, number: int) -> None:
        self._bench, self._block, self._number = bench, block, number
        self._stacks = {stack.label: stack for stack in bench.plan.stacks}
        (healthz,) = contract.tested(["GET /healthz"])
        self._request = Request(healthz, "localhost")
        self._origin_ns = time.perf_counter_ns()
        self.measure()

    def measure(self) -> None:
        """Forget what was played so far."""
        labels = self._block.stacks
        self._recorders = {label: Recorder() for label in labels}
        self._slices: dict[str, list[Slice]] = {label: [] for label in labels}
        #: What the servers of a stack used, all of them together.
        self.used = dict.fromkeys(labels, Usage(0.0, 0, 0, 0))
        self.failed: dict[str, str] = {}  # stack -> why one did not start
        #: What the servers' cores did from each spawn until the server was at rest, added up. The
        #: server's end is left out, since its CPU time can't be read any more.
        self.server_cores: CoreSeconds | None = NO_TIME

    def play(self, turn: Turn) -> tuple[Slice, int]:
        """One start, however long it takes."""
        bench, stack = self._bench, self._stacks[turn.stack]
        recorder, slices = self._recorders[turn.stack], self._slices[turn.stack]
        begin_ns = time.perf_counter_ns()
        cores_before = self._read_server_cores()
        ready_ns = 0
        recorder.begin_slice()
        try:
            with serving(
                [stack],
                workers=bench.plan.workers,
                environment=bench.environment(Measures.STARTS),
                cores=bench.placement.servers,
                start_cores=bench.placement.servers,
                logs=bench.logs,
                folder=PROJECT,
                check=bench.services.check,
            ) as up:
                server = up[stack.label]
                begin_ns = _on_our_clock(server.child.spawned_at)
                ready_ns = begin_ns + round(server.ready_s * 1e9)
                outcome = self._request.judge(200, server.answer)
                _come_to_rest(server)
                used = lifetime(server.child.tree())
                self._add_cores(cores_before, self._read_server_cores())
                self._add(turn.stack, used)
                end_ns = time.perf_counter_ns()
        except ServerFailed as error:
            end_ns = time.perf_counter_ns()
            outcome = Outcome(0, 0, Failure.REFUSED, _told(error))
        if not outcome.good:
            self.failed[turn.stack] = outcome.example
        ready_ns = ready_ns or end_ns
        recorder.add(begin_ns, begin_ns, ready_ns, recorder.intern(outcome))
        recorder.end_slice()
        begin_ns, ready_ns, end_ns = (
            each - self._origin_ns for each in (begin_ns, ready_ns, end_ns)
        )
        slices.append(Slice(turn.cycle, begin_ns, begin_ns, ready_ns, end_ns))
        return slices[-1], 1

    def _read_server_cores(self) -> CoreSeconds | None:
        return foreign.read({SERVER_CORES: self._bench.placement.servers}).get(SERVER_CORES)

    def _add_cores(self, before: CoreSeconds | None, after: CoreSeconds | None) -> None:
        """One start more; after one that can't be read, the sum is unknown for good."""
        passed = after.since(before) if before and after else None
        if self.server_cores is not None:
            self.server_cores = None if passed is None else self.server_cores + passed

    def _add(self, label: str, used: Usage) -> None:
        """One server more: what it used is added, of what it holds the largest is kept."""
        before = self.used[label]
        self.used[label] = Usage(
            cpu_s=before.cpu_s + used.cpu_s,
            pss_bytes=max(before.pss_bytes, used.pss_bytes),
            threads=max(before.threads, used.threads),
            context_switches=before.context_switches + used.context_switches,
        )

    def finish(self) -> list[Played]:
        """Write the samples; what came of each stack."""
        played = []
        for label, recorder in self._recorders.items():
            path = self._bench.samples_path(self._block, label, self._number)
            store.write_samples(path, recorder.columns(self._origin_ns))
            played.append(
                Played(
                    label=label,
                    requests=len(recorder),
                    errors=recorder.errors,
                    starved=0,
                    spun_s=(),
                    examples=recorder.examples,
                    slices=tuple(self._slices[label]),
                )
            )
        return played


class _StartMeter:
    """A meter whose stacks live for one slice: what they used is what their servers had used."""

    def __init__(self, bench: Bench, starter: _Starter) -> None:
        # Each start opens connections to PostgreSQL, which has a process for each: they come
        # and go between our looks, so that what it used is not known.
        self._roles = Meter({role: ids for role, ids in bench.roles.items() if role != POSTGRES})
        self._starter = starter

    def cpu_seconds(self) -> dict[str, float]:
        """Stack or role -> CPU seconds."""
        return self._roles.cpu_seconds() | {
            label: used.cpu_s for label, used in self._starter.used.items()
        }

    def core_seconds(self) -> dict[str, CoreSeconds]:
        """Reading of the servers' cores while servers were starting.

        The other cores are left out: what PostgreSQL used there is not known.
        """
        server_cores = self._starter.server_cores
        return {} if server_cores is None else {SERVER_CORES: server_cores}

    def usage(self) -> dict[str, Usage]:
        """Stack or role -> what it used, and held."""
        return self._roles.usage() | self._starter.used


def _told(error: ServerFailed) -> str:
    """The error in one line: of its last lines the one that names an exception, or the last."""
    lines = error.detail.splitlines()
    named = [line for line in lines if "Error: " in line]
    return " ".join([str(error), *(named or lines)[-1:]])


def _on_our_clock(spawned_at: float) -> int:
    """A moment of time.monotonic in ns of the clock that all samples have."""
    return time.perf_counter_ns() - round((time.monotonic() - spawned_at) * 1e9)


def _come_to_rest(server: Server) -> None:
    """Wait until a server's processes have next to nothing to do.

    Raises:
        ServerFailed: it ended, or goes on working.
    """
    deadline = time.monotonic() + _REST_WITHIN_S
    used_s = _cpu_seconds(server.child)
    while time.monotonic() < deadline:
        time.sleep(_REST_LOOK_S)
        if server.child.exit_code() is not None:
            raise ServerFailed(
                f"stack '{server.child.name}' ended after its first answer with exit code "
                f"{server.child.exit_code()}; its last lines:",
                detail=server.child.last_lines(),
            )
        before_s, used_s = used_s, _cpu_seconds(server.child)
        # A process that comes or goes is work too, and takes its CPU time with it.
        if used_s.keys() == before_s.keys():
            spent_s = sum(used_s.values()) - sum(before_s.values())
            if spent_s < _REST_CORE_SHARE * _REST_LOOK_S:
                return
    raise ServerFailed(
        f"stack '{server.child.name}' did not come to rest within {_REST_WITHIN_S:.0f} s"
    )


def _cpu_seconds(child: Child) -> dict[int, float]:
    return {pid: cpu_seconds(pid) for pid in child.tree()}
