"""The load side on real sockets: every reply is checked, no failure becomes a latency."""

import base64
import itertools
import json
import time
from dataclasses import replace

import numpy as np
import pytest

from apps import contract
from harness.load import client, closed
from harness.load.client import Request, address, requests_for
from harness.load.closed import ClosedFleet
from harness.load.fleet import Fleet
from harness.models import Failure, Slice
from tests.socket_server import (
    Answer,
    await_something_to_read,
    drips,
    in_pieces,
    nobody_listening,
    reply,
    says,
    serving,
)

ORIGIN_NS = time.perf_counter_ns()
#: Longer than any machine stalls: what a request must not wait for where a time-out is a failure.
PATIENT_S = 60.0


def loaded(
    answer: Answer,
    *,
    size: int = 2,
    seconds: float = 0.2,
    requests: int | None = None,
    timeout_s: float = PATIENT_S,
    sample: contract.Sample | None = None,
    enough: int = 1,
) -> tuple[Slice, dict[str, np.ndarray], Fleet]:
    """The last slice, and the samples of as many slices as it takes to have enough of them."""
    with serving(answer) as url:
        fleet = fleet_for(url, size=size, timeout_s=timeout_s, sample=sample)
        for cycle in itertools.count():
            piece = fleet.run_slice(cycle, seconds, 0.0, requests)
            if len(fleet.recorder) >= enough:
                break
        fleet.close()
    return piece, columns_of(fleet), fleet


def fleet_for(
    url: str, *, size: int = 2, timeout_s: float = PATIENT_S, sample: contract.Sample | None = None
) -> ClosedFleet:
    requests = requests_for([sample or contract.hello()], url)
    return ClosedFleet(url, requests, size, timeout_s=timeout_s, seed=1, origin_ns=ORIGIN_NS)


def columns_of(fleet: Fleet) -> dict[str, np.ndarray]:
    return fleet.recorder.columns(ORIGIN_NS)


def test_good_replies_are_samples_with_status_and_size() -> None:
    piece, columns, fleet = loaded(says(reply()), enough=10)
    assert fleet.recorder.errors == 0
    assert set(columns["status"]) == {200}
    assert set(columns["size"]) == {len(json.dumps(contract.hello().json, separators=(",", ":")))}
    last = columns["slice"] == piece.cycle
    assert last.any()
    assert (columns["start_ns"][last] >= piece.begin_ns).all()
    assert (columns["start_ns"] + columns["latency_ns"] <= piece.end_ns).all()


def test_a_latency_runs_from_before_the_server_is_asked_until_after_it_has_answered() -> None:
    received_ns, answered_ns = [], []

    def noting(sock) -> bool:
        received_ns.append(time.perf_counter_ns() - ORIGIN_NS)
        time.sleep(0.02)
        answered_ns.append(time.perf_counter_ns() - ORIGIN_NS)
        sock.sendall(reply())
        return True

    _, columns, _ = loaded(noting, size=1, enough=5)
    start_ns, end_ns = columns["start_ns"], columns["start_ns"] + columns["latency_ns"]
    assert len(start_ns) == len(received_ns)
    assert (start_ns <= received_ns).all()
    assert (end_ns >= answered_ns).all()
    # No longer than that: the only user's next request is not at the server before it.
    assert (start_ns[1:] >= answered_ns[:-1]).all()
    assert (end_ns[:-1] <= received_ns[1:]).all()


def in_flight(columns: dict[str, np.ndarray], from_ns: int, to_ns: int) -> float:
    """How many requests were in flight on average."""
    start, end = columns["start_ns"], columns["start_ns"] + columns["latency_ns"]
    inside = np.minimum(end, to_ns) - np.maximum(start, from_ns)
    return float(np.clip(inside, 0, None).sum() / (to_ns - from_ns))


def counted(columns: dict[str, np.ndarray], piece: Slice) -> np.ndarray:
    """Which requests count."""
    return (columns["start_ns"] >= piece.from_ns) & (columns["start_ns"] < piece.to_ns)


def test_all_connections_are_busy_while_requests_are_counted() -> None:
    piece, columns, _ = loaded(says(reply(), delay_s=0.02), size=5, requests=80)
    thinking = piece.think_ns / (piece.to_ns - piece.from_ns)
    waiting = in_flight(columns, piece.from_ns, piece.to_ns)
    assert waiting + thinking == pytest.approx(5, rel=0.02)


def test_nothing_is_in_flight_when_a_slice_ends() -> None:
    piece, columns, _ = loaded(says(reply(), delay_s=0.15), seconds=0.1)
    assert piece.end_ns > piece.to_ns
    assert (columns["start_ns"] + columns["latency_ns"] <= piece.end_ns).all()


