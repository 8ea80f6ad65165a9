"""Open load on real sockets: the schedule is kept, and what it could not keep is counted."""

import threading
import time
from itertools import count, pairwise

import numpy as np
import pytest

from apps import contract
from harness.load.client import requests_for
from harness.load.open import OpenFleet
from harness.load.schedule import due_ns
from harness.models import Arrivals, Failure, Load, Slice
from tests.socket_server import (
    Answer,
    await_something_to_read,
    drips,
    nobody_listening,
    reply,
    says,
    serving,
)

ORIGIN_NS = time.perf_counter_ns()
#: Longer than any machine stalls: what a request must not wait for where a time-out is a failure.
PATIENT_S = 60.0


def fleet_for(
    url: str,
    *,
    rate: float = 200,
    users: int = 100,
    arrivals: Arrivals = Arrivals.CONSTANT,
    timeout_s: float = PATIENT_S,
) -> OpenFleet:
    return OpenFleet(
        url,
        requests_for([contract.hello()], url),
        Load(users, rate, arrivals),
        schedule_seed="s",
        part=0,
        parts=1,
        timeout_s=timeout_s,
        seed=1,
        origin_ns=ORIGIN_NS,
    )


def loaded(
    answer: Answer, *, seconds: float = 0.5, settle_s: float = 0.0, **settings
) -> tuple[Slice, dict[str, np.ndarray], OpenFleet]:
    with serving(answer) as url:
        fleet = fleet_for(url, **settings)
        piece = fleet.run_slice(0, seconds, settle_s)
        fleet.close()
    return piece, fleet.recorder.columns(ORIGIN_NS), fleet


@pytest.mark.parametrize("arrivals", list(Arrivals))
def test_every_request_that_is_due_is_sent_and_recorded(arrivals: Arrivals) -> None:
    piece, columns, fleet = loaded(says(reply()), arrivals=arrivals)
    due = np.array(due_ns(arrivals, 200, 0.5, "s 0"))
    assert sorted(columns["intended_ns"] - piece.begin_ns) == list(due)
    assert fleet.recorder.errors == 0
    assert (columns["start_ns"] >= columns["intended_ns"]).all()


def test_the_slice_lasts_to_its_end_and_counts_from_settled() -> None:
    piece, _, _ = loaded(says(reply()), settle_s=0.1)
    assert piece.from_ns - piece.begin_ns == 100_000_000
    assert piece.to_ns - piece.begin_ns == 500_000_000
    assert piece.end_ns >= piece.to_ns


def test_requests_do_not_wait_for_the_answers_to_others() -> None:
    asked = threading.Barrier(100)

    def after_all_have_asked(sock) -> bool:
        asked.wait(PATIENT_S / 2)
        sock.sendall(reply())
        return True

    _, columns, fleet = loaded(after_all_have_asked)
    assert len(columns["latency_ns"]) == 100
    assert fleet.recorder.errors == 0


def test_latency_runs_from_when_a_request_was_due_though_it_had_to_wait_for_a_connection() -> None:
    # Two connections are held from the first two requests on, until all 100 have long been due.
    held_s = 1.5
    asked = count()

    def holds_the_first_two(sock) -> bool:
        if next(asked) < 2:
            time.sleep(held_s)
        sock.sendall(reply())
        return True

    piece, columns, fleet = loaded(holds_the_first_two, users=2)
    order = np.argsort(columns["intended_ns"])
    starved = columns["starved"][order].astype(bool)
    latency_ns = columns["latency_ns"][order]
    waited_ns = (columns["start_ns"] - columns["intended_ns"])[order]
    assert fleet.recorder.errors == 0
    assert list(np.flatnonzero(~starved)) == [0, 1]
    assert fleet.recorder.starved == 98
    assert (latency_ns[:2] >= held_s * 1e9).all()
    # None of the others was due later than after 0.5 s, and none could be sent before 1.5 s.
    assert (waited_ns[starved] > (held_s - 0.5) * 1e9).all()
    assert (latency_ns > waited_ns).all()
    assert piece.end_ns - piece.begin_ns >= held_s * 1e9


