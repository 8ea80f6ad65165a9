"""Many connections to one stack, driven by one loop: closed load, a slice at a time.

The loop is plain epoll on plain sockets. A greenlet per connection would spend more time on
switching than a fast server spends on answering, and the generator would be what is measured.
"""

from __future__ import annotations

import random
import select
import socket
import time
from collections.abc import Sequence

import httptools
from gevent import monkey

from harness.load.client import (
    HEAD_END,
    RECEIVE_BYTES,
    Connection,
    Failure,
    Outcome,
    Request,
    address,
)
from harness.load.recorder import Recorder
from harness.models import Slice

#: Locust has patched `socket` and `select` by the time we run: these are the system's own.
_socket = monkey.get_original("socket", "socket")
_CONNECT_S = 5.0
#: Where a stack lets some of its requests starve, the steady state does not wait for the last
#: tenth of them.
_FEW_SHARE = 10


class _Poller:
    """Readable sockets: epoll, or poll where the system has no epoll."""

    def __init__(self) -> None:
        try:
            self._poll = monkey.get_original("select", "epoll")()
            self._unit_s = 1.0
        except AttributeError:
            self._poll = monkey.get_original("select", "poll")()
            self._unit_s = 0.001  # poll counts in milliseconds
        self.unregister = self._poll.unregister
        self.close = getattr(self._poll, "close", lambda: None)  # poll has nothing to close

    def register(self, fileno: int) -> None:
        self._poll.register(fileno, select.POLLIN)

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        ready: list[tuple[int, int]] = self._poll.poll(seconds / self._unit_s)
        return ready


