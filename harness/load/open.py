"""Open load: each request is sent when it is due, whether or not earlier ones have been answered."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from harness.load import schedule
from harness.load.connection import Connection, Sendable
from harness.load.fleet import LOOK_S, Fleet
from harness.load.punctual import punctual
from harness.models import Failure, Load, Slice

_LOOK_NS = int(LOOK_S * 1e9)
#: When many requests are due at once, the loop reads replies after sending this many.
_BURST = 16


class OpenFleet(Fleet):
    """A schedule, and as many connections as it takes, up to a bound.

    The connection that became free last is used first, so that the server sees no more
    connections than necessary.
    """

    def __init__(
        self,
        base_url: str,
        requests: Sequence[Sendable],
        load: Load,
        *,
        schedule_seed: str,
        part: int,
        parts: int,
        **others: Any,
    ) -> None:
        """Prepare one load process's share of the load.

        Args:
            base_url: address of the stack.
            requests: requests to send, each as often as the others, in random order.
            load: rate, arrivals and largest number of connections of all load processes together.
            schedule_seed: decides when requests are due, the same for every stack.
            part: number of this load process, from 0.
            parts: number of load processes.
            others: the other arguments of Fleet.
        """
        assert load.rate_rps is not None
        super().__init__(base_url, requests, max(1, load.users // parts), **others)
        self.rate_rps = load.rate_rps
        self._arrivals = load.arrivals
        self._schedule_seed = schedule_seed
        self._part, self._parts = part, parts
        self._free: list[Connection] = []

    def run_slice(
        self,
        cycle: int,
        seconds: float,
        settle_s: float,
        requests: int | None = None,
        uncounted: int = 0,
    ) -> Slice:
        """Send what is due within `seconds`, and wait until all of it is answered or has failed.

        A request that is due while every connection is taken waits for one; its latency runs
        from when it was due. A request that could not be sent within the time-out after the end
        of the slice has failed.
        """
        due = schedule.due_ns(
            self._arrivals,
            self.rate_rps,
            seconds,
            f"{self._schedule_seed} {cycle}",
            part=self._part,
            parts=self._parts,
        )
        self._drop_useless()
        self.recorder.begin_slice()
        spun_before_ns = self._poller.spun_ns
        with punctual():
            begin, end = self._send_on_schedule(due, int(seconds * 1e9))
        self.recorder.spun_ns += self._poller.spun_ns - spun_before_ns
        self._drop_useless()
        return self._slice(cycle, begin, begin + int(settle_s * 1e9), end)

    def _send_on_schedule(self, due: Sequence[int], length_ns: int) -> tuple[int, int]:
        """Send and receive until nothing is left; return when the schedule began and ended."""
        clock = time.perf_counter_ns
        record = self.recorder.add
        connections = self._connections
        wait = self._poller.wait
        wait_until = self._poller.wait_until
        receive = self._receive
        draw = self.draw
        free = self._free = list(connections.values())
        last, sent, in_flight = len(due), 0, 0
        starving = False  # the next request is due, and no connection is free

        begin = clock()
        end = begin + length_ns
        look_again = begin + _LOOK_NS
        while True:
            now = clock()
            if now >= look_again:
                look_again = now + _LOOK_NS
                for connection in self._give_up_on_late(now):
                    self._drop(connection)
                    in_flight -= 1
            if now > end + self._timeout_ns:
                last = sent
            burst = min(last, sent + _BURST)
            while sent < burst and begin + due[sent] <= now:
                if not free and len(connections) >= self._size:
                    starving = True
                    break
                connection_or_none = free.pop() if free else self._begin_to_connect()
                intended = begin + due[sent]
                sent += 1
                if connection_or_none is None:
                    self._record_refusals(intended, 1)
                    continue
                connection = connection_or_none
                connection.send(draw(), clock())
                connection.intended_ns = intended
                in_flight += 1
                if starving:
                    self.recorder.add_starved(intended)
            if sent == last or begin + due[sent] > now:
                starving = False  # the schedule has been caught up with
            if sent == last and not in_flight and now >= end:
                break
            if starving or sent == last:
                until = look_again if in_flight else end
                ready = wait(max(0, until - clock()) / 1e9)
            else:
                ready = wait_until(min(look_again, begin + due[sent]))
            for fileno, _ in ready:
                connection = connections[fileno]
                now = clock()  # before reading: the reply is there, and reading is our own time
                outcome = receive(connection)
                if outcome is None:
                    continue
                in_flight -= 1
                record(connection.intended_ns, connection.start_ns, now, outcome)
                if connection.broken:
                    self._drop(connection)
                else:
                    free.append(connection)
        self._record_never_sent([begin + at for at in due[sent:]], clock())
        return begin, end

    def _drop(self, connection: Connection) -> None:
        """Close a connection and forget it, also as one that is free."""
        super()._drop(connection)
        if connection in self._free:
            self._free.remove(connection)

    def _record_never_sent(self, intended_ns: Sequence[int], now_ns: int) -> None:
        """Record requests as failed that were due while no connection was free, until the end."""
        for intended in intended_ns:
            number = self._failure(
                Failure.NEVER_SENT, "due, but no connection was free until the end"
            )
            self.recorder.add(intended, now_ns, now_ns, number)
