"""Plan -> run: the loop that measures. It draws nothing and computes nothing."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from harness import environment, meter, placement, plan, processes, services, store
from harness.errors import Interrupted, TwinbenchError
from harness.load.block import Block, Contender, Metered
from harness.load.process import LoadProcess, load_process
from harness.models import BlockUsage, CellPlan, CellRound, Placement, Plan, RunRecord
from harness.processes import Child
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
    except (TwinbenchError, Interrupted) as error:
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
        # A failure's message shows the end of a log, so that it need not stay.
        logs = stack.enter_context(processes.scratch_folder("logs"))
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
            environment={
                **self.services.environment,
                # A stack that keeps its upstream waiting is slow, and is to be measured as slow:
                # with the twins' usual 2 s, a slow machine would turn its tail into errors.
                "TWIN_UPSTREAM_TIMEOUT_S": str(DRAIN_S),
            },
            cores=where.servers,
            start_cores=sorted({*where.servers, *where.load, *where.services}),
            logs=self.logs,
            folder=plan.PROJECT,
            check=self.services.check,
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
        trees: dict[str, set[int]] = {}

        def metered() -> Metered:
            trees.update({label: set(server.child.tree()) for label, server in up.items()})
            postgres = self.services.postgres
            return Metered(
                stacks={label: list(pids) for label, pids in trees.items()},
                postgres=postgres.tree() if postgres else [],
                upstream=self.services.upstream.tree(),
            )

        outcome = self.load.play(
            block,
            metered=metered,
            slice_done=lambda stack, rps: self.listener.slice_done(stack, rps, cell.slice_s),
        )
        self.services.check()
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
                server=meter.usage(trees[one.label], one.server_cpu_s),
                load_cpu_s=one.load_cpu_s,
                postgres_cpu_s=one.postgres_cpu_s,
                upstream_cpu_s=one.upstream_cpu_s,
                wall_s=one.wall_s,
                died=_died(up[one.label].child, trees[one.label]),
                error_examples=one.examples,
            )
            for one in outcome.played
        ]
        return cells, BlockUsage(number, scenario, outcome.wall_s, outcome.idle_core_share)


def _died(child: Child, before: set[int]) -> str:
    """Which of a server's processes ended in the meantime; its CPU time is lost with it."""
    if child.exit_code() is not None:
        return f"the server ended with exit code {child.exit_code()}"
    gone = before - set(child.tree())
    return f"{len(gone)} of the server's {len(before)} processes ended" if gone else ""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
