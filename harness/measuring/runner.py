"""Plan -> run: the loop that measures. It decides nothing, computes nothing and draws nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from harness import store
from harness.errors import BadInput, Interrupted, TwinbenchError
from harness.machine import environment, open_files, placement
from harness.measuring.blocks import Bench, Listener, Way
from harness.measuring.by_load import ByLoad
from harness.measuring.by_starts import ByStarts
from harness.measuring.by_test_client import ByTestClient
from harness.measuring.crew import crew
from harness.measuring.pacing import AS_PLANNED, Pacing, pacing_of
from harness.models import (
    BlockKey,
    BlockPlan,
    Calibration,
    Decision,
    Measures,
    Placement,
    Plan,
    RunRecord,
)
from harness.planning.files import PROJECT
from harness.processes import children
from harness.serving import services, upstream
from harness.serving.own import Secrets, for_locustfiles
from harness.serving.services import Services


def run(
    plan: Plan,
    folder: Path,
    listener: Listener,
    *,
    calibration: Calibration | None = None,
    pacing: Pacing | None = None,
    command: tuple[str, ...] | None = None,
) -> RunRecord:
    """Measure a plan into a folder that `store.create_run` made.

    Whatever ends it early, what was measured until then is in the folder.

    Args:
        plan: What to measure.
        folder: Where to keep it.
        listener: Is told how far the run is.
        calibration: What is known of this machine, for the verdicts.
        pacing: Decides round by round what to measure; None: as the plan asks for.
        command: What a reader of the report repeats; None: the command line of this process.

    Raises:
        EnvironmentFailed: A server, a service or the load process did not do its part.
        Interrupted: By the user.
    """
    record = RunRecord(
        run_id=folder.name,
        schema=store.schema_of(plan),
        plan=dataclasses.replace(plan, pacing=pacing.name) if pacing else plan,
        environment=environment.describe(PROJECT),
        placement=placement.place_here(plan.generators),
        command=environment.command_line() if command is None else command,
        started=_now(),
        ended=None,
        rounds=(),
        calibration=calibration,
    )
    with store.writing(folder):
        return _measure(record, folder, listener, pacing)


def resume(folder: Path, listener: Listener, *, pacing: Pacing | None = None) -> RunRecord:
    """Go on with a run that was cut off; what is in its journal is not measured again.

    Raises:
        BadInput: The run is complete, is being measured, or was measured on something else than
            this machine and this software.
        EnvironmentFailed, Interrupted: As `run`.
    """
    with store.writing(folder):
        record = store.read_run(folder)  # nothing is changed before it is clear that it goes on
        if record.ended:
            raise BadInput(f"{folder} is complete: 'twinbench report {folder}' draws it again")
        if record.schema < store.schema_of(record.plan):
            raise BadInput(
                f"{folder} was begun by an older version (schema {record.schema}): it can be "
                "reported but not resumed; begin a new run"
            )
        if record.plan.pacing != (pacing.name if pacing else AS_PLANNED):
            raise BadInput(
                f"the rounds of {folder} were decided by another pacing ({record.plan.pacing}): "
                "it can be reported but not resumed; begin a new run"
            )
        refuse_elsewhere(record, folder)
        record = store.recover(folder)
        notes = (*record.notes, f"resumed at {_now()}")
        return _measure(dataclasses.replace(record, notes=notes), folder, listener, pacing)


def refuse_elsewhere(record: RunRecord, folder: Path) -> None:
    """Refuse to go on with a run on another machine, or with other software.

    Raises:
        BadInput: What decides its figures is not as it was.
    """
    changed = environment.differences(record.environment, environment.describe(PROJECT))
    if placement.place_here(record.plan.generators) != record.placement:
        changed.append("usable cores")
    if changed:
        raise BadInput(
            f"{folder} was measured on something else ({', '.join(changed)} differ): "
            "its rounds can't be compared with those of today; begin a new run"
        )


def _measure(
    record: RunRecord, folder: Path, listener: Listener, pacing: Pacing | None
) -> RunRecord:
    """Everything that the journal does not have yet."""
    environment.check_limits(record.environment, record.plan)
    planned = dataclasses.replace(record.plan, blocks=record.blocks)  # by later decisions too
    open_files.check(planned)
    upstream.check_changeable(planned, os.environ)
    store.write_run(folder, record)
    pacing = pacing or pacing_of(record.plan, lambda cell: store.read_samples(folder, cell))
    try:
        with ready_to_measure(planned, record.placement, folder, listener) as rounds:
            for interrupted in unfinished(record):
                rounds.measure(interrupted, record)
                record = _as_it_stands(record, folder)
            while decision := pacing.next(record):
                open_files.check(dataclasses.replace(record.plan, blocks=decision.added))
                rounds.journal.decision(decision)
                record = _as_it_stands(record, folder)
                rounds.measure(decision, record)
                record = _as_it_stands(record, folder)
    except (TwinbenchError, Interrupted) as error:
        said = Secrets.of_run(record.plan).hidden(str(error).splitlines()[0])
        note = f"ended early: {said}"
        store.write_run(folder, dataclasses.replace(record, notes=(*record.notes, note)))
        raise
    store.write_run(folder, dataclasses.replace(record, ended=_now()))
    return store.read_run(folder)


def unfinished(record: RunRecord) -> list[Decision]:
    """The decisions whose rounds were not measured to their end."""
    complete = {finished.number for finished in record.rounds if finished.complete}
    return [made for made in record.decisions if made.round not in complete]


def _as_it_stands(record: RunRecord, folder: Path) -> RunRecord:
    """The record with what the journal has by now."""
    read = store.read_run(folder)
    return dataclasses.replace(record, rounds=read.rounds, decisions=read.decisions)


@contextlib.contextmanager
def ready_to_measure(
    plan: Plan, where: Placement, folder: Path, listener: Listener
) -> Iterator[Rounds]:
    """All that lives as long as a run: services, load processes, journal."""
    measured = {block.scenario.measures for block in plan.blocks}
    with contextlib.ExitStack() as stack:
        stack.enter_context(children.kept_to(sorted({*where.load, *where.services})))
        # A failure's message shows the end of a log, so that the log itself need not stay.
        logs = stack.enter_context(children.scratch_folder("logs"))
        journal = stack.enter_context(contextlib.closing(store.Journal(folder)))
        needs = {need for block in plan.blocks for need in block.scenario.needs}
        listener.preparing(services.starting(needs))
        load = stack.enter_context(
            crew(
                size=plan.generators if Measures.REQUESTS in measured else 0,
                cores=where.load,
                logs=logs,
                folder=PROJECT,
                environment=for_locustfiles(plan),
            )
        )
        around = stack.enter_context(
            services.running(
                needs=needs,
                upstream_latency=plan.upstream_latency,
                seed=plan.seed,
                cores=where.services,
                logs=logs,
                folder=PROJECT,
            )
        )
        bench = Bench(plan, where, folder, logs, around, listener)
        ways: dict[Measures, Way] = {
            # First what has its cores to itself: servers that wait for their turns come after.
            Measures.STARTS: ByStarts(bench),
            Measures.TEST_CLIENT: ByTestClient(bench),
            Measures.REQUESTS: ByLoad(bench, load),
        }
        yield Rounds(ways, journal, listener, partial(_set_upstream, plan, around))


@dataclass(frozen=True, slots=True)
class Rounds:
    """How a round is measured."""

    ways: Mapping[Measures, Way]  # in the order in which a round takes them
    journal: store.Journal
    listener: Listener
    prepare: Callable[[BlockPlan], None] = lambda _block: None  # called before each block

    def measure(self, decision: Decision, record: RunRecord) -> None:
        """What was decided and is not in the journal yet: fresh processes, then block by block."""
        planned = {block.key: block for block in record.blocks}
        done = _measured(record, decision.round)
        todo = [planned[key] for key in decision.blocks if key not in done]
        started, begun_s, order = _now(), time.monotonic(), list(done)
        ready_s: dict[str, float] = {}
        self.listener.round_started(decision.round)
        for measures, way in self.ways.items():
            blocks = [block for block in todo if block.scenario.measures is measures]
            if blocks:
                ready_s |= self._measure(way, decision.round, blocks)
                order += [block.key for block in blocks]
        # A round that was cut off and resumed took what is known of both its parts.
        took_s = sum(done.values()) + time.monotonic() - begun_s
        self.journal.round(decision.round, started, order, ready_s, took_s)
        self.listener.round_ended(decision.round)

    def _measure(self, way: Way, number: int, blocks: Sequence[BlockPlan]) -> Mapping[str, float]:
        """Some blocks of a round; stack -> seconds until it was ready."""
        with way.round(number, blocks) as measuring:
            for block in blocks:
                self.listener.block_started(block)
                begun_s = time.monotonic()
                self.prepare(block)
                cells, usage = measuring.measure(block)
                took_s = round(time.monotonic() - begun_s, 3)
                self.journal.block(number, cells, dataclasses.replace(usage, took_s=took_s))
            return measuring.ready_s


def _set_upstream(plan: Plan, around: Services, block: BlockPlan) -> None:
    """Have the upstream take as long as the block's load says: the block before may differ."""
    if "upstream" in block.scenario.needs:
        around.have_latency(plan.upstream_latency_of(block.load))


def _measured(record: RunRecord, number: int) -> dict[BlockKey, float]:
    """The blocks of a round that are in the journal, as measured, and the seconds that each took."""
    return {
        usage.key: usage.took_s
        for finished in record.rounds
        if finished.number == number
        for usage in finished.blocks
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
