"""Many connections to one stack, driven by one loop, a slice at a time: what both loads share.

The loop is plain epoll on plain sockets. A greenlet per connection would spend more time on
switching than a fast server spends on answering, and the generator would be what is measured.
"""

from __future__ import annotations

import random
import select
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence

import httptools
from gevent import monkey

from harness.load.client import (
    HEAD_END,
    RECEIVE_BYTES,
    Connection,
    Outcome,
    Request,
    address,
)
from harness.load.recorder import Recorder
from harness.models import Failure, Slice

#: Locust has patched `socket` and `select` by the time we run: these are the system's own.
_socket = monkey.get_original("socket", "socket")
_select = monkey.get_original("select", "select")
_CONNECT_S = 5.0
#: How often to look for requests that have waited too long.
LOOK_S = 0.5
_MS = 0.001


class _Poller:
    """Readable sockets: epoll, or poll where the system has no epoll."""

    def __init__(self) -> None:
        try:
            self._poll = monkey.get_original("select", "epoll")()
            self._unit_s = 1.0
        except AttributeError:
            self._poll = monkey.get_original("select", "poll")()
            self._unit_s = _MS  # poll counts in milliseconds
        self._has_descriptor = hasattr(self._poll, "fileno")
        self.unregister = self._poll.unregister
        self.close = getattr(self._poll, "close", lambda: None)  # poll has nothing to close

    def register(self, fileno: int) -> None:
        self._poll.register(fileno, select.POLLIN)

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        ready: list[tuple[int, int]] = self._poll.poll(seconds / self._unit_s)
        return ready

    def wait_precisely(self, seconds: float) -> list[tuple[int, int]]:
        """Like `wait`, which rounds up to whole milliseconds: too coarse to keep a schedule."""
        if seconds <= 0:
            return self.wait(0)
        if self._has_descriptor:  # of the system's calls, select counts in microseconds
            _select([self._poll.fileno()], [], [], seconds)
            return self.wait(0)
        return self.wait(seconds - _MS if seconds > 2 * _MS else 0)


