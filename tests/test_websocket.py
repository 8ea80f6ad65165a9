"""Messages over WebSockets, on real sockets: what is not the promised echo is a loss."""

import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from websockets.frames import Frame, Opcode
from websockets.http11 import Request as Handshake
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from apps import contract
from harness.load import fleet as fleets
from harness.load.client import requests_for
from harness.load.closed import ClosedFleet
from harness.load.fleet import Fleet
from harness.load.open import OpenFleet
from harness.models import Arrivals, Failure, Load
from tests.socket_server import await_something_to_read, says
from tests.socket_server import serving as serving_http

ORIGIN_NS = time.perf_counter_ns()
#: Longer than any machine stalls: what a message must not wait for where a time-out is a failure.
PATIENT_S = 60.0
MESSAGES = [contract.live_message(number) for number in range(1, 20)]


def frame(data: bytes | str, opcode: Opcode = Opcode.TEXT, *, fin: bool = True) -> bytes:
    raw = data.encode() if isinstance(data, str) else data
    return Frame(opcode, raw, fin=fin).serialize(mask=False)


def echo(number: int, text: str) -> str:
    return json.dumps({"seq": number, "text": text}, ensure_ascii=False, separators=(",", ":"))


class Peer:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.number = 0
        self.pongs = 0
        self.closed_with: int | None = None

    def say(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.sock.sendall(piece)
            if len(pieces) > 1:
                time.sleep(0.002)


Answer = Callable[[Peer, int, str], None]


def usual(peer: Peer, number: int, text: str) -> None:
    peer.say(frame(echo(number, text)))


@contextmanager
def serving(answer: Answer, *, takes: int = 1000) -> Iterator[tuple[str, list[Peer]]]:
    """The URL of a server, and its connections so far; beyond `takes`, handshakes are ignored."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    over = threading.Event()
    peers: list[Peer] = []

    def talk(peer: Peer, taken: bool) -> None:
        protocol = ServerProtocol()
        with peer.sock as sock:
            sock.settimeout(60)
            try:
                while data := sock.recv(65536):
                    if not taken:
                        continue
                    protocol.receive_data(data)
                    for event in protocol.events_received():
                        if isinstance(event, Handshake):
                            protocol.send_response(protocol.accept(event))
                            assert protocol.state is OPEN
                        elif event.opcode is Opcode.TEXT:
                            peer.number += 1
                            answer(peer, peer.number, bytes(event.data).decode())
                        elif event.opcode is Opcode.PONG:
                            peer.pongs += 1
                        elif event.opcode is Opcode.CLOSE and protocol.close_rcvd:
                            peer.closed_with = protocol.close_rcvd.code
                    for piece in protocol.data_to_send():
                        sock.sendall(piece)
            except OSError:
                return  # the client has gone, or we have closed it

    def accept() -> None:
        while not over.is_set():
            try:
                sock, _ = listener.accept()
            except TimeoutError:
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peers.append(Peer(sock))
            talker = threading.Thread(
                target=talk, args=(peers[-1], len(peers) <= takes), daemon=True
            )
            talker.start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", peers
    finally:
        over.set()
        accepting.join()
        listener.close()


def fleet_for(url: str, *, size: int = 2, timeout_s: float = PATIENT_S) -> ClosedFleet:
    requests = requests_for(MESSAGES, url)
    return ClosedFleet(url, requests, size, timeout_s=timeout_s, seed=1, origin_ns=ORIGIN_NS)


def columns_of(fleet: Fleet) -> dict[str, np.ndarray]:
    return fleet.recorder.columns(ORIGIN_NS)


def loaded(
    answer: Answer, *, size: int = 2, timeout_s: float = PATIENT_S, enough: int = 1
) -> tuple[dict[str, np.ndarray], Fleet]:
    """The samples of as many slices as it takes to have enough of them."""
    with serving(answer) as (url, _):
        fleet = fleet_for(url, size=size, timeout_s=timeout_s)
        for cycle in itertools.count():
            fleet.run_slice(cycle, 0.1, 0.0)
            if len(fleet.recorder) >= enough:
                break
        fleet.close()
    return columns_of(fleet), fleet


def in_fragments(peer: Peer, number: int, text: str) -> None:
    whole = echo(number, text).encode()
    peer.say(frame(whole[:9], fin=False) + frame(whole[9:], Opcode.CONT))


def in_pieces(peer: Peer, number: int, text: str) -> None:
    whole = frame(echo(number, text))
    peer.say(whole[:1], whole[1:7], whole[7:])


def with_a_ping(peer: Peer, number: int, text: str) -> None:
    peer.say(frame(b"there?", Opcode.PING) + frame(echo(number, text)))


def with_blanks(peer: Peer, number: int, text: str) -> None:
    peer.say(frame(json.dumps({"text": text, "seq": number})))


@pytest.mark.parametrize("answer", [usual, in_fragments, in_pieces, with_a_ping, with_blanks])
def test_the_promised_echo_is_good_however_it_comes(answer: Answer) -> None:
    columns, fleet = loaded(answer, enough=5)
    assert fleet.recorder.errors == 0, fleet.recorder.examples
    assert set(columns["status"]) == {101}
    assert min(columns["size"]) > len('{"seq":1,"text":""}')


def test_pings_are_answered() -> None:
    with serving(with_a_ping) as (url, peers):
        fleet = fleet_for(url, size=1)
        fleet.run_slice(0, 0.05, 0.0)
        fleet.run_slice(1, 0.05, 0.0)
        fleet.close()
        (peer,) = peers
        assert peer.number > 1
        wait_until(lambda: peer.pongs == peer.number)


def wrong_number(peer: Peer, number: int, text: str) -> None:
    peer.say(frame(echo(number + 1, text)))


def wrong_text(peer: Peer, number: int, text: str) -> None:
    peer.say(frame(echo(number, text[:-1] + "!")))  # of the same length


def in_bytes(peer: Peer, number: int, text: str) -> None:
    peer.say(frame(echo(number, text).encode(), Opcode.BINARY))


def twice(peer: Peer, number: int, text: str) -> None:
    peer.say(frame(echo(number, text)) * 2)


def never(peer: Peer, number: int, text: str) -> None:
    pass


def half(peer: Peer, number: int, text: str) -> None:
    peer.say(frame(echo(number, text))[:-1])


def says_goodbye(peer: Peer, number: int, text: str) -> None:
    peer.say(frame(b"\x03\xf3I am tired", Opcode.CLOSE))


def hangs_up(peer: Peer, number: int, text: str) -> None:
    peer.sock.shutdown(socket.SHUT_RDWR)


def babbles(peer: Peer, number: int, text: str) -> None:
    peer.say(b"HTTP/1.1 200 OK\r\n" + b"x" * 100)


@pytest.mark.parametrize(
    ("answer", "failure", "words"),
    [
        (wrong_number, Failure.WRONG_BODY, "echo.seq is 2 instead of 1"),
        (wrong_text, Failure.WRONG_BODY, "echo.text is"),
        (in_bytes, Failure.WRONG_BODY, "not JSON"),
        (twice, Failure.MALFORMED, "more than one echo"),
        (never, Failure.TIMEOUT, "in time"),
        (half, Failure.TIMEOUT, "in time"),
        (says_goodbye, Failure.CLOSED, "I am tired"),
        (hangs_up, Failure.CLOSED, "connection closed"),
        (babbles, Failure.MALFORMED, "not WebSocket"),
    ],
)
def test_anything_else_is_a_loss(answer: Answer, failure: Failure, words: str) -> None:
    timeout_s = 0.2 if failure is Failure.TIMEOUT else PATIENT_S
    columns, fleet = loaded(answer, timeout_s=timeout_s)
    assert len(columns["failure"]) >= 2
    assert set(columns["failure"]) == {failure}
    assert words in fleet.recorder.examples[0]


def test_one_lost_message_among_many_is_seen() -> None:
    def tenth_is_another(peer: Peer, number: int, text: str) -> None:
        peer.say(frame(echo(number + 1 if number == 10 else number, text)))

    columns, fleet = loaded(tenth_is_another, size=1, enough=10)
    failed = int((columns["failure"] == Failure.WRONG_BODY).sum())
    assert failed == fleet.recorder.errors == len(columns["failure"]) // 10 > 0


def test_connections_are_held_and_numbers_count_through_slices() -> None:
    with serving(usual) as (url, peers):
        fleet = fleet_for(url, size=3)
        fleet.run_slice(0, 0.05, 0.0)
        fleet.forget()
        fleet.run_slice(1, 0.05, 0.0)
        assert len(peers) == 3
        assert fleet.recorder.errors == 0
        assert sum(peer.number for peer in peers) > len(fleet.recorder) > 0
        fleet.close()
        for peer in peers:
            wait_until(lambda peer=peer: peer.closed_with == 1000)


def test_pings_between_slices_are_answered_and_no_failure() -> None:
    with serving(usual) as (url, peers):
        fleet = fleet_for(url)
        fleet.run_slice(0, 0.05, 0.0)
        for peer in peers:
            peer.say(frame(b"", Opcode.PING))
        await_something_to_read(fleet, 2)
        fleet.run_slice(1, 0.05, 0.0)
        fleet.close()
        wait_until(lambda: [peer.pongs for peer in peers] == [1, 1])
    assert fleet.recorder.errors == 0


@pytest.mark.parametrize(
    ("goodbye", "words"),
    [(frame(b"\x03\xf3keepalive", Opcode.CLOSE), "keepalive"), (b"", "while it was held")],
)
def test_a_connection_lost_between_slices_is_a_loss_and_opened_again(
    goodbye: bytes, words: str
) -> None:
    with serving(usual) as (url, peers):
        fleet = fleet_for(url)
        fleet.run_slice(0, 0.05, 0.0)
        peers[0].say(goodbye)
        peers[0].sock.shutdown(socket.SHUT_RDWR)
        await_something_to_read(fleet)
        fleet.run_slice(1, 0.05, 0.0)
        fleet.close()
        assert len(peers) == 3
    assert fleet.recorder.failed(Failure.CLOSED) == fleet.recorder.errors == 1
    assert words in fleet.recorder.examples[0]


def test_a_connection_lost_after_the_last_slice_is_a_loss_of_that_slice() -> None:
    with serving(usual) as (url, peers):
        fleet = fleet_for(url)
        fleet.run_slice(0, 0.05, 0.0)
        peers[0].sock.shutdown(socket.SHUT_RDWR)
        await_something_to_read(fleet)
        fleet.look_back()
        columns = columns_of(fleet)
        fleet.close()
    assert set(columns["slice"]) == {0}
    assert len(columns["slice"]) == len(columns["failure"])
    assert list(columns["failure"]).count(Failure.CLOSED) == 1


def test_a_server_that_was_busy_in_the_warm_up_is_asked_again_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(usual) as (url, _):
        fleet = fleet_for(url, size=2)
        real = fleet._requests[0].connect
        monkeypatch.setattr(type(fleet._requests[0]), "connect", too_late)
        fleet.run_slice(0, 0.05, 0.0)
        assert fleet.recorder.errors > 0
        monkeypatch.setattr(type(fleet._requests[0]), "connect", real.__func__)
        fleet.forget()
        fleet.run_slice(1, 0.05, 0.0)
        fleet.close()
    assert len(fleet.recorder) > 0
    assert fleet.recorder.errors == 0


def too_late(*_: object) -> None:
    raise TimeoutError


def test_connections_that_can_not_be_held_are_failures_after_one_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fleets, "_CONNECT_S", 3.0)
    with serving(usual, takes=2) as (url, peers):
        fleet = fleet_for(url, size=5)
        fleet.run_slice(0, 0.05, 0.0)
        fleet.run_slice(1, 0.05, 0.0)
        fleet.close()
        assert len(peers) == 3  # a fourth would have been another wait
    assert fleet.recorder.failed(Failure.REFUSED) == fleet.recorder.errors == 2 * 3
    assert len(fleet.recorder) > 6
    assert fleet.recorder.examples == (
        "3 of 5 connections could not be opened: no answer within 3 s",
    )


def test_a_server_that_speaks_no_websocket_is_a_failure() -> None:
    refusal = b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    with serving_http(says(refusal, keep=False)) as url:
        fleet = fleet_for(url)
        fleet.run_slice(0, 0.05, 0.0)
        fleet.close()
    assert set(columns_of(fleet)["failure"]) == {Failure.REFUSED}
    assert "HTTP 500" in fleet.recorder.examples[0]


def test_open_load_sends_messages_when_they_are_due() -> None:
    with serving(usual) as (url, peers):
        fleet = OpenFleet(
            url, requests_for(MESSAGES, url), Load(10, 200, Arrivals.CONSTANT),
            schedule_seed="s", part=0, parts=1, timeout_s=PATIENT_S, seed=1, origin_ns=ORIGIN_NS,
        )  # fmt: skip
        fleet.run_slice(0, 0.3, 0.0)
        fleet.close()
        assert sum(peer.number for peer in peers) == len(fleet.recorder) == 60
    assert fleet.recorder.errors == 0


@pytest.mark.parametrize("size", [0, 100, 125, 126, 5_000, 70_000])
def test_an_echo_of_any_length_is_recognised(size: int) -> None:
    messages = [contract.Message("of a length", "/live", "x" * size)]
    with serving(usual) as (url, _):
        requests = requests_for(messages, url)
        fleet = ClosedFleet(url, requests, 1, timeout_s=PATIENT_S, seed=1, origin_ns=ORIGIN_NS)
        while len(fleet.recorder) <= 2:  # the first is parsed, and the others are recognised
            fleet.run_slice(0, 0.05, 0.0)
        fleet.close()
    assert fleet.recorder.errors == 0, fleet.recorder.examples


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