class Fleet:
    """Closed load: `size` connections, each sends again as soon as its answer has come."""

    def __init__(
        self,
        base_url: str,
        requests: Sequence[Request],
        size: int,
        *,
        drain_s: float,
        seed: int | str,
        origin_ns: int,
    ) -> None:
        """Prepare connections; they are opened by `open`.

        Args:
            base_url: the stack.
            requests: what is sent, each as often as the others, in drawn order.
            size: connections.
            drain_s: how long answers may come after a slice has ended.
            seed: decides the order of requests.
            origin_ns: where the clock of all times starts (time.perf_counter_ns).
        """
        self._host, self._port, _ = address(base_url)
        self._requests = list(requests)
        self._size = size
        self._drain_ns = int(drain_s * 1e9)
        self._random = random.Random(seed)
        self._origin_ns = origin_ns
        self._poller = _Poller()
        self._connections: dict[int, Connection] = {}
        self._deck: list[Request] = []
        self.recorder = Recorder()

    def open(self) -> None:
        """Open what is missing of the connections; what can't be opened stays missing."""
        while len(self._connections) < self._size:
            connection = self._connect()
            if connection is None:
                return
            self._connections[connection.fileno] = connection

    def _connect(self) -> Connection | None:
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
        return connection

    def _drop(self, connection: Connection) -> None:
        self._poller.unregister(connection.fileno)
        del self._connections[connection.fileno]
        connection.close()

    def close(self) -> None:
        """Close all connections."""
        for connection in list(self._connections.values()):
            self._drop(connection)
        self._poller.close()

    def forget(self) -> None:
        """Record afresh, as after a warm-up; connections stay open."""
        self.recorder = Recorder()
        for request in self._requests:
            request.known_length = -1  # its outcome was a number of the old recorder's

    def draw(self) -> Request:
        """The next request: each as often as the others, shuffled afresh every time through."""
        if not self._deck:
            self._deck = self._requests.copy()
            self._random.shuffle(self._deck)
        return self._deck.pop()

    def run_slice(self, cycle: int, seconds: float, settle_s: float) -> Slice:
        """Load the stack, count for `seconds - settle_s`, wait until nothing is in flight.

        Both edges of the counting window lie in the steady state: it begins when the settling
        time is over and (nearly) every connection has had its first reply, since they all start
        at once; and the load goes on after its end until (nearly) all that was in flight there
        is answered. Otherwise the requests across the edges would be served under another load
        than the rest.

        Every request that was sent ends in the recorder, as a latency or as a failure.
        """
        self.open()
        clock = time.perf_counter_ns
        recorder = self.recorder
        record_start = recorder.start_ns.append
        record_latency = recorder.latency_ns.append
        record_outcome = recorder.outcome.append
        connections = self._connections
        wait = self._poller.wait
        draw = self.draw
        origin = self._origin_ns

        now = begin = clock()
        settled = begin + int(settle_s * 1e9)
        window = int((seconds - settle_s) * 1e9)
        edge = int(seconds * 1e9)  # at most; a slice that is too short for that fails its gate
        give_up = settled + edge + window + edge + self._drain_ns
        counting_from = counting_to = 0  # not known yet
        for connection in connections.values():
            connection.start_ns = clock()
            connection.send(draw())
        waiting = len(connections)
        unanswered = set(connections)  # no reply yet at all
        across: int | None = None  # of those in flight at the end of the window, yet to be answered
        seen_at = 0  # when that end was seen to be over
        few = waiting // _FEW_SHARE
        finished: set[int] = set()
        if waiting < self._size:  # the server takes no connection: that is a failure, not a pause
            self._record_refusals(begin, self._size - waiting)
        if not waiting:
            time.sleep(seconds)

        while waiting:
            ready = wait(max(0.0, (give_up - now) / 1e9))
            if not ready:
                self._record_timeouts(clock(), finished)
                break
            for fileno, _ in ready:
                connection = connections[fileno]
                try:
                    data = connection.sock.recv(RECEIVE_BYTES)
                except BlockingIOError:
                    continue
                except OSError:
                    data = b""  # reset: as good as closed
                now = clock()
                request = connection.request
                if fileno in finished:
                    # It had its answer; whatever it says unasked, it is of no use any more.
                    self._drop(connection)
                    continue
                if (
                    len(data) == request.known_length
                    and not connection.partial
                    and data.startswith(request.known_head)
                    and data.endswith(request.known_tail)
                ):
                    outcome = request.known_outcome
                else:
                    looked = self._look_closely(connection, data)
                    if looked is None:
                        continue
                    outcome = looked
                record_start(connection.start_ns - origin)
                record_latency(now - connection.start_ns)
                record_outcome(outcome)
                if not counting_to:
                    unanswered.discard(fileno)
                    if now >= settled and (len(unanswered) <= few or now >= settled + edge):
                        counting_from, counting_to = now, now + window
                elif now >= counting_to:
                    if across is None:
                        across, seen_at = waiting, now
                    if connection.start_ns < seen_at:
                        across -= 1
                    if across <= few or now >= counting_to + edge:
                        finished.add(fileno)
                        waiting -= 1
                        continue
                if connection.broken:
                    replacement = self._replace(connection)
                    if replacement is None:
                        waiting -= 1
                        continue
                    connection = replacement
                connection.start_ns = clock()
                connection.send(draw())
        if not counting_to:  # it never got that far
            counting_from, counting_to = settled, settled + window
        self._drop_useless()
        recorder.end_slice()
        return Slice(
            cycle=cycle,
            begin_ns=begin - origin,
            from_ns=counting_from - origin,
            to_ns=counting_to - origin,
            end_ns=clock() - origin,
        )

    def _look_closely(self, connection: Connection, data: bytes) -> int | None:
        """The long way: parse and compare. None while the reply is not whole."""
        request = connection.request
        if not data:
            connection.broken = True
            return self.recorder.intern(
                Outcome(0, 0, Failure.CLOSED, f"{request.name}: connection closed by the server")
            )
        whole_at_once = not connection.partial
        try:
            reply = connection.feed(data)
        except httptools.HttpParserError as error:
            connection.broken = True
            return self.recorder.intern(
                Outcome(0, 0, Failure.MALFORMED, f"{request.name}: not HTTP: {error}")
            )
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

    def _drop_useless(self) -> None:
        """Close what is broken, and what has more to say than it was asked.

        A reply too many would be taken for the answer to the next request: one such is recorded
        as a failure for each connection that has it.
        """
        for connection in list(self._connections.values()):
            if not connection.broken and connection.has_unread():
                connection.broken = True
                example = f"{connection.request.name}: more than one reply to one request"
                number = self.recorder.intern(Outcome(0, 0, Failure.MALFORMED, example))
                self.recorder.add(connection.start_ns - self._origin_ns, 0, number)
            if connection.broken:
                self._drop(connection)

    def _replace(self, connection: Connection) -> Connection | None:
        self._drop(connection)
        replacement = self._connect()
        if replacement is not None:
            self._connections[replacement.fileno] = replacement
        return replacement

    def _record_refusals(self, begin_ns: int, count: int) -> None:
        outcome = Outcome(0, 0, Failure.REFUSED, "the server takes no connection")
        number = self.recorder.intern(outcome)
        for _ in range(count):
            self.recorder.add(begin_ns - self._origin_ns, 0, number)

    def _record_timeouts(self, now_ns: int, finished: set[int]) -> None:
        """What has not answered by the end of the drain has failed."""
        for connection in self._connections.values():
            if connection.fileno not in finished:
                connection.broken = True
                example = f"{connection.request.name}: no whole reply in time"
                number = self.recorder.intern(Outcome(0, 0, Failure.TIMEOUT, example))
                elapsed_ns = now_ns - connection.start_ns
                self.recorder.add(connection.start_ns - self._origin_ns, elapsed_ns, number)
