"""Many connections to one stack, driven by one loop: the part that both kinds of load share.

The loop is plain epoll on plain sockets. A greenlet per connection would spend more time on
switching than a fast server spends on answering, and the generator would be what is measured.
"""

from __future__ import annotations

import random
import select
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from gevent import monkey

from harness.load.connection import RECEIVE_BYTES, Connection, Outcome, Sendable
from harness.load.recorder import Recorder
from harness.load.sockets import Opener
from harness.models import Failure, Slice

#: Locust has replaced `select` by the time this runs; this is the system's own.
_select = monkey.get_original("select", "select")
_CONNECT_S = 5.0
#: How often the loops look for requests that have waited too long.
LOOK_S = 0.5
_MS = 0.001
#: A sleep of several milliseconds ends 50 to 100 µs late on a virtual machine, and one that
#: follows within 150 µs ends 30 µs late, since the kernel does not let the core go to sleep for it.
#: So the first sleep ends this long before a request is due, and the second this long.
_NAP_NS = 150_000
_SPIN_NS = 60_000
#: Replies are not read this shortly before a request is due: reading one takes about as long.
_LAST_NS = 5_000


class Poller:
    """Waits for readable sockets: with epoll, or with poll where the system has no epoll."""

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
        #: CPU time that `wait_until` has spent on spinning so far.
        self.spun_ns = 0

    def register(self, fileno: int, *, connected: bool = True) -> None:
        """Watch this socket from now on: whether it can be read, or is connected."""
        self._poll.register(fileno, select.POLLIN if connected else select.POLLIN | select.POLLOUT)

    def connected(self, fileno: int) -> None:
        """Watch from now on only whether it can be read."""
        self._poll.modify(fileno, select.POLLIN)

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        """Return the sockets that can be read, at the latest after `seconds`.

        The time is rounded up to whole milliseconds, which is too coarse to keep a schedule.
        """
        ready: list[tuple[int, int]] = self._poll.poll(seconds / self._unit_s)
        return ready

    def wait_until(self, due_ns: int) -> list[tuple[int, int]]:
        """Return the sockets that can be read, or none at `due_ns` (time.perf_counter_ns).

        May return early and empty: call it in a loop that looks at the clock. Sleeping longer
        makes a wake-up later, so this sleeps twice, and spins at the very end. Until then the
        core is free for the services that share it.
        """
        left_ns = due_ns - time.perf_counter_ns()
        if left_ns <= 0:
            return self.wait(0)
        if left_ns > _SPIN_NS:
            spare_ns = _NAP_NS if left_ns > _NAP_NS else _SPIN_NS
            return self._sleep((left_ns - spare_ns) / 1e9)
        clock, poll = time.perf_counter_ns, self._poll.poll
        begun_ns = time.thread_time_ns()
        ready: list[tuple[int, int]] = poll(0)
        while not ready and clock() < due_ns:
            if clock() > due_ns - _LAST_NS:
                # Only the clock is left to look at, so that nothing delays the request.
                self.spun_ns += time.thread_time_ns() - begun_ns + max(0, due_ns - clock())
                while clock() < due_ns:
                    pass
                return ready
            ready = poll(0)
        self.spun_ns += time.thread_time_ns() - begun_ns
        return ready

    def _sleep(self, seconds: float) -> list[tuple[int, int]]:
        if self._has_descriptor:  # select counts in microseconds
            _select([self._poll.fileno()], [], [], seconds)
            return self.wait(0)
        return self.wait(seconds - _MS if seconds > 2 * _MS else 0)


class TakesTurns(Protocol):
    """What loads one stack in its turns, whatever its users are."""

    recorder: Recorder

    @abstractmethod
    def run_slice(
        self,
        cycle: int,
        seconds: float,
        settle_s: float,
        requests: int | None = None,
        uncounted: int = 0,
    ) -> Slice:
        """Load the stack for about `seconds`, and wait until nothing is in flight."""

    def look_back(self) -> None:
        """Record what was lost since the last slice."""

    def forget(self) -> None:
        """Drop what was recorded so far, as after a warm-up."""

    def close(self) -> None:
        """End what the users do."""


