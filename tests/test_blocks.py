"""Whole blocks, measured without starting any process: members, targets and meters are ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from harness import store
from harness.channel.messages import Contender, Turn
from harness.measuring import by_load
from harness.measuring.blocks import HARNESS, Bench, StacksAndRoles, play_block
from harness.measuring.by_load import LoadedBlocks
from harness.measuring.crew import Crew, Order
from harness.measuring.players import Finished, PlayedSlice
from harness.models import OTHER_CORES, SERVER_CORES, BlockPlan, Placement, Usage, Window
from harness.planning.options import RunOptions
from harness.planning.plan import load_catalogue, make_plan
from harness.processes.foreign import CoreSeconds
from harness.serving.service import Service
from harness.serving.services import Services
from harness.serving.targets import Target
from tests.channels import SPUN_S, USAGE, FakeMember
from tests.runs import A_STACK, hello_plan

BASELINE = "flask-gthread"
CYCLES = 4
BROUGHT = Service("postgres", {}, None, wait=lambda: None)  # the user's own


class Silent:
    """A listener that counts what it hears."""

    def __init__(self) -> None:
        self.slices: list[str] = []

    def preparing(self, what: str) -> None: ...
    def round_started(self, number: int) -> None: ...
    def block_started(self, block: BlockPlan) -> None: ...
    def round_ended(self, number: int) -> None: ...
    def warmed_up(self) -> None: ...
    def window_judged(self, stack: str, window: Window) -> None: ...

    def slice_done(self, stack: str, rps: float, seconds: float) -> None:
        self.slices.append(stack)


def bench_in(folder: Path, services: Sequence[Service] = ()) -> Bench:
    (folder / "samples").mkdir()
    todo = hello_plan(cycles=CYCLES, users=(1,))
    where = Placement((), (), ())
    return Bench(todo, where, folder, folder, Services(tuple(services)), Silent())


def test_a_block_of_targets_that_somebody_else_started_is_measured_over_channels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = bench_in(tmp_path)
    (block,) = bench.plan.blocks
    targets = {label: Target(label, f"http://{label}.example") for label in block.stacks}
    checked = []

    def spot_check(urls: dict[str, str], *_: Any) -> dict[str, list[str]]:
        checked.append(urls)
        return {label: [] for label in urls}

    monkeypatch.setattr(by_load.parity, "spot_check", spot_check)
    members = [FakeMember(requests=3), FakeMember(requests=4, clock_offset_ns=10**9)]
    blocks = LoadedBlocks(bench, Crew(members), 1, targets)
    cells, usage = blocks.measure(block)
    urls = {label: target.url for label, target in targets.items()}
    assert checked == [urls, urls]
    assert {
        contender.cell.stack: contender.url for contender in members[0].block.contenders
    } == urls
    assert [cell.stack for cell in cells] == list(block.stacks)
    for cell in cells:
        assert (cell.requests, len(cell.slices)) == (7 * CYCLES, CYCLES)
        assert cell.server is None
        assert cell.load_cpu_s == pytest.approx((0.01 * CYCLES,) * 2)
        assert cell.load_spun_s == (SPUN_S,) * 2
        assert cell.services_cpu_s == {}
        assert (cell.died, cell.parity) == ("", ())
        samples = store.read_samples(tmp_path, cell)
        assert len(samples.latency_ns) == cell.requests
        assert sorted(samples.slice) == list(samples.slice)
    assert usage.idle_core_share == {}
    assert {name: usage.roles[name] for name in ("load 1", "load 2")} == {
        "load 1": USAGE,
        "load 2": USAGE,
    }
    assert list(usage.roles) == ["load 1", "load 2", HARNESS]
    assert blocks.ready_s == {}
    assert isinstance(bench.listener, Silent)
    assert Counter(bench.listener.slices) == {BASELINE: CYCLES, A_STACK: CYCLES}


@dataclass
class Working:
    """Players and their meter: each slice costs its stack 0.2 s, the other 0.01 s, a role 0.05 s."""

    crew: Crew
    stacks: Counter[str] = field(default_factory=Counter)
    roles: Counter[str] = field(default_factory=Counter)

    def play(self, turn: Turn) -> PlayedSlice:
        for label in (BASELINE, A_STACK):
            self.stacks[label] += 0.2 if label == turn.cell.stack else 0.01
        self.roles["postgres"] += 0.05
        self.roles[BASELINE] += 3.0
        return self.crew.play(turn)

    def measure(self) -> None:
        self.crew.measure()

    def finish(self) -> Finished:
        return self.crew.finish()

    def cpu_seconds(self) -> StacksAndRoles[float]:
        return StacksAndRoles(dict(self.stacks), dict(self.roles))

    def core_seconds(self) -> dict[str, CoreSeconds]:
        return {}

    def usage(self) -> StacksAndRoles[Usage]:
        def usages(counter: Counter[str]) -> dict[str, Usage]:
            return {name: Usage(cpu_s, 1 << 20, 1, 1) for name, cpu_s in counter.items()}

        return StacksAndRoles(usages(self.stacks), usages(self.roles))


def test_cpu_time_is_counted_where_it_was_used_and_a_role_may_be_called_like_a_stack(
    tmp_path: Path,
) -> None:
    bench = bench_in(tmp_path, [BROUGHT])
    (block,) = bench.plan.blocks
    member = FakeMember()
    crew = Crew([member])
    contenders = tuple(Contender(cell, block.load, "http://x") for cell in block.cells)
    crew.seat(Order("hello.py", contenders, 10.0, "seed"))
    working = Working(crew)
    for label in (BASELINE, A_STACK):
        working.stacks[label] += 5.0  # before the block
    working.roles.update({"postgres": 7.0, BASELINE: 9.0})
    cells, usage = play_block(bench, block, 1, working, lambda: working, {})
    for cell in cells:
        assert cell.server is not None
        assert cell.server.cpu_s == pytest.approx(0.2 * CYCLES)
        assert cell.services_cpu_s == {"postgres": pytest.approx(0.05 * CYCLES)}
    assert usage.roles["postgres"].cpu_s == pytest.approx(7 + 0.05 * 2 * CYCLES)
    assert usage.roles[BASELINE].cpu_s == pytest.approx(9 + 3.0 * 2 * CYCLES)
    # All that a stack used outside its own slices, in the time outside of them.
    for label, share in usage.idle_core_share.items():
        own_s = next(cell.wall_s for cell in cells if cell.stack == label)
        spent_s = 5.0 + 0.01 * CYCLES
        assert share == pytest.approx(spent_s / (usage.wall_s - own_s), rel=1e-6)


def test_cpu_time_of_others_is_what_cores_did_beyond_stacks_roles_and_load_processes(
    tmp_path: Path,
) -> None:
    bench = bench_in(tmp_path)
    bench = replace(bench, placement=Placement((0,), (1,), (1,)))
    (block,) = bench.plan.blocks
    crew = Crew([FakeMember()])
    contenders = tuple(Contender(cell, block.load, "http://x") for cell in block.cells)
    crew.seat(Order("hello.py", contenders, 10.0, "seed"))

    class BesideOthers(Working):
        """On each core, others use 0.1 s in a slice of 1 s."""

        def core_seconds(self) -> dict[str, CoreSeconds]:
            slices = sum(self.stacks.values()) / 0.21
            own_s = {SERVER_CORES: 0.21, OTHER_CORES: 3.05 + 0.01}
            return {
                group: CoreSeconds(4 * slices, (seconds + 0.1) * slices, 0.0, 0.0)
                for group, seconds in own_s.items()
            }

    players = BesideOthers(crew)
    for label in (BASELINE, A_STACK):
        players.stacks[label] += 0.0
    players.roles.update({"postgres": 0.0, BASELINE: 0.0})
    cells, _ = play_block(bench, block, 1, players, lambda: players, {})
    for cell in cells:
        for group in (SERVER_CORES, OTHER_CORES):
            assert cell.cores[group].available_s == pytest.approx(4 * CYCLES)
            assert cell.cores[group].foreign_s == pytest.approx(0.1 * CYCLES)


def test_the_cpu_time_of_a_service_that_the_user_brings_is_unknown(tmp_path: Path) -> None:
    bench = bench_in(tmp_path, [BROUGHT])
    (block,) = bench.plan.blocks
    crew = Crew([FakeMember()])
    contenders = tuple(Contender(cell, block.load, "http://x") for cell in block.cells)
    crew.seat(Order("hello.py", contenders, 10.0, "seed"))

    class Unmetered(Working):
        def cpu_seconds(self) -> StacksAndRoles[float]:
            return StacksAndRoles(dict(self.stacks), {})

        def usage(self) -> StacksAndRoles[Usage]:
            return StacksAndRoles(super().usage().stacks, {})

    players = Unmetered(crew, Counter({BASELINE: 0.0, A_STACK: 0.0}))
    cells, usage = play_block(bench, block, 1, players, lambda: players, {})
    assert [cell.services_cpu_s for cell in cells] == [{"postgres": None}] * 2
    assert list(usage.roles) == ["load 1"]


def test_users_who_wait_for_the_upstream_get_out_of_step_before_requests_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "samples").mkdir()
    todo = make_plan(load_catalogue(), RunOptions(scenarios=("weather",)))
    bench = Bench(todo, Placement((), (), ()), tmp_path, tmp_path, Services(()), Silent())
    (block,) = todo.blocks
    targets = {label: Target(label, f"http://{label}.example") for label in block.stacks}
    nothing: dict[str, list[str]] = {label: [] for label in targets}
    monkeypatch.setattr(by_load.parity, "spot_check", lambda *_: nothing)
    member = FakeMember(requests=100)
    LoadedBlocks(bench, Crew([member]), 1, targets).measure(block)
    turns = [Turn.from_json(told.values["turn"]) for told in member.told if "turn" in told.values]
    assert {turn.uncounted for turn in turns if turn.requests is None} == {0}  # of warm-ups
    slices = [turn for turn in turns if turn.requests is not None]
    assert len(slices) >= 2 * len(block.stacks)
    assert all(turn.uncounted > 0 for turn in slices)