def test_what_was_never_sent_is_a_failure_each() -> None:
    # One connection, 0.5 s each, 100 due; after 0.5 s and 2 s of patience, most are left.
    _, columns, fleet = loaded(says(reply(), delay_s=0.5), users=1, timeout_s=2)
    never = columns["failure"] == Failure.NEVER_SENT
    assert len(never) == 100
    assert 94 <= never.sum() <= 99  # a slow machine sends fewer than 6, and at least the first
    assert fleet.recorder.errors == never.sum()


def test_a_server_that_is_gone_fails_every_request_that_is_due() -> None:
    with nobody_listening() as url:
        fleet = fleet_for(url)
        fleet.run_slice(0, 0.25, 0.0)
    failures = fleet.recorder.columns(ORIGIN_NS)["failure"]
    assert len(failures) == 50
    assert set(failures) == {Failure.REFUSED}


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        pytest.param(says(reply(status="500 Oops")), Failure.WRONG_STATUS, id="wrong status"),
        pytest.param(says(reply(b'{"message":"Hello, world!"}')), Failure.WRONG_BODY, id="body"),
        pytest.param(says(reply()[:-5], keep=False), Failure.CLOSED, id="closed in mid-answer"),
        pytest.param(drips(reply(), every_s=0.2), Failure.TIMEOUT, id="slow loris"),
    ],
)
def test_anything_but_the_promised_reply_is_a_failure(answer: Answer, failure: Failure) -> None:
    timeout_s = 0.5 if failure is Failure.TIMEOUT else PATIENT_S
    _, columns, _ = loaded(answer, rate=20, timeout_s=timeout_s)
    assert len(columns["failure"]) == 10
    assert set(columns["failure"]) == {failure}


def test_spinning_until_a_request_is_due_is_counted_apart_and_forgotten_with_the_warm_up() -> None:
    with serving(says(reply())) as url:
        fleet = fleet_for(url)
        # On a machine that wakes the loop too late each time, there is nothing to spin for.
        while not fleet.recorder.spun_ns:
            fleet.run_slice(0, 0.5, 0.0)
        fleet.forget()
        assert fleet.recorder.spun_ns == 0
        lengths_ns = 0
        while not fleet.recorder.spun_ns:
            piece = fleet.run_slice(1, 0.5, 0.0)
            lengths_ns += piece.end_ns - piece.begin_ns
        fleet.close()
    assert fleet.recorder.spun_ns < lengths_ns


def test_no_more_connections_are_opened_than_are_needed() -> None:
    ports = set()

    def noting(sock) -> bool:
        ports.add(sock.getpeername())
        sock.sendall(reply())
        return True

    _, columns, _ = loaded(noting, rate=100)
    start_ns = np.sort(columns["start_ns"])
    end_ns = np.sort(columns["intended_ns"] + columns["latency_ns"])
    begun = np.arange(1, len(start_ns) + 1)
    ended = np.searchsorted(end_ns, start_ns, side="right")
    assert len(ports) == max(begun - ended)  # as many as were in flight at once


def test_a_connection_that_the_server_closed_between_slices_is_no_failure() -> None:
    with serving(says(reply(), keep=True)) as url:
        fleet = fleet_for(url, rate=50)
        fleet.run_slice(0, 0.2, 0.0)
        for connection in fleet._connections.values():
            connection.sock.shutdown(2)  # as if the server had closed it while it was idle
        await_something_to_read(fleet, len(fleet._connections))
        fleet.run_slice(1, 0.2, 0.0)
        fleet.close()
    failures = fleet.recorder.columns(ORIGIN_NS)["failure"]
    assert len(failures) == 20
    assert set(failures) == {Failure.NONE}


def test_each_cycle_has_a_schedule_of_its_own() -> None:
    schedules = [list(due_ns(Arrivals.POISSON, 200, 0.5, f"s {cycle}")) for cycle in range(3)]
    assert all(one != other for one, other in pairwise(schedules))
