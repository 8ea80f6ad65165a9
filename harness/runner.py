"""Plan -> run: the loop that measures. It draws nothing and computes nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import secrets
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from harness import environment, parity, placement, plan, processes, services, store
from harness.errors import BadInput, Interrupted, TwinbenchError
from harness.load.block import Contender, Turn
from harness.load.crew import Crew, Order, crew
from harness.meter import Meter
from harness.models import (
    ROUNDS_FOR_A_VERDICT,
    BlockUsage,
    Calibration,
    CellPlan,
    CellRound,
    Placement,
    Plan,
    RunRecord,
    Slice,
    Usage,
)
from harness.precision import Precision
from harness.processes import Child
from harness.servers import Server, serving
from harness.services import Services

#: A request without an answer has failed; a stack that can't drain within this is overloaded.
TIMEOUT_S = 10.0
#: Roles beside the stacks; no stack's label begins with a space.
POSTGRES, UPSTREAM, HARNESS = " postgres", " upstream", " harness"


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


def run(
    todo: Plan,
    folder: Path,
    listener: Listener,
    *,
    calibration: Calibration | None = None,
    within_s: float = math.inf,
) -> RunRecord:
    """Measure a plan into a folder that `store.create_run` made.

    Whatever ends it early, what was measured until then is in the folder.

    Args:
        todo: what to measure.
        folder: where to keep it.
        listener: is told how far it is.
        calibration: what is known of this machine, for the verdicts.
        within_s: no round begins that would likely end later, but for those that a verdict needs.

    Raises:
        EnvironmentFailed: a server, a service or the load process did not do its part.
        Interrupted: by the user.
    """
    record = RunRecord(
        run_id=folder.name,
        schema=store.SCHEMA,
        plan=todo,
        environment=environment.describe(plan.PROJECT),
        placement=placement.place_here(todo.generators),
        command=environment.command_line(),
        started=_now(),
        ended=None,
        rounds=(),
        calibration=calibration,
    )
    with store.writing(folder):
        return _measure(record, folder, listener, within_s)


def resume(folder: Path, listener: Listener) -> RunRecord:
    """Go on with a run that was cut off; what is in its journal is not measured again.

    Raises:
        BadInput: it is complete, is being measured, or was measured on something else than this.
        EnvironmentFailed, Interrupted: as `run`.
    """
    with store.writing(folder):
        record = store.recover(folder)
        if record.ended:
            raise BadInput(f"{folder} is complete: 'twinbench report {folder}' draws it again")
        here = environment.describe(plan.PROJECT)
        changed = environment.differences(record.environment, here)
        if placement.place_here(record.plan.generators) != record.placement:
            changed.append("usable cores")
        if changed:
            raise BadInput(
                f"{folder} was measured on something else ({', '.join(changed)} differ): "
                "its rounds can't be compared with those of today; begin a new run"
            )
        notes = (*record.notes, f"resumed at {_now()}")
        return _measure(dataclasses.replace(record, notes=notes), folder, listener)


def _measure(
    record: RunRecord, folder: Path, listener: Listener, within_s: float = math.inf
) -> RunRecord:
    """All that the journal does not have yet."""
    begun = time.monotonic()
    todo = record.plan
    environment.check_limits(record.environment, todo)
    store.write_run(folder, record)
    precision = Precision(todo, lambda cell: store.read_samples(folder, cell))
    done = {one.number: one for one in record.rounds}
    for one in record.rounds:
        precision.add(one.cells)
    try:
        with _bench(todo, record.placement, folder, listener) as bench:
            for number in range(1, todo.rounds + 1):
                elapsed_s = time.monotonic() - begun
                if number > ROUNDS_FOR_A_VERDICT and elapsed_s * number / (number - 1) > within_s:
                    break
                if number in done and done[number].complete:
                    continue
                had = [block.scenario for block in done[number].blocks] if number in done else []
                cells = [
                    cell
                    for cell in plan.scenario_order(todo, number)
                    if cell.scenario.name not in had and not precision.reached(cell)
                ]
                if cells:
                    bench.measure_round(number, cells, had, precision)
    except (TwinbenchError, Interrupted) as error:
        note = f"ended early: {str(error).splitlines()[0]}"
        store.write_run(folder, dataclasses.replace(record, notes=(*record.notes, note)))
        raise
    store.write_run(folder, dataclasses.replace(record, ended=_now()))
    return store.read_run(folder)


@contextlib.contextmanager
def _bench(todo: Plan, where: Placement, folder: Path, listener: Listener) -> Iterator[_Bench]:
    """All that lives as long as a run: services, load processes, journal."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(processes.kept_to(sorted({*where.load, *where.services})))
        # A failure's message shows the end of a log, so that it need not stay.
        logs = stack.enter_context(processes.scratch_folder("logs"))
        journal = stack.enter_context(contextlib.closing(store.Journal(folder)))
        listener.preparing("starting PostgreSQL and the upstream")
        load = stack.enter_context(
            crew(size=todo.generators, cores=where.load, logs=logs, folder=plan.PROJECT)
        )
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
    load: Crew
    services: Services
    journal: store.Journal
    listener: Listener

    def measure_round(
        self, number: int, cells: Sequence[CellPlan], had: Sequence[str], precision: Precision
    ) -> None:
        """Fresh servers; each scenario in the journal when it is done.

        Args:
            number: from 1.
            cells: what to measure, in drawn order.
            had: scenarios of this round that were measured before it was cut off.
            precision: is shown what was measured.
        """
        started = _now()
        stacks = [one for one in self.plan.stacks if any(one.label in c.stacks for c in cells)]
        self.listener.preparing(f"round {number}: starting {len(stacks)} servers")
        where = self.placement
        with serving(
            stacks,
            workers=self.plan.workers,
            environment={**self.services.environment, **_settings(self.plan)},
            cores=where.servers,
            start_cores=sorted({*where.servers, *where.load, *where.services}),
            logs=self.logs,
            folder=plan.PROJECT,
            check=self.services.check,
        ) as up:
            self.listener.round_started(number)
            for cell in cells:
                self.listener.scenario_started(cell)
                measured, usage = self._measure_block(cell, number, up)
                self.journal.block(number, measured, usage)
                precision.add(measured)
            ready_s = {label: round(server.ready_s, 3) for label, server in up.items()}
        order = [*had, *(cell.scenario.name for cell in cells)]
        self.journal.round(number, started, order, ready_s)
        self.listener.round_ended(number)

    def _measure_block(
        self, cell: CellPlan, number: int, up: Mapping[str, Server]
    ) -> tuple[list[CellRound], BlockUsage]:
        """One scenario of one round: parity, warm-up, turns, parity; who used what."""
        scenario = cell.scenario.name
        files = {
            label: f"samples/{scenario}.{label}.{cell.load.label}.r{number:02}.parquet"
            for label in cell.stacks
        }
        before = self._spot_check(cell, number, "before", up)
        self.load.seat(
            Order(
                scenario_file=str(plan.PROJECT / cell.scenario.file),
                contenders=tuple(
                    Contender(label, up[label].url, str((self.folder / files[label]).resolve()))
                    for label in cell.stacks
                ),
                load=cell.load,
                timeout_s=TIMEOUT_S,
                seed=f"{self.plan.seed} requests {number} {scenario}",
            )
        )
        for label in cell.stacks:
            self.load.play(Turn(label, cycle=-1, seconds=cell.warmup_s, settle_s=0.0))
        self.load.measure()
        # Pools, workers and backends have grown in the warm-up: only now are the trees complete.
        trees = {label: server.child.tree() for label, server in up.items()}
        meter = Meter(trees | self._roles())
        turns = self._take_turns(cell, number, meter)
        used = meter.usage()
        played = self.load.finish()
        self.services.check()
        after = self._spot_check(cell, number, "after", up)
        cells = []
        for one in played:
            cpu_s = turns.cpu_s[one.label]
            cells.append(
                CellRound(
                    round=number,
                    scenario=scenario,
                    stack=one.label,
                    load=cell.load.label,
                    samples_file=files[one.label],
                    requests=one.requests,
                    errors=one.errors,
                    slices=one.slices,
                    server=dataclasses.replace(used[one.label], cpu_s=cpu_s[one.label]),
                    load_cpu_s=tuple(cpu_s[role] for role in self._load_roles()),
                    postgres_cpu_s=cpu_s.get(POSTGRES),
                    upstream_cpu_s=cpu_s.get(UPSTREAM),
                    wall_s=sum(piece.end_ns - piece.begin_ns for piece in one.slices) / 1e9,
                    starved=one.starved,
                    died=_died(up[one.label].child, set(trees[one.label])),
                    parity=before[one.label] + after[one.label],
                    error_examples=one.examples,
                )
            )
        usage = BlockUsage(
            round=number,
            scenario=scenario,
            wall_s=turns.wall_s,
            idle_core_share=turns.idle_core_share(used, trees),
            roles={role.strip(): used[role] for role in self._roles()},
        )
        return cells, usage

    def _spot_check(
        self, cell: CellPlan, number: int, when: str, up: Mapping[str, Server]
    ) -> dict[str, tuple[str, ...]]:
        """Whether the stacks still answer as the contract says: label -> what differs."""
        seed = f"{self.plan.seed} parity {number} {cell.scenario.name} {when}"
        urls = {label: up[label].url for label in cell.stacks}
        breaks = {name for label in cell.stacks for name in up[label].stack.breaks}
        found = parity.spot_check(urls, cell.scenario.endpoints, secrets.token_hex(6), seed, breaks)
        return {label: tuple(f"{when}: {one}" for one in found[label]) for label in found}

    def _roles(self) -> dict[str, list[int]]:
        """Everybody but the stacks that can be metered, by name of role."""
        services = {POSTGRES: self.services.postgres, UPSTREAM: self.services.upstream}
        return {
            **{role: child.tree() for role, child in services.items() if child is not None},
            **dict(zip(self._load_roles(), self.load.trees, strict=True)),
            HARNESS: [os.getpid()],
        }

    def _load_roles(self) -> list[str]:
        return [f" load {number + 1}" for number in range(self.plan.generators)]

    def _take_turns(self, cell: CellPlan, number: int, meter: Meter) -> _Turns:
        """All slices of a block, everybody's CPU clock read around each."""
        result = _Turns(list(cell.stacks))
        begun = time.perf_counter()
        for cycle, order in enumerate(plan.turns(self.plan, cell, number)):
            for label in order:
                before = meter.cpu_seconds()
                piece, requests = self.load.play(Turn(label, cycle, cell.slice_s, cell.settle_s))
                result.add(label, piece, before, meter.cpu_seconds())
                seconds = (piece.end_ns - piece.begin_ns) / 1e9
                self.listener.slice_done(label, requests / seconds, cell.slice_s)
        result.wall_s = time.perf_counter() - begun
        return result


def _settings(todo: Plan) -> dict[str, str]:
    """TWIN_* variables that all stacks have alike, in every round of a run."""
    asked = {endpoint for cell in todo.cells for endpoint in cell.scenario.endpoints}
    return {
        # A stack that keeps its upstream waiting is slow, and is to be measured as slow:
        # with the twins' usual 2 s, a slow machine would turn its tail into errors.
        "TWIN_UPSTREAM_TIMEOUT_S": str(TIMEOUT_S),
        # Whoever is not asked for a prediction is spared seconds of importing, and 170 MiB.
        "TWIN_CLASSIFIER": "on" if "POST /predict" in asked else "off",
    }


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


def _died(child: Child, before: set[int]) -> str:
    """Which of a server's processes ended in the meantime; its CPU time is lost with it."""
    if child.exit_code() is not None:
        return f"the server ended with exit code {child.exit_code()}"
    gone = before - set(child.tree())
    return f"{len(gone)} of the server's {len(before)} processes ended" if gone else ""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
