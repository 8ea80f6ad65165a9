"""A pacing decides what the next round measures, and a kill loses none of its decisions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness import store
from harness.errors import BadInput, EnvironmentFailed, Interrupted
from harness.machine import environment
from harness.measuring import pacing, runner
from harness.measuring.pacing import EveryRound, UntilPrecise, WhereWidest, Widths, WithinTime
from harness.models import (
    BlockKey,
    BlockPlan,
    BlockUsage,
    CellRound,
    Decision,
    Load,
    Measures,
    Plan,
    Round,
    RunRecord,
    Usage,
)
from harness.planning.files import PROJECT
from tests.runs import FakeRun, hello_plan

A, B = "flask-gthread", "fastapi-uvicorn"


def unmeasured(plan: Plan) -> RunRecord:
    """The record of a run that has not measured anything yet."""
    return replace(FakeRun(plan, {A: []}).record, rounds=(), decisions=())


def after(record: RunRecord, decision: Decision, took_s: float = 0.0) -> RunRecord:
    """The record after the decided round was measured."""
    measured = FakeRun(record.plan, {A: [1000.0] * decision.round, B: [2000.0] * decision.round})
    finished = replace(measured.record.rounds[-1], took_s=took_s)
    return replace(
        record,
        rounds=(*record.rounds, finished),
        decisions=(*record.decisions, decision),
    )


def test_every_block_is_measured_in_every_planned_round() -> None:
    record = unmeasured(hello_plan(rounds=3, users=(4, 64)))
    rounds = []
    while decision := EveryRound().next(record):
        assert set(decision.blocks) == {block.key for block in record.plan.blocks}
        rounds.append(decision.round)
        record = after(record, decision)
    assert rounds == [1, 2, 3]


def test_a_block_is_measured_no_further_once_it_is_precise() -> None:
    plan = hello_plan(rounds=9, users=(4, 64), precision=0.05)
    run = FakeRun(plan, {A: [1000.0] * 6, B: [2000.0] * 6})
    noisy = FakeRun(hello_plan(users=(64,)), {A: [900.0] * 6, B: [1000.0, 3000.0] * 3})
    noisy_cells = {(cell.key, cell.round): cell for r in noisy.record.rounds for cell in r.cells}
    run.samples |= noisy.samples
    rounds = tuple(
        replace(r, cells=tuple(noisy_cells.get((c.key, c.round), c) for c in r.cells))
        for r in run.record.rounds
    )
    decision = UntilPrecise(Widths(0.05, run.read)).next(replace(run.record, rounds=rounds))
    assert decision is not None
    assert decision.blocks == (BlockKey("hello", "closed-64"),)
    assert decision.reason == "1 of 2 blocks are wider than ±5.0%"


def test_no_round_begins_that_would_end_too_late_except_the_five_that_a_verdict_needs() -> None:
    bounded = WithinTime(EveryRound(), within_s=60)
    record = unmeasured(hello_plan(rounds=50))
    while decision := bounded.next(record):
        record = after(record, decision, took_s=9)
    assert len(record.rounds) == 6  # the seventh would have ended after 63 s
    record = unmeasured(hello_plan(rounds=50))
    while decision := bounded.next(record):
        record = after(record, decision, took_s=100)
    assert len(record.rounds) == 5


# ------------------------------------------------------------ rounds where they are wanted


@dataclass
class Shared:
    """A made-up run under a budget; ratios of a block spread as `spread` says, by its load."""

    spread: dict[str, float]
    took_s: dict[str, float]
    own_s: float = 4.0  # of a round, beside its blocks
    within_s: float = 200.0
    dead: str = ""  # the load under which the baseline serves nothing

    def __post_init__(self) -> None:
        users = tuple(int(load.removeprefix("closed-")) for load in self.spread)
        self.plan = replace(hello_plan(rounds=5, users=users), precision=0.03, budget_s=200.0)
        self.record = unmeasured(self.plan)
        self.pacing = WhereWidest(Widths(0.03, self.read), self.within_s)

    def read(self, cell: CellRound) -> Any:
        return self.samples[cell.samples_file]

    samples: dict[str, Any] = field(default_factory=dict)

    def measure(self, decision: Decision) -> None:
        cells, usages = [], []
        for key in decision.blocks:
            sign = 1 if decision.round % 2 else -1
            base = 0.001 if key.load == self.dead else 1000.0
            rates = {A: [base], B: [1500.0 * (1 + sign * self.spread[key.load])]}
            (load,) = [block.load for block in self.plan.blocks if block.key == key]
            made = FakeRun(hello_plan(users=(load.users,)), rates)
            for cell in made.record.rounds[0].cells:
                file = f"{decision.round} {cell.samples_file}"
                self.samples[file] = made.samples[cell.samples_file]
                if key.load == self.dead and cell.stack == A:
                    failed = np.full(len(self.samples[file].failure), 4, dtype=np.int8)
                    self.samples[file] = replace(self.samples[file], failure=failed)
                cells.append(replace(cell, round=decision.round, samples_file=file))
            usage = BlockUsage(decision.round, key.scenario, key.load, 1.0, {})
            usages.append(replace(usage, took_s=self.took_s[key.load]))
        took_s = self.own_s + sum(usage.took_s for usage in usages)
        finished = Round(
            decision.round, decision.blocks, "", {}, tuple(cells), tuple(usages), took_s
        )
        self.record = replace(
            self.record,
            rounds=(*self.record.rounds, finished),
            decisions=(*self.record.decisions, decision),
        )

    def play(self, most: int = 1000) -> dict[str, int]:
        """Load -> in how many rounds it was measured."""
        while len(self.record.rounds) < most and (decision := self.pacing.next(self.record)):
            self.measure(decision)
        counts = [key.load for finished in self.record.rounds for key in finished.order]
        return {load: counts.count(load) for load in self.spread}

    @property
    def used_s(self) -> float:
        return sum(finished.took_s for finished in self.record.rounds)


def test_after_five_rounds_of_every_block_time_goes_where_intervals_are_wide() -> None:
    run = Shared({"closed-4": 0.005, "closed-8": 0.06, "closed-16": 0.12}, {
        "closed-4": 4.0, "closed-8": 4.0, "closed-16": 4.0,
    })  # fmt: skip
    counts = run.play()
    assert all(
        set(made.blocks) == {block.key for block in run.plan.blocks}
        for made in run.record.decisions[:5]
    )
    assert counts["closed-4"] == 5  # it was narrow enough by then
    assert counts["closed-16"] > counts["closed-8"] > 5
    assert 185 < run.used_s <= 200


def test_a_block_that_is_as_wide_but_costs_more_is_measured_less_often() -> None:
    run = Shared({"closed-4": 0.1, "closed-8": 0.1}, {"closed-4": 2.0, "closed-8": 16.0})
    counts = run.play()
    assert counts["closed-4"] > counts["closed-8"] >= 5


def test_where_starting_servers_takes_long_a_round_has_more_blocks() -> None:
    spread, took_s = {"closed-4": 0.05, "closed-8": 0.07}, {"closed-4": 3.0, "closed-8": 3.0}
    quick, slow = Shared(spread, took_s, own_s=0.5), Shared(spread, took_s, own_s=20.0)
    for run in (quick, slow):
        run.play(most=6)
    assert len(quick.record.decisions[5].blocks) == 1
    assert len(slow.record.decisions[5].blocks) == 2


def test_a_run_ends_before_its_time_once_every_block_is_precise() -> None:
    run = Shared({"closed-4": 0.002, "closed-8": 0.002}, {"closed-4": 3.0, "closed-8": 3.0})
    assert run.play() == {"closed-4": 5, "closed-8": 5}
    assert run.used_s == 50


def test_the_rounds_of_a_verdict_are_measured_however_short_the_time_is() -> None:
    run = Shared({"closed-4": 0.1}, {"closed-4": 90.0})
    assert run.play() == {"closed-4": 5}


def test_no_time_is_spent_on_a_block_that_can_have_no_interval() -> None:
    run = Shared(
        {"closed-4": 0.0, "closed-8": 0.06},
        {"closed-4": 4.0, "closed-8": 4.0},
        dead="closed-4",
    )
    counts = run.play()
    assert counts["closed-4"] == 5
    assert counts["closed-8"] > 5


def test_a_run_that_is_resumed_decides_as_if_it_had_not_been_cut_off() -> None:
    run = Shared({"closed-4": 0.05, "closed-8": 0.09}, {"closed-4": 4.0, "closed-8": 6.0})
    run.play()
    for number in range(5, len(run.record.rounds)):
        before = replace(
            run.record,
            rounds=run.record.rounds[:number],
            decisions=run.record.decisions[:number],
        )
        anew = WhereWidest(Widths(0.03, run.read), run.within_s)
        assert anew.next(before) == run.record.decisions[number]


def test_the_widths_decide_and_not_who_leads() -> None:
    run = Shared({"closed-4": 0.05, "closed-8": 0.09}, {"closed-4": 4.0, "closed-8": 6.0})
    run.play(most=6)
    swapped = {}
    for file in run.samples:
        other = file.replace(A, "?").replace(B, A).replace("?", B)
        swapped[other] = run.samples[file]
    turned = WhereWidest(Widths(0.03, lambda cell: swapped[cell.samples_file]), run.within_s)
    ahead, behind = run.pacing.next(run.record), turned.next(run.record)
    assert ahead is not None
    assert behind is not None
    assert ahead.blocks == behind.blocks


# -------------------------------------------------------- a search that is killed


@dataclass
class Bisection:
    """Searches the number of users with which the baseline serves 1,000 requests/s."""

    read: pacing.ReadSamples
    low: int = 1
    high: int = 33
    name: str = "bisection"

    def next(self, record: RunRecord) -> Decision | None:
        low, high = self.low, self.high
        for finished in record.rounds:
            for cell in finished.cells:
                if cell.stack == A:
                    users = int(cell.load.removeprefix("closed-"))
                    # Every made-up slice takes one second.
                    low, high = (low, users) if cell.requests >= 1000 else (users, high)
        if high - low <= 1:
            return None
        first = record.plan.blocks[0]
        block = replace(first, load=Load((low + high) // 2))
        planned = {known.key for known in record.blocks}
        number = len(record.decisions) + 1
        added = () if block.key in planned else (block,)
        return Decision(number, (block.key,), f"between {low} and {high} users", added)


@dataclass
class MadeUp:
    """Takes the place of servers: a stack serves 55 requests/s per user."""

    folder: Path
    killed_in: int = 0  # the round; 0: never
    measured: list[str] = field(default_factory=list)

    @contextmanager
    def round(self, number: int, blocks: Sequence[BlockPlan]) -> Iterator[Any]:
        if number == self.killed_in:
            raise Interrupted("interrupted (SIGKILL)")
        yield SimpleNamespace(measure=lambda block: self._measure(number, block), ready_s={})

    def _measure(self, number: int, block: BlockPlan) -> tuple[list[CellRound], BlockUsage]:
        self.measured.append(block.load.label)
        cells = [self._cell(number, block, label) for label in block.stacks]
        return cells, BlockUsage(number, block.scenario.name, block.load.label, 1.0, {})

    def _cell(self, number: int, block: BlockPlan, label: str) -> CellRound:
        count = 55 * block.load.users
        file = f"samples/{label}.{block.load.label}.{number}.parquet"
        nothing = np.zeros(count, dtype=np.int64)
        types = {"slice": np.int32, "status": np.int16, "size": np.int32, "failure": np.int8}
        columns = {name: nothing.astype(types.get(name, np.int64)) for name in store.SAMPLE_COLUMNS}
        store.write_samples(self.folder / file, columns)
        return CellRound(
            round=number,
            scenario=block.scenario.name,
            stack=label,
            load=block.load.label,
            samples_file=file,
            requests=count,
            errors=0,
            slices=(),
            server=Usage(0.1, 1, 1, 1),
            load_cpu_s=(0.1,),
            services_cpu_s={},
            wall_s=1.0,
        )


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that makes the runner measure made-up servers."""

    def replaced(made_up: MadeUp) -> None:
        @contextmanager
        def rounds(plan: Plan, where: Any, folder: Path, listener: Any) -> Iterator[Any]:
            with closing(store.Journal(folder)) as journal:
                yield runner.Rounds({Measures.REQUESTS: made_up}, journal, listener)

        monkeypatch.setattr(runner, "ready_to_measure", rounds)

    monkeypatch.setattr(environment, "check_limits", lambda *_: None)
    described = this_machine()
    monkeypatch.setattr(environment, "describe", lambda _project: described)
    return replaced


