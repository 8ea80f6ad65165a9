"""Plan -> run: the loop that measures. It draws nothing and computes nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from harness import environment, meter, placement, plan, processes, services, store
from harness.errors import TwinbenchError
from harness.load.block import Block, Contender, Played
from harness.load.process import LoadProcess, load_process
from harness.models import BlockUsage, CellPlan, CellRound, Placement, Plan, RunRecord
from harness.servers import Server, serving
from harness.services import Services

#: A stack that can't answer what is in flight within this time is overloaded.
DRAIN_S = 10.0


class Listener(Protocol):
    """Who wants to know how far a run is."""

    def preparing(self, what: str) -> None:
        """Something starts that takes a moment."""

    def round_started(self, number: int) -> None:
        """All stacks of a round answer."""

    def scenario_started(self, cell: CellPlan) -> None:
        """A scenario's warm-up begins."""

    def slice_done(self, stack: str, rps: float, seconds: float) -> None:
        """One stack had one turn of so many seconds."""

    def round_ended(self, number: int) -> None:
        """A round is in the journal."""


def run(todo: Plan, folder: Path, listener: Listener) -> RunRecord:
    """Measure a plan into a folder that `store.create_run` made.

    Whatever ends it early, what was measured until then is in the folder.

    Raises:
        EnvironmentFailed: a server, a service or the load process did not do its part.
        Interrupted: by the user.
    """
    record = RunRecord(
        run_id=folder.name,
        schema=store.SCHEMA,
        plan=todo,
        environment=environment.describe(plan.PROJECT),
        placement=placement.place_here(),
        command=environment.command_line(),
        started=_now(),
        ended=None,
        rounds=(),
    )
    store.write_run(folder, record)
    try:
        with _bench(todo, record.placement, folder, listener) as bench:
            for number in range(1, todo.rounds + 1):
                bench.measure_round(number)
    except TwinbenchError as error:
        note = f"ended early: {str(error).splitlines()[0]}"
        store.write_run(folder, dataclasses.replace(record, notes=(note,)))
        raise
    store.write_run(folder, dataclasses.replace(record, ended=_now()))
    return store.read_run(folder)


