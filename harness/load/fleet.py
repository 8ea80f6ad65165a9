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

from gevent import monkey

from harness.load.client import address
from harness.load.connection import RECEIVE_BYTES, Connection, Outcome, Sendable
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
        requests: Sequence[Sendable],
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
        self._deck: list[Sendable] = []
        self._refusal = ""  # why the last connection could not be opened
        self._asks_no_more = False  # since the server let one wait in vain
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

    def draw(self) -> Sendable:
        """The next request: each as often as the others, shuffled afresh every time through."""
        if not self._deck:
            self._deck = self._requests.copy()
            self._random.shuffle(self._deck)
        return self._deck.pop()

    def forget(self) -> None:
        """Record afresh, as after a warm-up; connections stay open."""
        self.recorder = Recorder()
        self._asks_no_more = False  # it may have been busy with its start
        for request in self._requests:
            request.forget()  # its outcome was a number of the old recorder's

    def look_back(self) -> None:
        """After the last slice: what was lost since then belongs to it."""
        self._drop_useless()
        self.recorder.lengthen_slice()

    # ------------------------------------------------------------------ connections

    def _connect(self) -> Connection | None:
        """One connection more; None if the server takes none."""
        if self._asks_no_more:
            return None
        try:
            sock = _socket(socket.AF_INET, socket.SOCK_STREAM)
        except OSError as error:  # no file descriptor left
            self._refusal = str(error)
            return None
        sock.settimeout(_CONNECT_S)
        try:
            sock.connect((self._host, self._port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = self._requests[0].connect(sock)
        except OSError as error:
            sock.close()
            self._refusal = str(error)
            if isinstance(error, TimeoutError):
                self._refusal = f"no answer within {_CONNECT_S:g} s"
                self._asks_no_more = True  # or every slice would begin with that wait
            return None
        sock.setblocking(False)
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
        """While nothing is in flight: close what is broken, closed or says what it should not."""
        for fileno, _ in self._poller.wait(0):
            connection = self._connections[fileno]
            data = self._read(connection)
            if data is not None:
                self._take_unasked(connection, data)
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
        outcome = connection.take(data)
        if outcome is None:
            return None
        number = self.recorder.intern(outcome)
        if outcome.good:
            connection.remember(data, number)
        return number

    def _take_unasked(self, connection: Connection, data: bytes) -> None:
        """What came while nothing was in flight there; recorded if it is a failure."""
        outcome = connection.take_unasked(data)
        if outcome is not None:
            number = self.recorder.intern(outcome)
            start_ns = connection.start_ns
            self.recorder.add(connection.intended_ns, start_ns, start_ns, number)

    def _failure(self, failure: Failure, example: str) -> int:
        return self.recorder.intern(Outcome(0, 0, failure, example))

    def _record_refusals(self, begin_ns: int, count: int) -> None:
        problem = f"{count} of {self._size} connections could not be opened: {self._refusal}"
        number = self._failure(Failure.REFUSED, problem)
        for _ in range(count):
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
            connection.broken = True
            problem = f"{connection.request.name}: no whole reply in time"
            number = self._failure(Failure.TIMEOUT, problem)
            self.recorder.add(connection.intended_ns, connection.start_ns, now_ns, number)
        return late
