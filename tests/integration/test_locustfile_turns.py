"""Users of a locustfile wait, are counted and stand still as if their stack's turns were all the time."""

import random
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.locustfile_load import Measured, running
from tests.socket_server import reply, serving

# As in test_known_answers.py: a stall of the machine bends a figure, and does not come every time.
pytestmark = [pytest.mark.alone, pytest.mark.flaky(reruns=2)]

SERVICE_S = 0.02
WAIT_S = 0.1
USERS = 20
EXPECTED_RPS = USERS / (WAIT_S + SERVICE_S)

CONSTANT = f"""
    from locust import CLIENT, constant, task

    class Waiting(CLIENT):
        wait_time = constant({WAIT_S})

        @task
        def get(self):
            self.client.get("/hello")
"""


@contextmanager
def answering(*, delay_s: float = SERVICE_S) -> Iterator[tuple[str, list[int]]]:
    """A server that takes this long for each request, and notes when requests came."""
    came_ns: list[int] = []

    def answer(sock: socket.socket) -> bool:
        came_ns.append(time.perf_counter_ns())
        time.sleep(delay_s)
        sock.sendall(reply())
        return True

    with serving(answer) as url:
        yield url, came_ns


def measured(
    tmp_path: Path, source: str, *, slice_s: float, stacks: int, slices: int
) -> list[Measured]:
    """What comes of stacks that take turns."""
    generator = random.Random("lengths")  # as planning.plan draws them
    with (
        answering() as (one, _),
        answering() as (other, _),
        running(tmp_path, source, [one, other][:stacks], users=USERS) as users,
    ):
        users.warm_up(0.5)
        for cycle in range(slices):
            for stack in range(stacks):
                requests = round(EXPECTED_RPS * slice_s * generator.uniform(0.75, 1.25))
                users.play(stack, seconds=slice_s, requests=requests, cycle=cycle)
        return users.finish()


def assert_known(cell: Measured) -> None:
    assert cell.played.errors == 0
    assert cell.latency_s >= SERVICE_S
    # Each user waits, and asks, and waits: exactly so often, however long its requests took.
    # Which gaps between requests count is drawn: about 1 % of noise in a few seconds. Waits end a little
    # late, which makes about another 1 %.
    assert cell.rps == pytest.approx(USERS / (WAIT_S + cell.latency_s), rel=0.04)


@pytest.mark.parametrize(
    "client", ["HttpUser", pytest.param("FastHttpUser", marks=pytest.mark.thorough)]
)
@pytest.mark.parametrize(
    ("slice_s", "slices"),
    [
        pytest.param(0.1, 60, marks=pytest.mark.thorough),
        (0.3, 24),
        pytest.param(2.0, 2, marks=pytest.mark.thorough),
    ],
)
def test_throughput_is_that_of_users_who_wait_at_every_length_of_slices(
    tmp_path: Path, client: str, slice_s: float, slices: int
) -> None:
    source = CONSTANT.replace("CLIENT", client)
    (cell,) = measured(tmp_path, source, slice_s=slice_s, stacks=1, slices=slices)
    assert_known(cell)


@pytest.mark.thorough
def test_two_stacks_that_take_turns_come_out_as_one_alone(tmp_path: Path) -> None:
    source = CONSTANT.replace("CLIENT", "FastHttpUser")
    cells = measured(tmp_path, source, slice_s=0.3, stacks=2, slices=12)
    for cell in cells:
        assert_known(cell)
        assert cell.rps == pytest.approx(EXPECTED_RPS, rel=0.06)


def test_users_who_do_not_wait_are_counted_as_closed_load(tmp_path: Path) -> None:
    source = CONSTANT.replace("CLIENT", "FastHttpUser").replace(f"({WAIT_S})", "(0)")
    with answering() as (url, _), running(tmp_path, source, [url], users=4) as users:
        users.warm_up()
        for cycle in range(4):
            users.play(seconds=0.3, requests=40, cycle=cycle)
        (cell,) = users.finish()
    assert cell.rps == pytest.approx(4 / cell.latency_s, rel=0.05)


@pytest.mark.thorough
@pytest.mark.parametrize("wait", ["between(0.05, 0.15)", "constant_pacing(0.12)"])
def test_other_waits_come_out_too(tmp_path: Path, wait: str) -> None:
    source = CONSTANT.replace("CLIENT", "FastHttpUser").replace(f"constant({WAIT_S})", wait)
    source = source.replace("constant,", f"{wait.split('(')[0]},")
    for cell in measured(tmp_path, source, slice_s=0.3, stacks=2, slices=12):
        # A mean of 0.1 s after a request, or 0.12 s from one to the next.
        wait_s = 0.12 - cell.latency_s if "pacing" in wait else WAIT_S
        assert cell.rps == pytest.approx(USERS / (wait_s + cell.latency_s), rel=0.05)