class Fleet(TakesTurns, ABC):
    """Connections to one stack, and a loop that loads it.

    The recorder gets every request that was sent or was due, as a latency or as a failure.
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
        verify_tls: bool = True,
    ) -> None:
        """Prepare connections; each is opened when it is first needed.

        Args:
            base_url: address of the stack.
            requests: requests to send, each as often as the others, in random order.
            size: number of connections.
            timeout_s: a request fails when its whole reply takes longer than this.
            seed: decides the order of requests.
            origin_ns: when the clock of all recorded times starts (time.perf_counter_ns).
            verify_tls: whether a certificate must hold.
        """
        self._opener = Opener(base_url, verify_tls=verify_tls)
        self._requests = list(requests)
        self._size = size
        self._timeout_ns = int(timeout_s * 1e9)
        self._random = random.Random(seed)
        self._origin_ns = origin_ns
        self._poller = Poller()
        self._connections: dict[int, Connection] = {}
        self._deck: list[Sendable] = []
        self._refusal = ""  # why the last connection could not be opened
        self._gave_up_connecting = False  # because a connection was not answered in time
        self.recorder = Recorder()

    def _slice(
        self,
        cycle: int,
        begin_ns: int,
        from_ns: int,
        to_ns: int,
        requests: int | None = None,
        think_ns: int = 0,
    ) -> Slice:
        """End the slice now; `begin_ns`, `from_ns` and `to_ns` are readings of the clock."""
        self.recorder.end_slice()
        origin_ns = self._origin_ns
        return Slice(
            cycle=cycle,
            begin_ns=begin_ns - origin_ns,
            from_ns=from_ns - origin_ns,
            to_ns=to_ns - origin_ns,
            end_ns=time.perf_counter_ns() - origin_ns,
            requests=requests,
            think_ns=think_ns,
        )

    def draw(self) -> Sendable:
        """Return the next request: each comes once before any comes again, in random order."""
        if not self._deck:
            self._deck = self._requests.copy()
            self._random.shuffle(self._deck)
        return self._deck.pop()

    def forget(self) -> None:
        """Drop what was recorded so far, as after a warm-up; connections stay open."""
        self.recorder = Recorder()
        self._gave_up_connecting = False  # the server may have been busy starting
        for request in self._requests:
            request.forget()  # the numbers of outcomes belong to the old recorder

    def look_back(self) -> None:
        """Count the connections that were lost since the last slice as part of it."""
        self._drop_useless()
        self.recorder.lengthen_slice()

    # ------------------------------------------------------------------ connections

    def _connect(self) -> Connection | None:
        """Open one more connection; return None if the server accepts none."""
        if self._gave_up_connecting:
            return None
        sock = None
        try:
            sock = self._opener.open(_CONNECT_S)
            connection = self._requests[0].connect(sock)
        except OSError as error:  # refused, no descriptor left, or a certificate does not hold
            if sock is not None:
                sock.close()
            self._refusal = str(error)
            if isinstance(error, TimeoutError):
                self._refusal = f"no answer within {_CONNECT_S:g} s"
                self._gave_up_connecting = True  # otherwise each slice would begin with that wait
            return None
        sock.setblocking(False)
        self._poller.register(connection.fileno)
        self._connections[connection.fileno] = connection
        return connection

    def _begin_to_connect(self) -> Connection | None:
        """Open one more connection without waiting for the server, where its protocol allows that.

        What is sent over it is sent once it is connected. None if the server refuses.
        """
        if self._requests[0].shakes_hands or self._opener.address.tls:
            return self._connect()
        try:
            sock, connected = self._opener.begin()
        except OSError as error:
            self._refusal = str(error)
            return None
        connection = self._requests[0].connect(sock)
        connection.connecting = not connected
        self._poller.register(connection.fileno, connected=connected)
        self._connections[connection.fileno] = connection
        return connection

    def _replace(self, connection: Connection) -> Connection | None:
        """Close a connection and open another one; return None if the server accepts none."""
        self._drop(connection)
        return self._begin_to_connect()

    def _drop(self, connection: Connection) -> None:
        """Close a connection and forget it."""
        self._poller.unregister(connection.fileno)
        del self._connections[connection.fileno]
        connection.close()

    def _drop_useless(self) -> None:
        """Close connections that are of no use any more; nothing may be in flight."""
        for fileno, _ in self._poller.wait(0):
            self._receive(self._connections[fileno])
        for connection in list(self._connections.values()):
            if connection.broken:
                self._drop(connection)

    def close(self) -> None:
        """Close all connections."""
        for connection in list(self._connections.values()):
            self._drop(connection)
        self._poller.close()

    # ---------------------------------------------------------------------- replies

    def _receive(self, connection: Connection) -> int | None:
        """Read from a connection; return the number of the outcome once the reply is whole.

        Both loops spend most of their time here. A reply that equals an earlier good one to the
        byte is recognised without a further call.
        """
        try:
            data = connection.sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            if connection.connecting:
                self._poller.connected(connection.fileno)
                connection.connected()
            return None  # nothing came after all
        except OSError as error:
            if connection.connecting and connection.in_flight:
                return self._refused(connection, error)
            data = b""  # a reset connection is handled like one that was closed
        if not connection.in_flight:
            self._take_unasked(connection, data)
            return None
        request = connection.request
        if (
            len(data) == request.known_length
            and not connection.partial
            and data.startswith(request.known_head)
            and data.endswith(request.known_tail)
        ):
            connection.in_flight = False
            return request.known_outcome
        outcome = connection.take(data)
        if outcome is None:
            return None
        connection.in_flight = False
        number = self.recorder.intern(outcome)
        if outcome.good:
            connection.remember(data, number)
        return number

    def _refused(self, connection: Connection, error: OSError) -> int:
        """The outcome of a request whose connection did not come about."""
        connection.in_flight = False
        connection.broken = connection.refused = True
        request = connection.request
        problem = f"{request.name}: no connection: {error.strerror}"
        return self._failure(Failure.REFUSED, problem, request.endpoint)

    def _take_unasked(self, connection: Connection, data: bytes) -> None:
        """Handle data that came while nothing was in flight; drop a connection that it breaks."""
        outcome = connection.take_unasked(data)
        if outcome is not None:
            number = self.recorder.intern(outcome)
            start_ns = connection.start_ns
            self.recorder.add(connection.intended_ns, start_ns, start_ns, number)
        if connection.broken:
            self._drop(connection)

    def _failure(self, failure: Failure, example: str, endpoint: int = -1) -> int:
        """Return the number of an outcome without a reply."""
        return self.recorder.intern(Outcome(0, 0, failure, example, endpoint))

    def _record_refusals(self, begin_ns: int, count: int) -> None:
        """Record so many requests as failed because no connection could be opened."""
        problem = f"{count} of {self._size} connections could not be opened: {self._refusal}"
        number = self._failure(Failure.REFUSED, problem)
        for _ in range(count):
            self.recorder.add(begin_ns, begin_ns, begin_ns, number)

    def _give_up_on_late(self, now_ns: int) -> list[Connection]:
        """Record requests that waited too long as failures; return their connections, broken."""
        late = [
            connection
            for connection in self._connections.values()
            if connection.in_flight and now_ns - connection.start_ns > self._timeout_ns
        ]
        for connection in late:
            connection.in_flight = False
            connection.broken = True
            request = connection.request
            problem = f"{request.name}: no whole reply in time"
            number = self._failure(Failure.TIMEOUT, problem, request.endpoint)
            self.recorder.add(connection.intended_ns, connection.start_ns, now_ns, number)
        return late