@pytest.mark.parametrize("requests", [1, 7, 40])
def test_a_slice_counts_as_many_requests_as_it_was_told(requests: int) -> None:
    piece, columns, _ = loaded(says(reply(), delay_s=0.005), size=4, requests=requests)
    assert counted(columns, piece).sum() == requests
    assert piece.requests == requests


def test_the_first_request_of_each_connection_does_not_count() -> None:
    piece, columns, _ = loaded(says(reply(), delay_s=0.15), size=3, requests=9)
    first = np.sort(columns["start_ns"])[:3]
    assert (first < piece.from_ns).all()
    assert counted(columns, piece).sum() == 9


def test_the_load_goes_on_until_what_counts_is_answered() -> None:
    piece, columns, _ = loaded(says(reply(), delay_s=0.15), size=3, requests=6)
    start, end = columns["start_ns"], columns["start_ns"] + columns["latency_ns"]
    assert counted(columns, piece).sum() == 6
    later = start >= piece.to_ns
    assert later.sum() == 2  # all but the last to be answered were asked again
    assert (start[later] <= end[counted(columns, piece)].max()).all()
    assert (end <= piece.end_ns).all()


def test_a_slice_of_seconds_counts_what_is_sent_in_them() -> None:
    piece, columns, _ = loaded(says(reply(), delay_s=0.01), seconds=0.2)
    assert piece.requests is None
    assert piece.to_ns - piece.begin_ns >= 200_000_000
    assert counted(columns, piece).sum() > 2


def test_a_slow_server_ends_a_slice_before_all_requests_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(closed, "_OVERTIME_NS", 100_000_000)
    piece, columns, _ = loaded(
        says(reply(), delay_s=0.02), size=2, seconds=0.01, requests=1_000_000
    )
    assert 0 < counted(columns, piece).sum() < 1_000_000
    assert (columns["failure"] == 0).all()


def test_think_time_is_what_users_let_pass_between_a_reply_and_the_next_request() -> None:
    piece, columns, _ = loaded(says(reply(), delay_s=0.005), size=1, requests=20)
    order = np.argsort(columns["start_ns"])
    start, end = columns["start_ns"][order], (columns["start_ns"] + columns["latency_ns"])[order]
    gaps = start[1:] - end[:-1]
    assert piece.think_ns == gaps[:20].sum() > 0


def test_slices_keep_their_connections_and_their_samples_apart() -> None:
    opened = []

    def counting(sock) -> bool:
        opened.append(sock.getpeername())
        sock.sendall(reply())
        return True

    with serving(counting) as url:
        fleet = fleet_for(url)
        fleet.run_slice(0, 0.05, 0.0)
        first = len(fleet.recorder)
        fleet.run_slice(1, 0.05, 0.0)
        fleet.close()
    index = columns_of(fleet)["slice"]
    assert len(set(opened)) == 2
    assert list(np.bincount(index)) == [first, len(index) - first]
    assert fleet.recorder.last_slice == len(index) - first


@pytest.mark.parametrize("at", [5, 40, 70, 90])
def test_a_reply_in_pieces_is_a_good_reply(at: int) -> None:
    _, _, fleet = loaded(in_pieces(reply(), at), enough=5)
    assert fleet.recorder.errors == 0


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        pytest.param(says(reply(status="500 Oops")), Failure.WRONG_STATUS, id="wrong status"),
        pytest.param(says(reply(b'{"message":"Hello, world!"}')), Failure.WRONG_BODY, id="body"),
        pytest.param(says(reply(b"not json at all.........!!!")), Failure.WRONG_BODY, id="no JSON"),
        pytest.param(says(reply()[:-5], keep=False), Failure.CLOSED, id="closed in mid-answer"),
        pytest.param(says(b"", keep=False), Failure.CLOSED, id="closed without an answer"),
        pytest.param(says(b"220 smtp.example ESMTP\r\n"), Failure.MALFORMED, id="not HTTP"),
        pytest.param(says(reply() * 2), Failure.MALFORMED, id="two replies at once"),
        pytest.param(says(reply(length=99)), Failure.TIMEOUT, id="never whole"),
        pytest.param(drips(reply(), every_s=0.2), Failure.TIMEOUT, id="slow loris"),
        pytest.param(says(reply(), delay_s=20), Failure.TIMEOUT, id="too late"),
    ],
)
def test_anything_but_the_promised_reply_is_a_failure(answer: Answer, failure: Failure) -> None:
    timeout_s = 0.5 if failure is Failure.TIMEOUT else PATIENT_S
    _, columns, fleet = loaded(answer, timeout_s=timeout_s)
    assert len(columns["failure"]) >= 2
    assert set(columns["failure"]) == {failure}
    assert fleet.recorder.errors == len(columns["failure"])
    assert len(fleet.recorder.examples) == 1