@cache
def this_machine() -> dict[str, object]:
    """Its description, which takes longer than all that is made up."""
    return environment.describe(PROJECT)


LISTENER: Any = SimpleNamespace(
    round_started=lambda number: None,
    block_started=lambda block: None,
    round_ended=lambda number: None,
    preparing=lambda what: None,
)


def new_folder(tmp_path: Path) -> Path:
    return store.create_run(tmp_path, "search", datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("killed_in", [1, 3, 5])
def test_a_search_that_was_killed_and_resumed_has_the_result_of_a_search_that_was_not(
    tmp_path: Path, measuring: Any, killed_in: int
) -> None:
    whole = new_folder(tmp_path)
    measuring(MadeUp(whole))
    search = Bisection(lambda cell: store.read_samples(whole, cell))
    expected = runner.run(hello_plan(users=(4,)), whole, LISTENER, pacing=search)
    loads = [key.load for made in expected.decisions for key in made.blocks]
    assert loads[-1] in {"closed-18", "closed-19"}
    assert len(loads) == 5

    folder = new_folder(tmp_path)
    measuring(MadeUp(folder, killed_in=killed_in))
    search = Bisection(lambda cell: store.read_samples(folder, cell))
    with pytest.raises(Interrupted):
        runner.run(hello_plan(users=(4,)), folder, LISTENER, pacing=search)
    cut_off = store.read_run(folder)
    assert [made.round for made in runner.unfinished(cut_off)] == [killed_in]
    resumed = MadeUp(folder)
    measuring(resumed)
    record = runner.resume(folder, LISTENER, pacing=search)
    assert record.decisions == expected.decisions
    assert resumed.measured == loads[killed_in - 1 :]
    assert [r.order for r in record.rounds] == [r.order for r in expected.rounds]
    assert {block.load.label for block in record.blocks} == {"closed-4", *loads}


def test_only_the_round_whose_samples_were_torn_is_measured_again(
    tmp_path: Path, measuring: Any
) -> None:
    folder = new_folder(tmp_path)
    measuring(MadeUp(folder, killed_in=4))
    search = Bisection(lambda cell: store.read_samples(folder, cell))
    with pytest.raises(Interrupted):
        runner.run(hello_plan(users=(4,)), folder, LISTENER, pacing=search)
    torn = store.read_run(folder).rounds[1].cells[0]
    path = folder / torn.samples_file
    path.write_bytes(path.read_bytes()[:-9])
    resumed = MadeUp(folder)
    measuring(resumed)
    record = runner.resume(folder, LISTENER, pacing=search)
    assert resumed.measured[0] == torn.load
    assert len(resumed.measured) == 3
    assert [finished.complete for finished in record.rounds] == [True] * 5
    assert any("set aside" in note for note in record.notes)


@pytest.mark.parametrize("damage", ["missing", "torn"])
def test_a_complete_run_that_is_not_resumed_stays_as_it_is(
    tmp_path: Path, measuring: Any, damage: str
) -> None:
    folder = new_folder(tmp_path)
    measuring(MadeUp(folder))
    record = runner.run(hello_plan(rounds=2, users=(4,)), folder, LISTENER)
    path = folder / record.rounds[0].cells[0].samples_file
    path.write_bytes(path.read_bytes()[:-9])
    if damage == "missing":
        path.unlink()
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    with pytest.raises(BadInput, match="is complete"):
        runner.resume(folder, LISTENER)
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_lines_that_are_taken_out_of_the_journal_are_kept_aside(
    tmp_path: Path, measuring: Any
) -> None:
    folder = new_folder(tmp_path)
    measuring(MadeUp(folder, killed_in=2))
    with pytest.raises(Interrupted):
        runner.run(hello_plan(rounds=2, users=(4,)), folder, LISTENER)
    torn = store.read_run(folder).rounds[0].cells[0]
    (folder / torn.samples_file).unlink()
    measuring(MadeUp(folder))
    assert runner.resume(folder, LISTENER).ended
    dropped = (folder / "set-aside" / "journal.dropped").read_text().splitlines()
    assert [line.split(",")[0] for line in dropped] == ['{"type": "block"', '{"type": "round"']


def test_a_block_that_a_decision_adds_is_refused_where_it_takes_too_many_files(
    tmp_path: Path, measuring: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_folder(tmp_path)
    measuring(MadeUp(folder))
    monkeypatch.setattr("harness.processes.launch.files_allowed", lambda soft, hard: 256)
    search = Bisection(lambda cell: store.read_samples(folder, cell), low=1, high=2000)
    with pytest.raises(EnvironmentFailed, match="open files in one process"):
        runner.run(hello_plan(users=(4,)), folder, LISTENER, pacing=search)
    assert store.read_run(folder).decisions == ()


def test_a_run_is_not_resumed_by_another_pacing_than_the_one_that_decided_it(
    tmp_path: Path, measuring: Any
) -> None:
    folder = new_folder(tmp_path)
    measuring(MadeUp(folder, killed_in=2))
    search = Bisection(lambda cell: store.read_samples(folder, cell))
    with pytest.raises(Interrupted):
        runner.run(hello_plan(users=(4,)), folder, LISTENER, pacing=search)
    assert store.read_run(folder).plan.pacing == "bisection"
    with pytest.raises(BadInput, match=r"decided by another pacing \(bisection\)"):
        runner.resume(folder, LISTENER)
    measuring(MadeUp(folder))
    assert runner.resume(folder, LISTENER, pacing=search).ended


def test_the_journal_has_the_time_that_blocks_and_rounds_took(
    tmp_path: Path, measuring: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = iter(range(0, 1000, 10))
    monkeypatch.setattr(runner.time, "monotonic", lambda: float(next(now_s)))
    folder = new_folder(tmp_path)
    measuring(MadeUp(folder))
    record = runner.run(hello_plan(rounds=1, users=(4,)), folder, LISTENER)
    (finished,) = store.read_run(folder).rounds
    assert [usage.took_s for usage in finished.blocks] == [10.0]
    assert finished.took_s == 30.0
    assert pacing.used_seconds(record) == 30.0


def test_a_resumed_round_also_took_what_was_measured_of_it_before(
    tmp_path: Path, measuring: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_folder(tmp_path)
    measuring(MadeUp(folder))
    plan = hello_plan(rounds=1, users=(4, 8))
    runner.run(plan, folder, LISTENER)
    journal = folder / "journal.jsonl"
    kept = journal.read_text().splitlines()[:2]  # the decision and the first block
    kept[1] = re.sub(r'"took_s": [0-9.]+', '"took_s": 70.0', kept[1])
    journal.write_text("\n".join(kept) + "\n")
    record = store.read_run(folder)
    store.write_run(folder, replace(record, ended=None))
    measuring(MadeUp(folder))
    resumed = runner.resume(folder, LISTENER)
    assert 70.0 < pacing.used_seconds(resumed) < 90.0
