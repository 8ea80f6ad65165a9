"""Whether the users or the stack's CPU time limited the throughput of a cell."""

import math
from dataclasses import replace

import pytest

from harness.analysis.analyse import analyse
from harness.analysis.cell_gates import resolution
from harness.analysis.figures import round_figures
from harness.analysis.saturation import core_share
from harness.models import (
    SERVER_CORES,
    CellRound,
    CellSummary,
    CoreUsage,
    Placement,
    Stack,
    Usage,
)
from harness.planning.options import RunOptions
from harness.planning.plan import load_catalogue, make_plan
from tests.runs import FakeRun, hello_plan

A, B = "flask-gthread", "fastapi-uvicorn"


def run(rate_rps: float | None = None) -> FakeRun:
    return FakeRun(hello_plan(rate_rps=rate_rps), {A: [1000.0] * 5, B: [1000.0] * 5})


def using(
    fake: FakeRun, share: float, *, steal: float = 0.0, foreign: float = 0.0, cores: int = 1
) -> FakeRun:
    """Candidate that uses a share of a core, while others took some of its core's time."""

    def used(cell: CellRound) -> CellRound:
        available_s, cpu_s = cell.wall_s * cores, share * cell.requests / 1000
        usage = CoreUsage(
            available_s, cpu_s + foreign * available_s, cpu_s, 0.0, steal * available_s
        )
        return replace(cell, server=Usage(cpu_s, 1 << 20, 1, 1), cores={SERVER_CORES: usage})

    fake.change(B, used)
    fake.record = replace(fake.record, placement=Placement(tuple(range(cores)), (9,), (9,)))
    return fake


def candidate(fake: FakeRun) -> CellSummary:
    return next(cell for cell in analyse(fake.record, fake.read).cells if cell.stack == B)


def with_workers(fake: FakeRun, workers: str) -> FakeRun:
    plan = fake.record.plan
    stacks = tuple(replace(stack, workers=workers) for stack in plan.stacks)
    fake.record = replace(fake.record, plan=replace(plan, stacks=stacks))
    return fake


def test_a_stack_that_leaves_its_core_idle_is_limited_by_its_users() -> None:
    cell = candidate(using(run(), 0.71))
    assert cell.core_share == pytest.approx(0.71, rel=0.01)
    assert cell.limited_by_users


def test_a_core_that_is_slow_in_some_rounds_is_not_more_than_busy() -> None:
    """Throughput and CPU time per request move in opposite ways; only their product is the core's."""
    fake = using(run(), 0.98)
    block = fake.record.plan.blocks[0]
    stack = next(stack for stack in fake.record.plan.stacks if stack.label == B)
    (first, *_) = (cell for cell in fake.record.rounds[0].cells if cell.stack == B)
    figures = round_figures(block, first, fake.read(first))
    rounds = []
    for rps in (500.0, 1000.0, 1500.0):
        cpu_s = 0.98 * figures.sent / rps  # each round counts as many requests
        cell = replace(first, server=Usage(cpu_s, 1 << 20, 1, 1))
        cost_us = cpu_s / figures.sent * 1e6
        rounds.append(replace(figures, throughput_rps=rps, cpu_us_per_request=cost_us, cell=cell))
    assert core_share(fake.record, block, stack, rounds) == pytest.approx(0.98)


def test_a_throughput_is_impossible_where_replies_are_many_enough_to_tell() -> None:
    def impossible(fake: FakeRun) -> bool:
        failed = {gate.gate for gate in candidate(fake).gates if not gate.passed}
        return "throughput possible" in failed

    assert impossible(using(run(), 1.17))
    few, many = (of_weather(50, rate_rps, 50.0) for rate_rps in (120.0, 1000.0))
    assert not impossible(using(few, 1.17 * 1000 / 120))
    assert impossible(using(few, 1.4 * 1000 / 120))
    assert impossible(using(many, 1.17))


