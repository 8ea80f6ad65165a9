"""Plan -> run: the loop that measures. It draws nothing and computes nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import tempfile
from collections.abc import Iterator, Mapping
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

    def round_started(self, number: int, rounds: int) -> None:
        """All stacks of a round answer."""

    def scenario_started(self, cell: CellPlan) -> None:
        """A scenario's warm-up begins."""

    def slice_done(self, stack: str, rps: float, seconds: float) -> None:
        """One stack had one turn of so many seconds."""

    def round_ended(self, number: int, rounds: int) -> None:
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
    where = record.placement
    try:
        with processes.kept_to(sorted({*where.load, *where.services})):
            _measure_rounds(todo, where, folder, listener)
    except TwinbenchError as error:
        note = f"ended early: {str(error).splitlines()[0]}"
        store.write_run(folder, dataclasses.replace(record, notes=(note,)))
        raise
    store.write_run(folder, dataclasses.replace(record, ended=_now()))
    return store.read_run(folder)


def _measure_rounds(todo: Plan, where: Placement, folder: Path, listener: Listener) -> None:
    with contextlib.ExitStack() as stack:
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
        for number in range(1, todo.rounds + 1):
            _measure_round(todo, number, where, folder, logs, load, around, journal, listener)


def _measure_round(
    todo: Plan,
    number: int,
    where: Placement,
    folder: Path,
    logs: Path,
    load: LoadProcess,
    around: Services,
    journal: store.Journal,
    listener: Listener,
) -> None:
    started = _now()
    order = plan.scenario_order(todo, number)
    listener.preparing(f"round {number} of {todo.rounds}: starting {len(todo.stacks)} servers")
    with serving(
        todo.stacks,
        workers=todo.workers,
        environment=around.environment,
        cores=where.servers,
        start_cores=sorted({*where.servers, *where.load, *where.services}),
        logs=logs,
        folder=plan.PROJECT,
    ) as up:
        listener.round_started(number, todo.rounds)
        for cell in order:
            listener.scenario_started(cell)
            cells, usage = _measure_block(todo, cell, number, folder, load, around, up, listener)
            journal.block(number, cells, usage)
        ready_s = {label: round(server.ready_s, 3) for label, server in up.items()}
    journal.round(number, started, [cell.scenario.name for cell in order], ready_s)
    listener.round_ended(number, todo.rounds)


class _Clocks:
    """CPU clocks of everything that runs, read before the first slice and after the last."""

    def __init__(self, up: Mapping[str, Server], around: Services, load: LoadProcess) -> None:
        self.trees = {label: server.child.tree() for label, server in up.items()}
        postgres = around.postgres.tree() if around.postgres else []
        self._trees = {
            **self.trees,
            _POSTGRES: postgres,
            _UPSTREAM: around.upstream.tree(),
            _LOAD: load.child.tree(),
        }
        self._before: dict[str, float] = {}
        self.used_s: dict[str, float] = {}

    def start(self) -> None:
        """The first slice is about to begin."""
        self._before = self._read()

    def stop(self) -> None:
        """The last slice has ended."""
        after = self._read()
        self.used_s = {role: after[role] - self._before[role] for role in after}

    def _read(self) -> dict[str, float]:
        return {role: meter.tree_cpu_seconds(tree) for role, tree in self._trees.items()}


# Roles beside the stacks; no stack's label begins with a space.
_POSTGRES, _UPSTREAM, _LOAD = " postgres", " upstream", " load"


def _measure_block(
    todo: Plan,
    cell: CellPlan,
    number: int,
    folder: Path,
    load: LoadProcess,
    around: Services,
    up: Mapping[str, Server],
    listener: Listener,
) -> tuple[list[CellRound], BlockUsage]:
    """One scenario of one round: turns, samples, and what everybody used."""
    files = {
        label: f"samples/{cell.scenario.name}.{label}.{cell.load.label}.r{number:02}.parquet"
        for label in cell.stacks
    }
    block = Block(
        scenario_file=cell.scenario.file,
        contenders=tuple(
            Contender(label, up[label].url, str((folder / files[label]).resolve()))
            for label in cell.stacks
        ),
        turns=plan.turns(todo, cell, number),
        users=cell.load.users,
        slice_s=cell.slice_s,
        settle_s=cell.settle_s,
        warmup_s=cell.warmup_s,
        drain_s=DRAIN_S,
        seed=f"{todo.seed} requests {number} {cell.scenario.name}",
    )
    # One tree per process, read after the warm-up: pools of workers and backends are grown.
    clocks: list[_Clocks] = []

    def warm() -> None:
        clocks.append(_Clocks(up, around, load))
        clocks[0].start()

    played = load.play(
        block,
        warm=warm,
        slice_done=lambda stack, rps: listener.slice_done(stack, rps, cell.slice_s),
        measured=lambda: clocks[0].stop(),
    )
    used_s, trees = clocks[0].used_s, clocks[0].trees
    cells = [
        CellRound(
            round=number,
            scenario=cell.scenario.name,
            stack=one.label,
            load=cell.load.label,
            samples_file=files[one.label],
            requests=one.requests,
            errors=one.errors,
            slices=one.slices,
            server=meter.usage(trees[one.label], used_s[one.label]),
            load_cpu_s=one.load_cpu_s,
            wall_s=one.wall_s,
            error_examples=one.examples,
        )
        for one in played
    ]
    idle = [label for label in up if label not in cell.stacks]
    return cells, BlockUsage(
        round=number,
        scenario=cell.scenario.name,
        wall_s=_wall_s(played),
        postgres_cpu_s=used_s[_POSTGRES],
        upstream_cpu_s=used_s[_UPSTREAM],
        load_cpu_s=used_s[_LOAD],
        idle_servers_cpu_s=sum(used_s[label] for label in idle),
        idle_servers=len(idle),
    )


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
