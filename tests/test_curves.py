"""Curves of systems whose truth is known: the law's coefficients, the knee, what comes after it."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from harness.analysis import scaling
from harness.analysis.analyse import analyse
from harness.analysis.curves import knee, largest_load
from harness.models import (
    Analysis,
    Beyond,
    BlockPlan,
    CellRound,
    Estimate,
    Failure,
    Load,
    Scaling,
)
from harness.planning.plan import by_workers
from tests.runs import FakeRun, hello_plan

Floats = npt.NDArray[np.float64]
USERS = np.array([1, 3, 10, 30, 100, 300, 1000], dtype=np.float64)
RUNS = 400


def law(one: float, contention: float, crosstalk: float) -> Scaling:
    exactly = [Estimate(value, value, value) for value in (one, contention, crosstalk)]
    return Scaling(*exactly, worst_miss=0, worst_at=1, fits=True)


def queue(users: Sequence[float], wait_s: float, service_s: float) -> Floats:
    """Throughput of users who wait and are then served one at a time: exact mean value analysis.

    M. Reiser, S. S. Lavenberg, "Mean-value analysis of closed multichain queuing networks", 1980.
    """
    found, waiting = {}, 0.0
    for number in range(1, int(max(users)) + 1):
        response_s = service_s * (1 + waiting)
        found[number] = number / (wait_s + response_s)
        waiting = found[number] * response_s
    return np.array([found[int(number)] for number in users])


def drawn(
    truth: Floats, draw: np.random.Generator, rounds: int = 6, spread: float = 0.04
) -> Floats:
    """Logarithms of noisy throughputs: half of the noise is shared by the loads of a round."""
    own = draw.normal(0, spread / math.sqrt(2), (rounds, len(truth)))
    shared = draw.normal(0, spread / math.sqrt(2), (rounds, 1))
    noisy: Floats = np.log(truth) + own + shared
    return noisy


def holds(estimate: Estimate, truth: float) -> bool:
    return estimate.low <= truth <= estimate.high


# ----------------------------------------------------------------------------- law


def test_coefficients_of_a_known_law_come_back_exactly_without_noise() -> None:
    truth = law(900, 0.03, 0.0002)
    exact = np.log([[truth.rps(value) for value in USERS]] * 3)
    found = scaling.fit(USERS, exact, 0.95)
    assert found is not None
    assert found.fits
    assert found.rps_of_one.value == pytest.approx(900, rel=1e-6)
    assert found.contention.value == pytest.approx(0.03, rel=1e-6)
    assert found.crosstalk.value == pytest.approx(0.0002, rel=1e-6)
    assert abs(found.worst_miss) < 1e-6


@pytest.mark.parametrize(
    ("one", "contention", "crosstalk"),
    [(900, 0.03, 0.0002), (19, 0.04, 0.0), (1500, 0.6, 0.0001), (20, 0.002, 0.00001)],
)
def test_intervals_of_coefficients_hold_the_truth_in_about_95_percent(
    one: float, contention: float, crosstalk: float
) -> None:
    truth = law(one, contention, crosstalk)
    exact = np.array([truth.rps(value) for value in USERS])
    draw = np.random.default_rng(1)
    held = np.zeros(3)
    for _ in range(RUNS):
        found = scaling.fit(USERS, drawn(exact, draw), 0.95)
        assert found is not None
        held += [
            holds(found.rps_of_one, one),
            holds(found.contention, contention),
            holds(found.crosstalk, crosstalk),
        ]
    assert ((held / RUNS >= 0.92) & (held / RUNS <= 0.98)).all(), held / RUNS


def test_rounds_are_the_unit_of_the_coefficients_and_not_points() -> None:
    # A machine that is slow in whole rounds says nothing against the shape of the curve.
    truth = np.array([law(900, 0.03, 0.0002).rps(value) for value in USERS])
    shared = np.random.default_rng(2).normal(0, 0.2, (6, 1))
    found = scaling.fit(USERS, np.log(truth) + shared, 0.95)
    assert found is not None
    assert found.rps_of_one.high / found.rps_of_one.low > 1.2
    assert found.contention.high - found.contention.low < 1e-6


def test_the_law_is_called_unfit_for_a_curve_with_a_sharp_corner() -> None:
    # Nobody waits for anybody until the server is full: as an event loop that asks an upstream.
    corner = np.minimum(USERS / 0.05, 500)
    found = scaling.fit(USERS, drawn(corner, np.random.default_rng(3), spread=0.01), 0.95)
    assert found is not None
    assert not found.fits
    assert abs(found.worst_miss) > scaling.LARGEST_MISS
    assert found.worst_at in USERS


def test_the_law_is_called_unfit_where_users_help_each_other() -> None:
    faster_than_in_proportion = USERS**1.3
    found = scaling.fit(
        USERS, drawn(faster_than_in_proportion, np.random.default_rng(3), spread=0.01), 0.95
    )
    assert found is None or not found.fits


def test_too_few_loads_have_no_law() -> None:
    assert scaling.fit(USERS[:4], np.zeros((6, 4)), 0.95) is None


def test_one_round_has_coefficients_without_intervals() -> None:
    exact = np.log([[law(900, 0.03, 0.0002).rps(value) for value in USERS]])
    found = scaling.fit(USERS, exact, 0.95)
    assert found is not None
    assert found.contention.value == pytest.approx(0.03, rel=1e-6)
    assert math.isnan(found.contention.low)


# ---------------------------------------------------------------------------- knee


def log_power(log_rps: Floats, users: Floats = USERS) -> Floats:
    """Under closed load all users are in flight."""
    power: Floats = 2 * log_rps - np.log(users)
    return power


@pytest.mark.parametrize(
    ("wait_s", "service_s"), [(0.05, 0.002), (0.05, 0.01), (0.0, 0.001), (0.2, 0.0005)]
)
def test_the_range_of_the_knee_holds_that_of_a_known_queue_in_95_percent(
    wait_s: float, service_s: float
) -> None:
    truth = queue(USERS.tolist(), wait_s, service_s)
    best = USERS[int(np.argmax(log_power(np.log(truth))))]
    draw = np.random.default_rng(4)
    held = 0
    for _ in range(RUNS):
        found = knee(USERS, log_power(drawn(truth, draw, spread=0.1)), 0.95)
        assert found.low <= found.value <= found.high
        held += found.low <= best <= found.high
    assert held / RUNS >= 0.95


def test_the_knee_of_users_who_wait_is_where_the_server_is_full() -> None:
    # 50 ms of waiting and 2 ms of service: 26 users keep the server busy, and 30 are nearest.
    truth = queue(USERS.tolist(), 0.05, 0.002)
    assert knee(USERS, log_power(np.log([truth] * 3)), 0.95).value == 30


def test_two_loads_with_the_same_power_can_not_be_told_apart() -> None:
    users = np.array([10.0, 20.0, 40.0])
    truth = np.array([100.0, 100 * math.sqrt(2), 150.0])
    found = knee(users, log_power(drawn(truth, np.random.default_rng(5)), users), 0.95)
    assert (found.low, found.high) == (10, 20)


def test_a_knee_at_the_largest_load_was_not_reached() -> None:
    straight = USERS * 20
    found = knee(USERS, log_power(np.log([straight] * 3)), 0.95)
    assert found.value == 1000
    assert not found.reached


def test_one_round_has_a_knee_without_a_range() -> None:
    found = knee(USERS, log_power(np.log([queue(USERS.tolist(), 0.05, 0.002)])), 0.95)
    assert found.value == 30
    assert math.isnan(found.low)
    assert math.isnan(found.high)


# -------------------------------------------------------------------- past the best


def test_a_stack_that_collapses_is_said_to_fall_and_by_how_much() -> None:
    truth = np.array([20, 60, 200, 480, 500, 450, 150.0])
    draw = np.random.default_rng(6)
    held = 0
    for _ in range(RUNS):
        found = largest_load(USERS, drawn(truth, draw), 0.03, 0.95)
        assert found.outcome is Beyond.FALLS
        held += holds(found.ratio, 0.3)
    assert held / RUNS >= 0.95


def test_a_stack_that_holds_is_seldom_said_to_fall() -> None:
    truth = np.array([20, 60, 200, 480, 500, 500, 500.0])
    draw = np.random.default_rng(7)
    outcomes = [largest_load(USERS, drawn(truth, draw), 0.03, 0.95).outcome for _ in range(RUNS)]
    assert outcomes.count(Beyond.FALLS) + outcomes.count(Beyond.RISES) <= 0.05 * RUNS
    quiet = [
        largest_load(USERS, drawn(truth, draw, spread=0.01), 0.03, 0.95).outcome
        for _ in range(RUNS)
    ]
    assert quiet.count(Beyond.HOLDS) >= 0.95 * RUNS


def test_a_stack_that_still_grows_is_said_to_rise() -> None:
    draw = np.random.default_rng(8)
    assert largest_load(USERS, drawn(20 * USERS, draw), 0.03, 0.95).outcome is Beyond.RISES


def test_rounds_that_differ_leave_it_open() -> None:
    log_rps = np.log([[100, 200, 150.0], [100, 150, 200.0]] * 3)
    assert largest_load(USERS[:3], log_rps, 0.03, 0.95).outcome is Beyond.UNCLEAR


@pytest.mark.parametrize(("rounds", "outcome"), [(4, Beyond.UNCLEAR), (5, Beyond.FALLS)])
def test_what_becomes_of_the_throughput_is_a_verdict_and_needs_rounds(
    rounds: int, outcome: Beyond
) -> None:
    log_rps = np.log([[100, 200, 50.0]] * rounds)
    assert largest_load(USERS[:3], log_rps, 0.03, 0.95).outcome is outcome


# ----------------------------------------------------------------------- whole runs


class AtLoads(FakeRun):
    """A run in which the rate of a stack depends on the number of users."""

    def _cell(
        self, block: BlockPlan, label: str, number: int, given: float, lag_ms: float
    ) -> CellRound:
        rate = queue([block.load.users], 0.05, 0.002)[0] * given
        return super()._cell(block, label, number, rate, lag_ms)


@pytest.fixture(scope="module")
def run() -> AtLoads:
    plan = hello_plan(users=(1, 4, 16, 64, 128), rounds=5)
    noise = [1.0, 1.01, 0.99, 1.005, 0.995]
    return AtLoads(plan, dict.fromkeys(("flask-gthread", "fastapi-uvicorn"), noise))


def analysed(run: FakeRun) -> Analysis:
    return analyse(run.record, run.read)


def test_a_run_with_three_loads_has_a_curve_for_each_stack(run: AtLoads) -> None:
    found = analysed(run).curves
    assert [(curve.scenario, curve.axis, curve.line) for curve in found] == [
        ("hello", "users", "flask-gthread"),
        ("hello", "users", "fastapi-uvicorn"),
    ]
    for curve in found:
        assert [point.value for point in curve.points] == [1, 4, 16, 64, 128]
        assert [point.load for point in curve.points] == [
            f"closed-{users}" for users in (1, 4, 16, 64, 128)
        ]
        truth = queue([1, 4, 16, 64, 128], 0.05, 0.002)
        measured = [point.throughput_rps.value for point in curve.points]
        assert measured == pytest.approx(truth, rel=0.02)
        assert curve.knee is not None
        assert curve.knee.low <= curve.knee.value <= curve.knee.high
        assert curve.knee.value == 16
        assert curve.largest is not None
        assert curve.largest.outcome is Beyond.HOLDS
        assert curve.scaling is not None


def test_points_of_a_curve_are_those_of_the_summary(run: AtLoads) -> None:
    found = analysed(run)
    cells = {(cell.stack, cell.load): cell for cell in found.cells}
    for curve in found.curves:
        for point in curve.points:
            cell = cells[point.stack, point.load]
            assert point.throughput_rps == cell.throughput_rps
            assert point.latency_p99_ms == cell.latency_ms["p99"] or math.isnan(
                point.latency_p99_ms.value
            )
            assert point.requests == cell.requests


def test_two_loads_make_no_curve() -> None:
    plan = hello_plan(users=(4, 16), rounds=3)
    assert analysed(AtLoads(plan, {"flask-gthread": [1, 1, 1.0]})).curves == ()


def test_failures_stand_at_the_load_where_they_happened_and_it_decides_nothing() -> None:
    plan = hello_plan(users=(1, 4, 16, 64), rounds=5, stacks=("flask-gthread",))
    run = AtLoads(plan, {"flask-gthread": [1.0, 1.01, 0.99, 1, 1]})
    for cell in (cell for made in run.record.rounds for cell in made.cells):
        if cell.load == "closed-64":
            samples = run.samples[cell.samples_file]
            failure = samples.failure.copy()
            failure[:40] = Failure.TIMEOUT
            run.samples[cell.samples_file] = replace(samples, failure=failure)
    (curve,) = analysed(run).curves
    assert [point.valid for point in curve.points] == [True, True, True, False]
    assert curve.points[-1].failures == {Failure.TIMEOUT: 200}
    assert all(not point.failures for point in curve.points[:-1])
    assert curve.largest is not None
    assert curve.largest.value == 16


def test_open_load_has_a_curve_over_rates_and_no_law() -> None:
    plans = [hello_plan(rate_rps=rate, rounds=5, users=(50,)) for rate in (100, 200, 400)]
    plan = replace(plans[0], blocks=tuple(plan.blocks[0] for plan in plans))
    found = analysed(FakeRun(plan, {"flask-gthread": [2.0, 2.1, 1.9, 2, 2]})).curves
    (curve,) = found
    assert curve.axis == "rate"
    assert [point.value for point in curve.points] == [100, 200, 400]
    assert curve.held == "Poisson arrivals, at most 50 connections"
    assert curve.scaling is None
    assert curve.kept_up == 400
    assert curve.knee is not None
    assert not curve.knee.reached


def test_stacks_that_differ_in_their_number_of_workers_are_points_of_one_curve() -> None:
    plan = hello_plan(rounds=3)
    stacks = tuple(by_workers(plan.stacks[:1], (1, 2, 3)))
    block = replace(plan.blocks[0], stacks=tuple(stack.label for stack in stacks))
    plan = replace(plan, stacks=stacks, blocks=(block,))
    made = FakeRun(plan, {stack.label: [100, 101, 99.0] for stack in stacks})
    (curve,) = analysed(made).curves
    assert (curve.axis, curve.held, curve.line) == ("workers", "4 users", "flask-gthread")
    assert [(point.value, point.stack) for point in curve.points] == [
        (count, stack.label) for count, stack in enumerate(stacks, 1)
    ]
    assert curve.knee is None
    assert curve.scaling is None
    assert curve.largest is not None


def test_latencies_of_the_upstream_are_points_of_one_curve_for_each_number_of_users() -> None:
    (block,) = hello_plan(rounds=3, stacks=("flask-gthread",)).blocks
    blocks = tuple(
        replace(block, load=Load(users, io_ms=io_ms)) for users in (4, 8) for io_ms in (0, 50, 200)
    )
    plan = replace(hello_plan(rounds=3, stacks=("flask-gthread",)), blocks=blocks)
    found = analysed(FakeRun(plan, {"flask-gthread": [100, 101, 99.0]})).curves
    assert [(curve.axis, curve.held) for curve in found] == [
        ("io-ms", "4 users"),
        ("io-ms", "8 users"),
    ]
    assert [point.value for point in found[0].points] == [0, 50, 200]
    assert found[0].knee is None