@contextlib.contextmanager
def _bench(todo: Plan, where: Placement, folder: Path, listener: Listener) -> Iterator[_Bench]:
    """All that lives as long as a run: services, load process, journal."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(processes.kept_to(sorted({*where.load, *where.services})))
        logs = stack.enter_context(_log_folder())
        journal = stack.enter_context(contextlib.closing(store.Journal(folder)))
        listener.preparing("starting PostgreSQL and the upstream")
        load = stack.enter_context(load_process(cores=where.load, logs=logs, folder=plan.PROJECT))
        around = stack.enter_context(
            services.running(
                upstream_latency=todo.upstream_latency,
                seed=todo.seed,
                cores=where.services,
                logs=logs,
                folder=plan.PROJECT,
            )
        )
        yield _Bench(todo, where, folder, logs, load, around, journal, listener)


@dataclass(frozen=True, slots=True)
class _Bench:
    """What stands ready, and how a round is measured on it."""

    plan: Plan
    placement: Placement
    folder: Path
    logs: Path
    load: LoadProcess
    services: Services
    journal: store.Journal
    listener: Listener

    def measure_round(self, number: int) -> None:
        """Fresh servers; every scenario in drawn order; each in the journal when it is done."""
        started = _now()
        count = f"round {number} of {self.plan.rounds}"
        self.listener.preparing(f"{count}: starting {len(self.plan.stacks)} servers")
        where = self.placement
        order = plan.scenario_order(self.plan, number)
        with serving(
            self.plan.stacks,
            workers=self.plan.workers,
            environment=self.services.environment,
            cores=where.servers,
            start_cores=sorted({*where.servers, *where.load, *where.services}),
            logs=self.logs,
            folder=plan.PROJECT,
        ) as up:
            self.listener.round_started(number)
            for cell in order:
                self.listener.scenario_started(cell)
                self.journal.block(number, *self._measure_block(cell, number, up))
            ready_s = {label: round(server.ready_s, 3) for label, server in up.items()}
        self.journal.round(number, started, [cell.scenario.name for cell in order], ready_s)
        self.listener.round_ended(number)

    def _measure_block(
        self, cell: CellPlan, number: int, up: Mapping[str, Server]
    ) -> tuple[list[CellRound], BlockUsage]:
        """One scenario of one round: turns, samples, and what everybody used."""
        scenario = cell.scenario.name
        files = {
            label: f"samples/{scenario}.{label}.{cell.load.label}.r{number:02}.parquet"
            for label in cell.stacks
        }
        block = Block(
            scenario_file=str(plan.PROJECT / cell.scenario.file),
            contenders=tuple(
                Contender(label, up[label].url, str((self.folder / files[label]).resolve()))
                for label in cell.stacks
            ),
            turns=plan.turns(self.plan, cell, number),
            users=cell.load.users,
            slice_s=cell.slice_s,
            settle_s=cell.settle_s,
            warmup_s=cell.warmup_s,
            drain_s=DRAIN_S,
            seed=f"{self.plan.seed} requests {number} {scenario}",
        )
        clocks = _Clocks(up, self.services, self.load)
        played = self.load.play(
            block,
            warm=clocks.start,
            slice_done=lambda stack, rps: self.listener.slice_done(stack, rps, cell.slice_s),
            measured=clocks.stop,
        )
        cells = [
            CellRound(
                round=number,
                scenario=scenario,
                stack=one.label,
                load=cell.load.label,
                samples_file=files[one.label],
                requests=one.requests,
                errors=one.errors,
                slices=one.slices,
                server=meter.usage(up[one.label].child.tree(), clocks.used_s[one.label]),
                load_cpu_s=one.load_cpu_s,
                wall_s=one.wall_s,
                error_examples=one.examples,
            )
            for one in played
        ]
        idle = [label for label in up if label not in cell.stacks]
        return cells, BlockUsage(
            round=number,
            scenario=scenario,
            wall_s=_wall_s(played),
            postgres_cpu_s=clocks.used_s[_POSTGRES],
            upstream_cpu_s=clocks.used_s[_UPSTREAM],
            load_cpu_s=clocks.used_s[_LOAD],
            idle_servers_cpu_s=sum(clocks.used_s[label] for label in idle),
            idle_servers=len(idle),
        )


# Roles beside the stacks; no stack's label begins with a space.
_POSTGRES, _UPSTREAM, _LOAD = " postgres", " upstream", " load"


class _Clocks:
    """CPU clocks of everything that runs, read before the first slice and after the last."""

    def __init__(self, up: Mapping[str, Server], around: Services, load: LoadProcess) -> None:
        self._children = {label: server.child for label, server in up.items()}
        self._children |= {_UPSTREAM: around.upstream, _LOAD: load.child}
        if around.postgres is not None:
            self._children[_POSTGRES] = around.postgres
        self._before: dict[str, dict[int, float]] = {}
        self.used_s: dict[str, float] = {_POSTGRES: 0.0}  # somebody else's can't be read

    def start(self) -> None:
        """The warm-up is over: pools, workers and backends are grown."""
        self._before = self._read()

    def stop(self) -> None:
        """The last slice has ended."""
        for role, after in self._read().items():
            before = self._before[role]
            # A process that was born in between began at zero.
            self.used_s[role] = sum(cpu_s - before.get(pid, 0.0) for pid, cpu_s in after.items())

    def _read(self) -> dict[str, dict[int, float]]:
        return {
            role: {pid: meter.cpu_seconds(pid) for pid in child.tree()}
            for role, child in self._children.items()
        }


def _wall_s(played: list[Played]) -> float:
    begins = [one.slices[0].begin_ns for one in played]
    ends = [one.slices[-1].end_ns for one in played]
    return (max(ends) - min(begins)) / 1e9


@contextlib.contextmanager
def _log_folder() -> Iterator[Path]:
    """Where servers write; a failure's message shows the end of it, so it need not stay."""
    logs = Path(tempfile.mkdtemp(prefix="twinbench-logs-"))
    try:
        yield logs
    finally:
        shutil.rmtree(logs, ignore_errors=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