def test_a_wrong_reply_after_good_ones_is_still_seen() -> None:
    count = iter(range(1_000_000))

    def every_tenth_wrong(sock) -> bool:
        wrong = next(count) % 10 == 9
        # Same length, same status: only the body tells.
        sock.sendall(reply(b'{"message":"Hello, WORLD!"}') if wrong else reply())
        return True

    _, columns, _ = loaded(every_tenth_wrong, size=1, enough=10)
    wrong = int((columns["failure"] == Failure.WRONG_BODY).sum())
    assert wrong == len(columns["failure"]) // 10
    assert wrong > 0


@pytest.mark.parametrize("uncounted", [0, 1, 30])
def test_requests_that_settle_the_load_are_sent_before_those_that_count(uncounted: int) -> None:
    with serving(says(reply())) as url:
        fleet = fleet_for(url, size=4)
        pieces = [fleet.run_slice(cycle, 0.1, 0.0, 50, uncounted) for cycle in range(3)]
        fleet.close()
    columns = columns_of(fleet)
    for piece in pieces:
        sent_ns = columns["start_ns"][columns["slice"] == piece.cycle]
        assert (sent_ns < piece.from_ns).sum() == 4 + uncounted
        assert ((sent_ns >= piece.from_ns) & (sent_ns < piece.to_ns)).sum() == 50
        assert piece.requests == 50


@pytest.mark.parametrize("stalls", [False, True])
def test_requests_that_fail_while_the_load_settles_are_not_counted(stalls: bool) -> None:
    answer = says(reply(length=99)) if stalls else says(reply(), keep=False)
    with serving(answer) as url:
        fleet = fleet_for(url, size=2, timeout_s=0.2 if stalls else PATIENT_S)
        piece = fleet.run_slice(0, 0.1, 0.0, 3, 2)
        fleet.close()
    sent_ns = columns_of(fleet)["start_ns"]
    assert (sent_ns < piece.from_ns).sum() >= 2 + 2
    assert ((sent_ns >= piece.from_ns) & (sent_ns < piece.to_ns)).sum() >= 3


def test_a_server_that_never_gets_to_what_counts_ends_the_slice_with_nothing_counted() -> None:
    with serving(says(reply(), delay_s=0.3)) as url:
        fleet = fleet_for(url, size=1)
        piece = fleet.run_slice(0, 0.01, 0.0, 50, 1_000)
        fleet.close()
    assert piece.from_ns == piece.to_ns > piece.begin_ns
    assert piece.think_ns == 0
    assert piece.end_ns - piece.begin_ns < 8e9


def test_a_server_that_is_gone_is_a_failure_and_not_a_hang() -> None:
    with nobody_listening() as url:
        fleet = fleet_for(url)
        fleet.run_slice(0, 0.1, 0.0)
    assert set(columns_of(fleet)["failure"]) == {Failure.REFUSED}


def test_a_closed_connection_is_opened_again() -> None:
    _, columns, fleet = loaded(says(reply(), keep=False), size=2, enough=20)
    good = int((columns["failure"] == Failure.NONE).sum())
    assert good > 2  # each connection brings one
    assert good + fleet.recorder.errors == len(columns["failure"])


def test_requests_come_in_an_order_that_the_seed_decides() -> None:
    def order(seed: int) -> list[bytes]:
        def noting(sock) -> bool:
            sock.sendall(reply())
            return True

        with serving(noting) as url:
            samples = [contract.lookup_user(number) for number in range(1, 30)]
            requests = requests_for(samples, url)
            fleet = ClosedFleet(url, requests, 1, timeout_s=1, seed=seed, origin_ns=0)
            return [fleet.draw().payload.split(b" ")[1] for _ in range(29)]

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert sorted(order(1)) == sorted(order(2))


def test_a_request_is_what_http_wants() -> None:
    sample = contract.validate_user(1)
    request = Request(sample, "127.0.0.1:8000")
    head, _, body = request.payload.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /users/validate HTTP/1.1"
    assert "host: 127.0.0.1:8000" in lines
    assert f"content-length: {len(body)}" in lines
    assert body == sample.body


@pytest.mark.parametrize("url", ["https://host", "host:80", "", "ftp://x"])
def test_an_address_that_is_not_http_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not an http:// address"):
        address(url)


def test_a_server_that_announces_the_end_of_a_connection_is_believed() -> None:
    closing = reply().replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)
    _, _, fleet = loaded(says(closing, keep=False), enough=10)
    assert fleet.recorder.errors == 0