@pytest.mark.parametrize(
    ("in_flight", "windows", "replies", "error"),
    [
        (50.0, 2, 212, 0.167),  # the example in METHOD.md
        (4.0, 16, 1869, 0.0043),
        (0.0, 0, 0, 0.0),  # nothing was played
    ],
)
def test_few_replies_tell_a_throughput_inexactly(
    in_flight: float, windows: int, replies: int, error: float
) -> None:
    fake = run()
    (cell, *_) = fake.record.rounds[0].cells
    some = round_figures(fake.record.plan.blocks[0], cell, fake.read(cell))
    of_round = replace(
        some,
        in_flight=in_flight,
        latency_ns=some.latency_ns[:1].repeat(replies // 2),
        cell=replace(cell, slices=cell.slices[:1] * (windows // 2)),
    )
    assert resolution([of_round, of_round]) == pytest.approx(error, rel=0.01)


def of_weather(users: int, rate_rps: float, wait_ms: float) -> FakeRun:
    """Users who wait for the upstream in each request."""
    made = make_plan(
        load_catalogue(),
        RunOptions(
            scenarios=("weather",),
            stacks=(A, B),
            users=(users,),
            rounds=5,
            upstream_latency=f"constant:{wait_ms:g}",
        ),
    )
    return FakeRun(made, {A: [1000.0] * 5, B: [rate_rps] * 5})


@pytest.mark.parametrize(
    ("users", "rate_rps", "wait_ms", "share", "limited"),
    [
        (50, 19.0, 50.0, 0.04, False),  # 19 × 50 ms and 4 % make 0.99 s a second
        (50, 900.0, 50.0, 0.53, True),  # 45 replies are on their way at a time
        (50, 19.0, 20.0, 0.04, True),  # idle for half of the time
        (2, 19.0, 50.0, 0.04, True),  # two users could not ask for much more
    ],
)
def test_a_process_that_waits_for_one_reply_after_the_other_is_busy_though_its_core_is_not(
    users: int, rate_rps: float, wait_ms: float, share: float, limited: bool
) -> None:
    fake = of_weather(users, rate_rps, wait_ms)

    def used(cell: CellRound) -> CellRound:
        cpu_s = share * cell.requests / rate_rps
        usage = CoreUsage(cell.wall_s, cpu_s, cpu_s, 0.0, 0.0)
        return replace(cell, server=Usage(cpu_s, 1 << 20, 1, 1), cores={SERVER_CORES: usage})

    fake.change(B, used)
    fake.record = replace(fake.record, placement=Placement((0,), (9,), (9,)))
    cell = candidate(fake)
    assert cell.core_share == pytest.approx(share, rel=0.05)
    assert cell.limited_by_users == limited


def test_a_stack_that_works_nearly_all_the_time_is_not() -> None:
    cell = candidate(using(run(), 0.93))
    assert cell.core_share == pytest.approx(0.93, rel=0.01)
    assert not cell.limited_by_users


def test_time_that_the_host_and_others_took_is_not_the_users_fault() -> None:
    taken = candidate(using(run(), 0.84, steal=0.06, foreign=0.03))
    assert taken.core_share == pytest.approx(0.84, rel=0.01)
    assert not taken.limited_by_users
    assert candidate(using(run(), 0.84, steal=0.02)).limited_by_users


def test_one_worker_fills_one_core_of_several() -> None:
    assert candidate(using(run(), 0.95, cores=4)).core_share == pytest.approx(0.95, rel=0.01)
    assert not candidate(using(run(), 0.95, cores=4)).limited_by_users
    four = candidate(with_workers(using(run(), 0.95, cores=4), "n"))
    assert four.core_share == pytest.approx(0.95 / 4, rel=0.01)
    assert four.limited_by_users


def test_more_workers_than_cores_fill_no_more_than_the_cores() -> None:
    cell = candidate(with_workers(using(run(), 1.9, cores=2), "2n+1"))
    assert cell.core_share == pytest.approx(0.95, rel=0.01)


def test_threads_in_c_that_use_more_than_a_core_are_not_limited() -> None:
    cell = candidate(using(run(), 2.5, cores=4))
    assert cell.core_share == pytest.approx(2.5, rel=0.01)
    assert not cell.limited_by_users


def test_nothing_is_said_of_open_load() -> None:
    assert not candidate(using(run(rate_rps=200), 0.1)).limited_by_users


def test_nothing_is_known_where_processes_are_not_metered_pinned_or_alive() -> None:
    unmetered, unpinned, died = using(run(), 0.5), using(run(), 0.5), using(run(), 0.5)
    unmetered.change(B, lambda cell: replace(cell, server=None))
    unpinned.record = replace(unpinned.record, placement=Placement((), (), ()))
    died.change(B, lambda cell: replace(cell, died="worker 1 ended"))
    for fake in (unmetered, unpinned, died):
        cell = candidate(fake)
        assert math.isnan(cell.core_share)
        assert not cell.limited_by_users


@pytest.mark.parametrize(
    ("workers", "count"), [("", 1), ("3", 3), ("n", 4), ("2n", 8), ("2n+1", 9)]
)
def test_workers_follow_from_the_stack_or_from_the_plan(workers: str, count: int) -> None:
    stack = Stack("a", "a", "flask", "apps.flask_twin:create_app", "gunicorn", "", workers=workers)
    assert stack.worker_processes(1, 4) == count
