"""Plan -> run: the loop that measures. It draws nothing and computes nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import BadInput, Interrupted, TwinbenchError
from harness.machine import environment, placement
from harness.measuring.blocks import Bench, Listener, Way
from harness.measuring.by_load import ByLoad
from harness.measuring.by_starts import ByStarts
from harness.measuring.by_test_client import ByTestClient
from harness.measuring.crew import crew
from harness.measuring.precision import Precision
from harness.models import (
    ROUNDS_FOR_A_VERDICT,
    Calibration,
    CellPlan,
    Measures,
    Placement,
    Plan,
    RunRecord,
)
from harness.planning import plan
from harness.processes import children as processes
from harness.serving import services
from harness.store import store


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
        with _rounds(todo, record.placement, folder, listener) as rounds:
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
                    rounds.measure(number, cells, had, precision)
    except (TwinbenchError, Interrupted) as error:
        note = f"ended early: {str(error).splitlines()[0]}"
        store.write_run(folder, dataclasses.replace(record, notes=(*record.notes, note)))
        raise
    store.write_run(folder, dataclasses.replace(record, ended=_now()))
    return store.read_run(folder)


@contextlib.contextmanager
def _rounds(todo: Plan, where: Placement, folder: Path, listener: Listener) -> Iterator[_Rounds]:
    """All that lives as long as a run: services, load processes, journal."""
    measured = {cell.scenario.measures for cell in todo.cells}
    with contextlib.ExitStack() as stack:
        stack.enter_context(processes.kept_to(sorted({*where.load, *where.services})))
        # A failure's message shows the end of a log, so that it need not stay.
        logs = stack.enter_context(processes.scratch_folder("logs"))
        journal = stack.enter_context(contextlib.closing(store.Journal(folder)))
        listener.preparing("starting PostgreSQL and the upstream")
        load = stack.enter_context(
            crew(
                size=todo.generators if Measures.REQUESTS in measured else 0,
                cores=where.load,
                logs=logs,
                folder=plan.PROJECT,
            )
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
        bench = Bench(todo, where, folder, logs, around, listener)
        ways: dict[Measures, Way] = {
            # First what has its cores to itself: servers that wait for their turns come after.
            Measures.STARTS: ByStarts(bench),
            Measures.TEST_CLIENT: ByTestClient(bench),
            Measures.REQUESTS: ByLoad(bench, load),
        }
        yield _Rounds(ways, journal, listener)


@dataclass(frozen=True, slots=True)
class _Rounds:
    """How a round is measured."""

    ways: Mapping[Measures, Way]  # in the order in which a round takes them
    journal: store.Journal
    listener: Listener

    def measure(
        self, number: int, cells: Sequence[CellPlan], had: Sequence[str], precision: Precision
    ) -> None:
        """Fresh processes; each scenario in the journal when it is done.

        Args:
            number: from 1.
            cells: what to measure, in drawn order.
            had: scenarios of this round that were measured before it was cut off.
            precision: is shown what was measured.
        """
        started, order = _now(), list(had)
        ready_s: dict[str, float] = {}
        self.listener.round_started(number)
        for measures, way in self.ways.items():
            here = [cell for cell in cells if cell.scenario.measures is measures]
            if not here:
                continue
            with way.round(number, here) as blocks:
                for cell in here:
                    self.listener.scenario_started(cell)
                    measured, usage = blocks.measure(cell)
                    self.journal.block(number, measured, usage)
                    precision.add(measured)
                    order.append(cell.scenario.name)
                ready_s |= blocks.ready_s
        self.journal.round(number, started, order, ready_s)
        self.listener.round_ended(number)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
