"""Open load on real sockets: the schedule is kept, and what it could not keep is counted."""

import time
from itertools import pairwise

import numpy as np
import pytest

from apps import contract
from harness.load.client import requests_for
from harness.load.open import OpenFleet
from harness.load.schedule import due_ns
from harness.models import Arrivals, Failure, Load, Slice
from harness.processes.children import free_port
from tests.socket_server import Answer, drips, reply, says, serving

ORIGIN_NS = time.perf_counter_ns()


def fleet_for(
    url: str,
    *,
    rate: float = 200,
    users: int = 100,
    arrivals: Arrivals = Arrivals.CONSTANT,
    timeout_s: float = 1.0,
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
    # 200/s, 300 ms each: 60 are in flight at a time.
    _, columns, fleet = loaded(says(reply(), delay_s=0.3))
    assert len(columns["latency_ns"]) == 100
    assert fleet.recorder.errors == 0
    assert np.median(columns["latency_ns"]) / 1e6 == pytest.approx(300, abs=50)
    assert columns["start_ns"].max() - columns["start_ns"].min() < 0.6e9


def test_latency_runs_from_when_a_request_was_due_though_it_had_to_wait_for_a_connection() -> None:
    # Two connections, 50 ms each: 40 a second, and 100 are due within half a second.
    piece, columns, fleet = loaded(says(reply(), delay_s=0.05), users=2, timeout_s=5)
    order = np.argsort(columns["intended_ns"])
    latency_ms = columns["latency_ns"][order] / 1e6
    service_ms = latency_ms - (columns["start_ns"] - columns["intended_ns"])[order] / 1e6
    assert fleet.recorder.errors == 0
    assert np.median(service_ms) == pytest.approx(50, abs=20)
    assert latency_ms[-1] > 1500  # the last was due after 0.5 s and came after 2.5 s
    assert fleet.recorder.starved == pytest.approx(98, abs=2)
    assert columns["starved"].sum() == fleet.recorder.starved
    assert service_ms[columns["starved"][order] == 0] == pytest.approx(latency_ms[:2], abs=5)
    assert piece.end_ns - piece.begin_ns > 2e9


def test_what_was_never_sent_is_a_failure_each() -> None:
    # One connection, 250 ms each, 100 due; after 0.5 s and 0.5 s of patience, most are left.
    _, columns, fleet = loaded(says(reply(), delay_s=0.25), users=1, timeout_s=0.5)
    never = columns["failure"] == Failure.NEVER_SENT
    assert len(never) == 100
    assert 90 < never.sum() < 99
    assert fleet.recorder.errors == never.sum()


def test_a_server_that_is_gone_fails_every_request_that_is_due() -> None:
    fleet = fleet_for(f"http://127.0.0.1:{free_port()}")
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
        pytest.param(drips(reply(), every_s=0.02), Failure.TIMEOUT, id="slow loris"),
    ],
)
def test_anything_but_the_promised_reply_is_a_failure(answer: Answer, failure: Failure) -> None:
    _, columns, _ = loaded(answer, rate=20, timeout_s=0.5)
    assert len(columns["failure"]) == 10
    assert set(columns["failure"]) == {failure}


def test_spinning_until_a_request_is_due_is_counted_apart_and_forgotten_with_the_warm_up() -> None:
    with serving(says(reply())) as url:
        fleet = fleet_for(url)
        fleet.run_slice(0, 0.5, 0.0)
        warm_up_ns = fleet.recorder.spun_ns
        fleet.forget()
        assert fleet.recorder.spun_ns == 0
        piece = fleet.run_slice(1, 0.5, 0.0)
        fleet.close()
    assert warm_up_ns > 0
    assert 0 < fleet.recorder.spun_ns < piece.end_ns - piece.begin_ns


def test_no_more_connections_are_opened_than_are_needed() -> None:
    ports = set()

    def noting(sock) -> bool:
        ports.add(sock.getpeername())
        sock.sendall(reply())
        return True

    loaded(noting, rate=100)
    assert len(ports) <= 10  # of 100: one, unless the machine stalls


def test_a_connection_that_the_server_closed_between_slices_is_no_failure() -> None:
    with serving(says(reply(), keep=True)) as url:
        fleet = fleet_for(url, rate=50)
        fleet.run_slice(0, 0.2, 0.0)
        for connection in fleet._connections.values():
            connection.sock.shutdown(2)  # as if the server had closed it while it was idle
        time.sleep(0.05)
        fleet.run_slice(1, 0.2, 0.0)
        fleet.close()
    failures = fleet.recorder.columns(ORIGIN_NS)["failure"]
    assert len(failures) == 20
    assert set(failures) == {Failure.NONE}


def test_each_cycle_has_a_schedule_of_its_own() -> None:
    schedules = [list(due_ns(Arrivals.POISSON, 200, 0.5, f"s {cycle}")) for cycle in range(3)]
    assert all(one != other for one, other in pairwise(schedules))