def test_a_second_reply_that_nobody_asked_for_is_a_failure() -> None:
    connections = set()

    def noting(sock) -> bool:
        connections.add(sock)
        sock.sendall(reply())
        return True

    with serving(noting) as url:
        fleet = fleet_for(url, size=1)
        fleet.run_slice(0, 0.05, 0.0)
        (connection,) = connections
        connection.sendall(reply())
        await_something_to_read(fleet)
        fleet.run_slice(1, 0.05, 0.0)
        fleet.close()
    assert fleet.recorder.failed(Failure.MALFORMED) == fleet.recorder.errors == 1
    assert "more than one reply" in fleet.recorder.examples[0]
    assert len(connections) == 2  # what comes next on the first would belong to another request


def written(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def test_a_page_is_compared_to_the_byte() -> None:
    page = contract.page()
    assert isinstance(page.json, bytes)
    html = page.json
    _, _, fleet = loaded(says(reply(html)), sample=page, enough=5)
    assert fleet.recorder.errors == 0
    _, columns, _ = loaded(says(reply(html.replace(b"Items", b"items", 1))), sample=page)
    assert set(columns["failure"]) == {Failure.WRONG_BODY}


def token(signature: str) -> bytes:
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()
    access_token = f"{head}.eyJzdWIiOiJ4In0.{signature}"
    return written({"access_token": access_token, "token_type": "Bearer", "expires_in": 900})


def test_a_token_may_be_another_each_time() -> None:
    count = itertools.count()

    def draws(sock) -> bool:
        # Every third is the one before it once more: the recognised way is taken as well.
        sock.sendall(reply(token(f"{next(count) * 2 // 3:043}")))
        return True

    _, _, fleet = loaded(draws, sample=contract.login(1), enough=10)
    assert fleet.recorder.errors == 0


@pytest.mark.parametrize("signature", ["x" * 42, "x" * 44, "x" * 42 + "!", ""])
def test_a_token_of_another_shape_is_a_failure_also_after_good_ones(signature: str) -> None:
    count = itertools.count()

    def fails_at_last(sock) -> bool:
        sock.sendall(reply(token("x" * 43 if next(count) < 5 else signature)))
        return True

    _, columns, fleet = loaded(fails_at_last, sample=contract.login(1), size=1, enough=10)
    assert list(columns["failure"][:5]) == [Failure.NONE] * 5
    assert set(columns["failure"][5:]) == {Failure.WRONG_BODY}
    assert "access_token" in fleet.recorder.examples[0]


@pytest.mark.parametrize("number", ["1.0", "true", "2"])
def test_what_python_calls_equal_may_be_another_value(number: str) -> None:
    sample = replace(contract.hello(), json={"number": 1})
    request = Request(sample, "host")
    assert request.judge(200, b'{"number":1}').good
    assert request.judge(200, b'{"number":%s}' % number.encode()).failure is Failure.WRONG_BODY


def test_a_large_reply_in_pieces_is_parsed_once_and_checked_every_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parsed = 0
    loads = json.loads

    def counting(body: bytes) -> object:
        nonlocal parsed
        parsed += 1
        return loads(body)

    monkeypatch.setattr(client.json, "loads", counting)
    export = contract.export(2_000)
    good = written(export.json)
    assert len(good) > 2 * 65536
    wrong = good.replace(b"garden", b"Garden", 1)
    count = itertools.count(1)

    def every_third_wrong(sock) -> bool:
        sock.sendall(reply(wrong if next(count) % 3 == 0 else good))
        return True

    _, columns, fleet = loaded(every_third_wrong, sample=export, size=1, enough=6)
    failed = int((columns["failure"] == Failure.WRONG_BODY).sum())
    assert failed == len(columns["failure"]) // 3 > 0
    assert parsed == 1 + failed
    assert "items[" in fleet.recorder.examples[0]


def test_a_problem_document_is_a_promised_reply_like_any_other() -> None:
    refused = next(exchange for exchange in contract.refused() if exchange.status == 422)
    answer = says(reply(written(refused.json), status="422 Unprocessable Content"))
    _, columns, fleet = loaded(answer, sample=refused)
    assert fleet.recorder.errors == 0
    assert set(columns["status"]) == {422}
    _, columns, _ = loaded(says(reply(written(refused.json))), sample=refused)
    assert set(columns["failure"]) == {Failure.WRONG_STATUS}


def test_what_can_not_be_checked_to_the_end_is_refused() -> None:
    head = next(s for e in contract.ENDPOINTS for s in e.samples("") if s.method == "HEAD")
    with pytest.raises(ValueError, match="HEAD /hello"):
        Request(head, "host")