def test_constant_pacing_of_a_task_set_goes_by_the_clock_of_turns(tmp_path: Path) -> None:
    source = """
    from locust import FastHttpUser, TaskSet, constant, constant_pacing, task

    class Asking(FastHttpUser):
        wait_time = constant(60)

        @task
        class Steps(TaskSet):
            wait_time = constant_pacing(0.1)

            @task
            def get(self):
                self.client.get("/hello")
    """
    with answering() as (url, _), running(tmp_path, source, [url], users=4) as users:
        users.warm_up(0.2)
        for cycle in range(10):
            users.play(seconds=0.1, cycle=cycle)
            time.sleep(0.15)
        (cell,) = users.finish()
    # 1 s of turns, 4 users and 0.1 s from one request to the next.
    assert 30 <= len(cell.samples["slice"]) <= 44


def test_no_request_is_sent_while_another_stack_has_its_turn(tmp_path: Path) -> None:
    source = CONSTANT.replace("CLIENT", "HttpUser")
    with (
        answering() as (one, came_one),
        answering() as (other, came_other),
        running(tmp_path, source, [one, other], users=USERS) as users,
    ):
        origin_ns = time.perf_counter_ns()
        users.warm_up()
        for cycle in range(5):
            for stack in (0, 1):
                users.play(stack, requests=5, cycle=cycle)
                time.sleep(0.05)
        ended_ns = time.perf_counter_ns()
        cells = users.finish()
    for cell, came_ns in zip(cells, (came_one, came_other), strict=True):
        # Times count from when the block was seated, which is before `origin_ns`.
        begun = [piece.begin_ns for piece in cell.played.slices]
        ended = [piece.end_ns for piece in cell.played.slices]
        first_ns = min(came for came in came_ns if came > origin_ns)
        assert first_ns < ended_ns
        samples = cell.samples
        place = samples["slice"]
        assert (samples["start_ns"] >= np.array(begun)[place]).all()
        assert (samples["start_ns"] + samples["latency_ns"] <= np.array(ended)[place]).all()
        # Nothing came that is no sample: the last so many are those of the slices.
        in_slices = [came for came in came_ns if came <= ended_ns][-len(place) :]
        gaps_ns = np.diff(in_slices) - np.diff(np.sort(samples["start_ns"]))
        assert np.abs(gaps_ns).max() < SERVICE_S * 1e9


def test_a_wait_goes_on_in_the_next_turn_and_no_burst_follows_a_pause(tmp_path: Path) -> None:
    source = CONSTANT.replace("CLIENT", "FastHttpUser").replace(f"({WAIT_S})", "(0.4)")
    with answering(delay_s=0) as (url, _), running(tmp_path, source, [url], users=4) as users:
        users.warm_up(0.2)
        for cycle in range(12):
            users.play(seconds=0.1, cycle=cycle)
            time.sleep(0.5)  # all waits would be over by then
        (cell,) = users.finish()
    # 1.2 s of turns and 4 users: 12 requests, and not 4 in each of the 12 turns.
    assert 8 <= len(cell.samples["slice"]) <= 14


@pytest.mark.thorough
def test_users_stay_as_far_apart_as_they_were(tmp_path: Path) -> None:
    source = CONSTANT.replace("CLIENT", "FastHttpUser")
    with answering() as (url, _), running(tmp_path, source, [url], users=5) as users:
        users.warm_up(0.5)
        for cycle in range(40):
            users.play(seconds=0.05, cycle=cycle)
        (cell,) = users.finish()
    # In step, all would be sent at one moment; so many short turns would bring them there.
    last = cell.samples["start_ns"][-2 * 5 :]
    assert (np.diff(np.sort(last)) > 2e6).sum() >= 5


def test_what_is_in_flight_and_who_waits_are_all_users(tmp_path: Path) -> None:
    source = CONSTANT.replace("CLIENT", "FastHttpUser")
    (cell,) = measured(tmp_path, source, slice_s=0.3, stacks=1, slices=4)
    samples = cell.samples
    for number, piece in enumerate(cell.played.slices):
        mine = samples["slice"] == number
        start_ns = samples["start_ns"][mine]
        end_ns = start_ns + samples["latency_ns"][mine]
        inside = np.minimum(end_ns, piece.to_ns) - np.maximum(start_ns, piece.from_ns)
        window_ns = piece.to_ns - piece.from_ns
        in_flight = np.clip(inside, 0, None).sum() / window_ns
        assert in_flight + piece.think_ns / window_ns == pytest.approx(USERS, rel=1e-6)
        assert cell.counted[mine].sum() == piece.requests
