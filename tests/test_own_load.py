"""Load on services of the reader's own, whose servers answer in any way that HTTP knows, and in some others."""

import itertools
import socket
import time

import numpy as np
import pytest

from harness.checking.exchange import exchange
from harness.load import own, sockets
from harness.load.closed import ClosedFleet
from harness.load.connection import Outcome
from harness.load.own import OwnConnection, own_requests
from harness.load.recorder import Recorder
from harness.models import Failure, OwnRequest
from harness.models.addresses import Address
from tests.own_services import Asked, service
from tests.own_services import reply as own_reply
from tests.socket_server import Answer, drips, reply, says, serving, tls_context

ORIGIN_NS = time.perf_counter_ns()
GET = OwnRequest("GET /x", "GET", "/x")


def loaded(
    answer: Answer,
    request: OwnRequest = GET,
    *,
    enough: int = 5,
    timeout_s: float = 60.0,
    size: int = 1,
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The samples of as many slices as it takes to have enough of them, and examples of failures."""
    with serving(answer) as url:
        return loaded_at(url, request, enough=enough, timeout_s=timeout_s, size=size)


def loaded_at(
    url: str,
    request: OwnRequest = GET,
    *,
    enough: int = 5,
    timeout_s: float = 60.0,
    size: int = 1,
    verify_tls: bool = True,
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    requests = own_requests([request], url, [request.name])
    fleet = ClosedFleet(
        url,
        requests,
        size,
        timeout_s=timeout_s,
        seed=1,
        origin_ns=ORIGIN_NS,
        verify_tls=verify_tls,
    )
    for cycle in itertools.count():
        fleet.run_slice(cycle, 0.05, 0.0)
        if len(fleet.recorder) >= enough:
            break
    fleet.close()
    return fleet.recorder.columns(ORIGIN_NS), fleet.recorder.examples


BODY = b"<p>hello</p>"
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n" + BODY


@pytest.mark.parametrize(
    ("answer", "size"),
    [
        pytest.param(says(WHOLE), 12, id="with a length"),
        pytest.param(
            says(WHOLE.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1), keep=False),
            12,
            id="closes after each reply",
        ),
        pytest.param(says(b"HTTP/1.0 200 OK\r\n\r\n" + BODY, keep=False), 12, id="HTTP/1.0"),
        pytest.param(
            says(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + BODY, keep=False),
            12,
            id="ends with its connection",
        ),
        pytest.param(
            says(
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                b"5\r\n<p>he\r\n7\r\nllo</p>\r\n0\r\n\r\n"
            ),
            12,
            id="chunked",
        ),
        pytest.param(
            says(b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n" + WHOLE), 12, id="interim"
        ),
        pytest.param(says(b"HTTP/1.1 204 No Content\r\n\r\n"), 0, id="empty"),
        pytest.param(
            says(b"HTTP/1.1 302 Found\r\nlocation: http://elsewhere/\r\ncontent-length: 0\r\n\r\n"),
            0,
            id="redirect, which is not followed",
        ),
    ],
)
def test_every_whole_reply_is_good(answer: Answer, size: int) -> None:
    columns, examples = loaded(answer)
    assert examples == ()
    assert set(columns["size"]) == {size}
    assert set(columns["endpoint"]) == {0}


def test_a_reply_to_head_has_no_body_whatever_its_length_says() -> None:
    answer = says(b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n")
    columns, examples = loaded(answer, OwnRequest("HEAD /x", "HEAD", "/x"))
    assert examples == ()
    assert set(columns["size"]) == {0}


def bodies_that_differ() -> Answer:
    numbers = itertools.count(1_000_000)
    return lambda sock: sock.sendall(reply(b"%d" % next(numbers))) is None


def test_bodies_may_differ_from_reply_to_reply() -> None:
    columns, examples = loaded(bodies_that_differ())
    assert examples == ()
    assert set(columns["size"]) == {7}


@pytest.mark.parametrize(
    ("answer", "failure", "example"),
    [
        pytest.param(
            says(b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\ncontent-length: 11\r\n\r\n" + BODY),
            Failure.MALFORMED,
            "not HTTP",
            id="two lengths",
        ),
        pytest.param(says(b"SSH-2.0-OpenSSH\r\n\r\n"), Failure.MALFORMED, "not HTTP", id="no HTTP"),
        pytest.param(
            says(WHOLE[:-3], keep=False), Failure.CLOSED, "closed by the server", id="cut off"
        ),
        pytest.param(
            drips(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 10_000, every_s=0.01),
            Failure.TIMEOUT,
            "no whole reply",
            id="never ends",
        ),
    ],
)
def test_what_is_no_whole_reply_is_a_failure(
    answer: Answer, failure: Failure, example: str
) -> None:
    columns, examples = loaded(answer, enough=1, timeout_s=0.3)
    assert set(columns["failure"]) == {int(failure)}
    assert example in examples[0]


def floods(head: bytes) -> Answer:
    def answer(sock: socket.socket) -> bool:
        sock.sendall(head)
        while True:
            sock.sendall(b"x" * 65536)

    return answer


def test_a_body_without_an_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "MAX_BODY_BYTES", 1 << 20)
    columns, examples = loaded(floods(b"HTTP/1.1 200 OK\r\n\r\n"), enough=1)
    assert set(columns["failure"]) == {int(Failure.MALFORMED)}
    assert examples == ("GET /x: a body of more than 1 MiB",)


def in_turn(*replies: bytes) -> Answer:
    following = itertools.chain(replies[:-1], itertools.repeat(replies[-1]))
    return lambda sock: sock.sendall(next(following)) is None


def statuses(columns: dict[str, np.ndarray]) -> dict[int, set[int]]:
    """Failure -> statuses."""
    return {
        int(failure): {int(s) for s in columns["status"][columns["failure"] == failure]}
        for failure in set(columns["failure"])
    }


def test_the_first_status_is_the_right_one_if_the_request_names_none() -> None:
    missing = reply(status="404 Not Found")
    columns, examples = loaded(in_turn(missing, missing, reply()))
    assert statuses(columns) == {Failure.NONE: {404}, Failure.WRONG_STATUS: {200}}
    assert "status 200 instead of 404" in examples[0]


def test_an_error_of_the_service_itself_is_never_the_right_status() -> None:
    columns, examples = loaded(in_turn(reply(status="500 Oh"), reply()))
    assert statuses(columns) == {Failure.NONE: {200}, Failure.WRONG_STATUS: {500}}
    assert "status 500: " in examples[0]


def test_a_request_may_name_its_status() -> None:
    request = OwnRequest("GET /x", "GET", "/x", status=503)
    columns, _ = loaded(in_turn(reply(), reply(status="503 Busy")), request)
    assert statuses(columns) == {Failure.NONE: {503}, Failure.WRONG_STATUS: {200}}


def payload(request: OwnRequest, url: str = "http://127.0.0.1:8000") -> bytes:
    (sendable,) = own_requests([request], url, [])
    return sendable.payload


def test_a_request_is_sent_as_it_was_written() -> None:
    body = "é".encode().decode("latin-1")
    request = OwnRequest("a", "POST", "/x?y=1", (("X-Trace", "7"), ("Accept", "text/*")), body)
    head, _, sent = payload(request, "http://127.0.0.1:8000/api/").partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /api/x?y=1 HTTP/1.1"
    assert "host: 127.0.0.1:8000" in lines
    assert "X-Trace: 7" in lines
    assert [line for line in lines if line.lower().startswith("accept:")] == ["Accept: text/*"]
    assert "content-length: 2" in lines
    assert sent == "é".encode()


def test_a_post_without_a_body_says_so() -> None:
    assert b"content-length: 0\r\n" in payload(OwnRequest("a", "POST", "/x"))
    assert b"content-length" not in payload(OwnRequest("a", "GET", "/x"))


def test_a_weight_is_how_often_a_request_is_in_the_deck() -> None:
    requests = [GET, OwnRequest("b", "GET", "/b", weight=3)]
    made = own_requests(requests, "http://127.0.0.1:1", ["GET /x"])
    assert [each.name for each in made] == ["GET /x", "b", "b", "b"]
    assert [each.endpoint for each in made] == [0, -1, -1, -1]


@pytest.mark.parametrize("url", ["127.0.0.1:80", "ftp://host", "", "http://"])
def test_an_address_that_is_not_http_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not an http:// or https:// address"):
        Address.of(url)


def test_tls_carries_replies_of_any_size() -> None:
    large = reply(b"x" * 200_000)
    with serving(says(large), tls_context()) as url:
        columns, examples = loaded_at(url, verify_tls=False, size=2)
    assert examples == ()
    assert set(columns["size"]) == {200_000}


def test_a_certificate_that_does_not_hold_is_refused() -> None:
    with serving(says(reply()), tls_context()) as url:
        columns, examples = loaded_at(url, enough=1)
    assert set(columns["failure"]) == {int(Failure.REFUSED)}
    assert "certificate verify failed" in examples[0]


def test_a_server_without_tls_is_refused() -> None:
    with serving(says(b"nothing of TLS\r\n\r\n", keep=False)) as url:
        columns, examples = loaded_at(url.replace("http:", "https:"), enough=1)
    assert set(columns["failure"]) == {int(Failure.REFUSED)}
    assert examples


@pytest.mark.parametrize("takes_a_while", [False, True])
def test_waiting_for_a_reply_over_a_new_connection_takes_no_cpu_time(
    takes_a_while: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if takes_a_while:  # as to another machine
        monkeypatch.setattr(sockets, "_is_connected", lambda _sock: False)
    closing = WHOLE.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)
    with serving(says(closing, keep=False, delay_s=0.2)) as url:
        fleet = ClosedFleet(url, own_requests([GET], url, []), 1, timeout_s=60, seed=1, origin_ns=0)
        used_s, begun_s = time.thread_time(), time.perf_counter()
        fleet.run_slice(0, 1.0, 0.0)
        used_s, took_s = time.thread_time() - used_s, time.perf_counter() - begun_s
        fleet.close()
    assert fleet.recorder.errors == 0
    assert len(fleet.recorder) >= 3
    assert used_s < took_s / 4


def test_what_is_sent_before_there_is_a_connection_is_sent_once_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closing = WHOLE.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)
    refusals = itertools.cycle([True, True, False])

    class Late(OwnConnection):
        """A connection whose socket can't be written to at first."""

        def _write(self, data: bytes) -> None:
            if self.connecting and next(refusals):
                self.unsent = data
            else:
                super()._write(data)

    monkeypatch.setattr(sockets, "_is_connected", lambda _sock: False)
    monkeypatch.setattr(own, "OwnConnection", Late)
    columns, examples = loaded(says(closing, keep=False), enough=20, size=3)
    assert examples == ()
    assert set(columns["size"]) == {12}


def test_of_very_many_sizes_no_further_ones_are_told_apart() -> None:
    recorder = Recorder()
    for size in range(40_000):
        number = recorder.intern(Outcome(200, size, Failure.NONE))
        recorder.add(0, 0, 1, number)
    sizes = recorder.columns(0)["size"]
    assert list(sizes[:3]) == [0, 1, 2]
    assert sizes[-1] == 0
    assert len(recorder.outcomes) < 1 << 15


def test_a_user_whom_the_server_refuses_does_not_ask_again_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(_opener: sockets.Opener) -> tuple[socket.socket, bool]:
        """As from another machine: the refusal comes after one has begun to connect."""
        sock = socket.socket()
        sock.setblocking(False)
        return sock, False

    closing = WHOLE.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)
    with serving(says(closing, keep=False)) as url:
        fleet = ClosedFleet(url, own_requests([GET], url, []), 2, timeout_s=5, seed=1, origin_ns=0)
        fleet._open_all()
        monkeypatch.setattr(sockets.Opener, "begin", refused)
        fleet.run_slice(0, 0.5, 0.0)
        fleet.close()
    assert fleet.recorder.failed(Failure.REFUSED) + fleet.recorder.failed(Failure.CLOSED) <= 2
    assert len(fleet.recorder) <= 4


@pytest.mark.parametrize(
    "request_",
    [
        OwnRequest("a", "POST", "/x?y=1", (("x-trace", "7"),), '{"a": 1}'),
        OwnRequest("b", "PUT", "/x"),
        OwnRequest("c", "GET", "/x", (("accept", "text/*"), ("user-agent", "shop"))),
    ],
    ids=lambda request: request.method,
)
def test_check_and_load_send_the_same(request_: OwnRequest) -> None:
    seen: list[Asked] = []

    def noting(asked: Asked) -> bytes:
        seen.append(asked)
        return own_reply("ok")

    with service(noting) as url:
        assert exchange(url, request_).failure is None
        loaded_at(url, request_, enough=1)
    by_check, by_load = seen[:2]
    assert (by_check.method, by_check.path, by_check.body) == (
        by_load.method,
        by_load.path,
        by_load.body,
    )
    # Nothing is decoded under load.
    assert set(by_check.headers) ^ set(by_load.headers) == {
        ("accept-encoding", "gzip, deflate, br")
    }
