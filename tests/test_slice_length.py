"""The same truth at every slice length, in simulated servers whose throughput follows from a formula."""

import dataclasses
from functools import cache

import numpy as np
import pytest

from harness.analysis.figures import RoundFigures, round_figures
from harness.models import CellRound, Load
from harness.planning.plan import Slicing, lengths
from tests.closed_queue import Server, play, play_in_turn, played
from tests.runs import FakeRun, hello_plan

pytestmark = pytest.mark.busy

USERS = 16
SERVICE_S = 0.002
SLICES_S = (0.03, 0.1, 0.3, 1.0, 2.0)
STACK = "fastapi-uvicorn"


def figures(
    server: Server, slice_s: float, seconds: float, users: int = USERS, settle_s: float = 0.0
) -> RoundFigures:
    """Measure a server for so long in slices of this length, as a round would."""
    plan = hello_plan()
    block = dataclasses.replace(plan.blocks[0], load=Load(users), settle_s=settle_s)
    slicing = Slicing(slice_s, round(seconds / slice_s))
    wanted = lengths(plan, block, 1, STACK, server.capacity_rps, slicing)
    samples, slices = played(server, users, wanted)
    a_round = FakeRun(plan, {STACK: [1.0]}).record.rounds[0].cells[0]
    cell: CellRound = dataclasses.replace(a_round, slices=slices)
    return round_figures(block, cell, samples)


@pytest.mark.parametrize("slice_s", SLICES_S)
@pytest.mark.parametrize(
    ("pause_s", "every"),
    [
        pytest.param(0.02, 100, marks=pytest.mark.thorough),
        (0.05, 100),
        pytest.param(0.05, 500, marks=pytest.mark.thorough),
        (0.14, 380),
        pytest.param(0.2, 100, marks=pytest.mark.thorough),
        pytest.param(0.2, 500, marks=pytest.mark.thorough),
    ],
)
def test_pauses_count_as_often_and_as_long_as_they_are(
    pause_s: float, every: int, slice_s: float
) -> None:
    server = Server(SERVICE_S, every, pause_s)
    found = figures(server, slice_s, seconds=600 / (1 + slice_s))
    assert found.throughput_rps == pytest.approx(server.capacity_rps, rel=0.01)
    paused = (found.latency_ns > (USERS * SERVICE_S + pause_s / 2) * 1e9).mean()
    assert paused == pytest.approx(USERS / every, rel=0.1)
    assert found.in_flight == pytest.approx(USERS, rel=0.025)


@cache
def out_of_turn(slice_s: float, users: int) -> RoundFigures:
    return figures(Server(SERVICE_S, in_order=False, spread=1.0), slice_s, seconds=120, users=users)


@pytest.mark.parametrize(
    ("slice_s", "users"),
    [
        (0.03, USERS),
        (0.3, USERS),
        (2.0, USERS),
        pytest.param(0.03, 50, marks=pytest.mark.thorough),
        (0.3, 50),
        (2.0, 50),
    ],
)
def test_requests_that_are_served_out_of_turn_count_with_their_whole_time(
    slice_s: float, users: int
) -> None:
    found, long = out_of_turn(slice_s, users), out_of_turn(60, users)
    assert found.throughput_rps == pytest.approx(1 / SERVICE_S, rel=0.015)
    assert np.quantile(found.latency_ns, 0.99) == pytest.approx(
        np.quantile(long.latency_ns, 0.99), rel=0.06
    )


@pytest.mark.parametrize("slice_s", SLICES_S)
def test_users_who_wait_for_another_service_are_what_limits_the_throughput(slice_s: float) -> None:
    # 50 users wait 50 ms each and take 0.5 ms: 990/s, though the server could do 2,000/s.
    found = figures(Server(0.0005, delay_s=0.05), slice_s, seconds=20, users=50)
    assert found.throughput_rps == pytest.approx(50 / 0.0505, rel=0.01)


@cache
def before_and_after_waiting(slice_s: float, settle_s: float, spread: float) -> float:
    server = Server(0.0004, delay_s=0.05, after_s=0.0005, spread=spread)
    found = figures(server, slice_s, seconds=40, users=50, settle_s=settle_s)
    return found.throughput_rps


@pytest.mark.parametrize("slice_s", [0.3, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("spread", [0.3, 1.0])
def test_users_who_wait_between_two_pieces_of_work_get_out_of_step_before_requests_count(
    slice_s: float, spread: float
) -> None:
    # The event loop of a server that is busy nine tenths of the time: work, wait, work.
    truth_rps = before_and_after_waiting(40.0, 0.0, spread)
    assert before_and_after_waiting(slice_s, 0.2, spread) == pytest.approx(truth_rps, rel=0.01)
    assert before_and_after_waiting(0.3, 0.0, spread) < 0.96 * truth_rps  # who count at once don't


@pytest.mark.parametrize(("pause_s", "every"), [(0.05, 100), (0.2, 7), (0.0, 0)])
@pytest.mark.parametrize("users", [1, 2, USERS])
def test_requests_in_turn_may_be_computed_at_once(users: int, pause_s: float, every: int) -> None:
    step_by_step, at_once = (Server(SERVICE_S, every, pause_s) for _ in range(2))
    for cycle in range(20):
        requests = 1 + 7 * cycle % 23
        found = play_in_turn(at_once, users, cycle, requests)
        assert found == play(step_by_step, users, cycle, requests)