class Fleet(ABC):
    """Connections to one stack, and a loop that loads it.

    Every request that was sent, or was due, ends in the recorder: as a latency or as a failure.
    """

    def __init__(
        self,
        base_url: str,
        requests: Sequence[Request],
        size: int,
        *,
        timeout_s: float,
        seed: int | str,
        origin_ns: int,
    ) -> None:
        """Prepare connections; they are opened when they are needed.

        Args:
            base_url: the stack.
            requests: what is sent, each as often as the others, in drawn order.
            size: connections.
            timeout_s: a request that has no whole reply after that long has failed.
            seed: decides the order of requests.
            origin_ns: where the clock of all times starts (time.perf_counter_ns).
        """
        self._host, self._port, _ = address(base_url)
        self._requests = list(requests)
        self._size = size
        self._timeout_ns = int(timeout_s * 1e9)
        self._random = random.Random(seed)
        self._origin_ns = origin_ns
        self._poller = _Poller()
        self._connections: dict[int, Connection] = {}
        self._deck: list[Request] = []
        self.recorder = Recorder()

    @abstractmethod
    def run_slice(self, cycle: int, seconds: float, settle_s: float) -> Slice:
        """Load the stack, count for `seconds - settle_s`, wait until nothing is in flight."""

    def _slice(self, cycle: int, begin_ns: int, from_ns: int, to_ns: int) -> Slice:
        """The slice that ends now; times are the clock's own."""
        self.recorder.end_slice()
        origin_ns = self._origin_ns
        return Slice(
            cycle=cycle,
            begin_ns=begin_ns - origin_ns,
            from_ns=from_ns - origin_ns,
            to_ns=to_ns - origin_ns,
            end_ns=time.perf_counter_ns() - origin_ns,
        )

    def draw(self) -> Request:
        """The next request: each as often as the others, shuffled afresh every time through."""
        if not self._deck:
            self._deck = self._requests.copy()
            self._random.shuffle(self._deck)
        return self._deck.pop()

    def forget(self) -> None:
        """Record afresh, as after a warm-up; connections stay open."""
        self.recorder = Recorder()
        for request in self._requests:
            request.known_length = -1  # its outcome was a number of the old recorder's

    # ------------------------------------------------------------------ connections

    def _connect(self) -> Connection | None:
        """One connection more; None if the server takes none."""
        try:
            sock = _socket(socket.AF_INET, socket.SOCK_STREAM)
        except OSError:  # no file descriptor left
            return None
        sock.settimeout(_CONNECT_S)
        try:
            sock.connect((self._host, self._port))
        except OSError:
            sock.close()
            return None
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock)
        self._poller.register(connection.fileno)
        self._connections[connection.fileno] = connection
        return connection

    def _replace(self, connection: Connection) -> Connection | None:
        self._drop(connection)
        return self._connect()

    def _drop(self, connection: Connection) -> None:
        self._poller.unregister(connection.fileno)
        del self._connections[connection.fileno]
        connection.close()

    def _drop_useless(self) -> None:
        """While nothing is in flight: close what is broken, closed or says something unasked.

        A reply too many would be taken for the answer to the next request: one such is recorded
        as a failure for each connection that has it.
        """
        for fileno, _ in self._poller.wait(0):
            connection = self._connections[fileno]
            if not connection.broken and self._read(connection):
                problem = "more than one reply to one request"
                self._record_failure(connection, Failure.MALFORMED, problem, connection.start_ns)
            connection.broken = True
        for connection in [one for one in self._connections.values() if one.broken]:
            self._drop(connection)

    def close(self) -> None:
        """Close all connections."""
        for connection in list(self._connections.values()):
            self._drop(connection)
        self._poller.close()

    # ---------------------------------------------------------------------- replies

    def _read(self, connection: Connection) -> bytes | None:
        """What came; empty when the connection is closed, None when nothing came after all."""
        try:
            return connection.sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return b""  # reset: as good as closed

    def _look_closely(self, connection: Connection, data: bytes) -> int | None:
        """The long way: parse and compare. None while the reply is not whole."""
        request = connection.request
        if not data:
            return self._broken(connection, Failure.CLOSED, "connection closed by the server")
        whole_at_once = not connection.partial
        try:
            reply = connection.feed(data)
        except httptools.HttpParserError as error:
            return self._broken(connection, Failure.MALFORMED, f"not HTTP: {error}")
        if reply is None:
            return None
        outcome = request.judge(*reply)
        number = self.recorder.intern(outcome)
        if (
            outcome.good
            and whole_at_once
            and not connection.broken
            and data.endswith(HEAD_END + reply[1])
        ):
            request.remember(data, reply[1], number)
        return number

    def _broken(self, connection: Connection, failure: Failure, problem: str) -> int:
        connection.broken = True
        return self._failure(failure, f"{connection.request.name}: {problem}")

    def _failure(self, failure: Failure, example: str) -> int:
        return self.recorder.intern(Outcome(0, 0, failure, example))

    def _record_failure(
        self, connection: Connection, failure: Failure, problem: str, done_ns: int
    ) -> None:
        number = self._broken(connection, failure, problem)
        self.recorder.add(connection.intended_ns, connection.start_ns, done_ns, number)

    def _record_refusals(self, begin_ns: int, count: int) -> None:
        for _ in range(count):
            number = self._failure(Failure.REFUSED, "the server takes no connection")
            self.recorder.add(begin_ns, begin_ns, begin_ns, number)

    def _give_up_on_late(self, now_ns: int) -> list[Connection]:
        """Record as failures what has waited too long; the connections, not to be used again."""
        late = [
            connection
            for connection in self._connections.values()
            if connection.in_flight and now_ns - connection.start_ns > self._timeout_ns
        ]
        for connection in late:
            connection.in_flight = False
            self._record_failure(connection, Failure.TIMEOUT, "no whole reply in time", now_ns)
        return late
