"""A round of searches, played by simulated servers: no process is started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import store
from harness.analysis import capacity
from harness.channel.messages import Played, Turn
from harness.measuring.blocks import Bench, StacksAndRoles
from harness.measuring.by_capacity import Searching
from harness.measuring.players import Finished, PlayedCell, PlayedSlice
from harness.models import (
    BlockPlan,
    BlockUsage,
    CellKey,
    CellRound,
    Decision,
    Load,
    Purpose,
    Round,
    RunRecord,
    Slice,
    Usage,
)
from harness.planning.capacity import SEARCHES
from harness.planning.slo import parse_slo
from harness.processes.foreign import CoreSeconds
from harness.serving.services import Services
from tests.queue_simulation import Server
from tests.runs import A_STACK, hello_plan
from tests.test_blocks import BASELINE, bench_in

SERVICE_S = {BASELINE: 0.001, A_STACK: 0.0005}
SLO = parse_slo("p99<50ms")


@dataclass
class Simulated:
    """Players whose stacks are simulated queues, and their meter."""

    servers: dict[str, Server]
    turns: list[Turn] = field(default_factory=list)
    played: dict[CellKey, list[tuple[Slice, dict[str, np.ndarray]]]] = field(default_factory=dict)

    def play(self, turn: Turn) -> PlayedSlice:
        assert turn.rate_rps is not None
        self.turns.append(turn)
        server = self.servers[turn.cell.stack]
        due_s, latency_s = server.latency_s(turn.rate_rps, turn.seconds, server.service_s)
        due_ns = (due_s * 1e9).astype(np.int64)
        count = len(due_ns)
        ended_ns = int((due_s + latency_s).max(initial=turn.seconds) * 1e9)
        piece = Slice(turn.cycle, 0, int(turn.settle_s * 1e9), int(turn.seconds * 1e9), ended_ns)
        pieces = self.played.setdefault(turn.cell, [])
        columns = {
            "slice": np.full(count, len(pieces), dtype=np.int32),
            "intended_ns": due_ns,
            "start_ns": due_ns,
            "latency_ns": (latency_s * 1e9).astype(np.int64),
            "status": np.full(count, 200, dtype=np.int16),
            "size": np.zeros(count, dtype=np.int32),
            "failure": np.zeros(count, dtype=np.int8),
            "starved": np.zeros(count, dtype=np.int8),
            "endpoint": np.zeros(count, dtype=np.int8),
        }
        pieces.append((piece, columns))
        return PlayedSlice(piece, count, (0.01,), columns if turn.tells_samples else None)

    def measure(self) -> None:
        self.played.clear()

    def finish(self) -> Finished:
        return Finished((Usage(0.0, 1, 1, 1),), [self._cell(cell) for cell in self.played])

    def _cell(self, cell: CellKey) -> PlayedCell:
        pieces = self.played[cell]
        columns = {
            name: np.concatenate([of_slice[name] for _, of_slice in pieces])
            for name in pieces[0][1]
        }
        slices = tuple(piece for piece, _ in pieces)
        return PlayedCell(Played(cell, len(columns["slice"]), 0, 0, (0.0,), (), slices), columns)

    def cpu_seconds(self) -> StacksAndRoles[float]:
        return StacksAndRoles({}, {})

    def core_seconds(self) -> dict[str, CoreSeconds]:
        return {}

    def usage(self) -> StacksAndRoles[Usage]:
        return StacksAndRoles({}, {})


def played_round(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, number: int = 1, before: Sequence[Round] = ()
) -> tuple[list[CellRound], list[Turn]]:
    """One round of searches after others, which the journal has."""

    def read_run(_folder: Path) -> Any:
        return type("Record", (), {"rounds": tuple(before)})

    monkeypatch.setattr(store, "read_run", read_run)
    servers = {label: Server(service_s, 7) for label, service_s in SERVICE_S.items()}
    players = Simulated(servers)
    searching = Searching(bench, bench.plan.blocks[0], number, players)
    searching.warm_up()
    cells, _ = searching.measure(lambda: players)
    return cells, [turn for turn in players.turns if turn.cycle >= 0]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    plain = bench_in(tmp_path)
    (block,) = hello_plan(cycles=1, users=(1,)).blocks
    searched: BlockPlan = replace(block, load=Load(1_000, slo=SLO), search=SEARCHES["quick"])
    plan = replace(plain.plan, blocks=(searched,))
    return replace(plain, plan=plan, services=Services(()))


def test_each_stack_is_searched_at_its_own_rates_and_windows_alternate(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells, turns = played_round(bench, monkeypatch)

    for cell in cells:
        known_rps = 1 / SERVICE_S[cell.stack]
        found = capacity.found(SLO, SEARCHES["quick"], cell.windows)
        assert found.rate_rps == pytest.approx(known_rps, rel=0.1)
        assert len(cell.windows) == len(cell.slices)
        shares = [window for window in cell.windows if window.purpose is Purpose.SHARE]
        assert sorted(window.share or 0 for window in shares) == [0.25, 0.5, 0.75, 0.9]
        for window in shares:
            assert window.rate_rps == pytest.approx((window.share or 0) * (found.rate_rps or 0))
    both = min(len(cell.windows) for cell in cells) - 4
    pairs = [{turns[2 * n].cell.stack, turns[2 * n + 1].cell.stack} for n in range(both)]
    assert pairs == [{BASELINE, A_STACK}] * both


def test_the_same_seed_and_the_same_windows_decide_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, turns = played_round(bench, monkeypatch)
    second, again = played_round(bench, monkeypatch)

    assert turns == again
    assert [cell.windows for cell in first] == [cell.windows for cell in second]


def test_a_later_round_begins_near_what_the_journal_says_that_earlier_ones_found(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells, _ = played_round(bench, monkeypatch)
    before = Round(1, (bench.plan.blocks[0].key,), "", {}, tuple(cells), ())
    later, turns = played_round(bench, monkeypatch, 2, [before])

    for cell in cells:
        found = capacity.found(SLO, SEARCHES["quick"], cell.windows).rate_rps
        first = next(turn for turn in turns if turn.cell.stack == cell.stack)
        assert first.rate_rps == pytest.approx(found, rel=0.15)
    assert all(window.purpose is not Purpose.PROBE for cell in later for window in cell.windows)


def test_only_runs_with_a_search_have_a_schema_that_older_versions_refuse(bench: Bench) -> None:
    assert store.schema_of(bench.plan) == 5
    assert store.schema_of(hello_plan(cycles=1, users=(1,))) == store.SCHEMA == 4


def test_a_record_with_windows_is_read_as_it_was_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells, _ = played_round(bench, monkeypatch)
    monkeypatch.undo()
    journal = store.Journal(bench.folder)
    block = bench.plan.blocks[0]
    journal.decision(Decision(1, (block.key,), "test"))
    journal.block(1, cells, BlockUsage(1, block.scenario.name, block.load.label, 1.0, {}))
    journal.close()
    record = RunRecord(
        "id", store.schema_of(bench.plan), bench.plan, {}, bench.placement, (), "", None, ()
    )
    store.write_run(bench.folder, record)

    read = store.read_run(bench.folder)

    assert read.plan == bench.plan
    assert [cell.windows for cell in read.rounds[0].cells] == [cell.windows for cell in cells]
