"""Open load: requests go out when they are due, whether or not earlier ones have been answered."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from harness.load import schedule
from harness.load.connection import Sendable
from harness.load.fleet import LOOK_S, Fleet
from harness.models import Failure, Load, Slice

_LOOK_NS = int(LOOK_S * 1e9)
#: After so many requests that were due together, replies are looked for.
_BURST = 16


class OpenFleet(Fleet):
    """A schedule, and as many connections as it takes, up to a bound.

    The connection that was free last is used first, so that a server sees no more of them than
    it needs.
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
        """As Fleet's, and the schedule.

        Args:
            base_url: the stack.
            requests: what is sent.
            load: rate and arrivals of all parts together; `users` connections at most.
            schedule_seed: decides when requests are due, the same for every stack.
            part: which share of the schedule is ours, from 0.
            parts: how many shares there are.
            others: as Fleet's.
        """
        assert load.rate_rps is not None
        super().__init__(base_url, requests, max(1, load.users // parts), **others)
        self._rate_rps = load.rate_rps
        self._arrivals = load.arrivals
        self._schedule_seed = schedule_seed
        self._part, self._parts = part, parts

    def run_slice(self, cycle: int, seconds: float, settle_s: float) -> Slice:
        """Send what is due within `seconds`, and wait until all of it is answered or given up.

        What is due when every connection is taken waits for one; its latency runs from when it
        was due. What has not been sent by the time-out after the end has failed.
        """
        due = schedule.due_ns(
            self._arrivals,
            self._rate_rps,
            seconds,
            f"{self._schedule_seed} {cycle}",
            part=self._part,
            parts=self._parts,
        )
        self._drop_useless()
        self.recorder.begin_slice()
        clock = time.perf_counter_ns
        record = self.recorder.add
        connections = self._connections
        wait = self._poller.wait_precisely
        read = self._read
        draw = self.draw
        free = list(connections.values())
        last, sent, in_flight = len(due), 0, 0
        starving = False  # the next request is due, and no connection is free

        begin = clock()
        end = begin + int(seconds * 1e9)
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
                connection_or_none = free.pop() if free else self._connect()
                intended = begin + due[sent]
                sent += 1
                if connection_or_none is None:
                    self._record_refusals(intended, 1)
                    continue
                connection = connection_or_none
                connection.send(draw(), clock())
                connection.intended_ns = intended
                in_flight += 1
                self.recorder.starved += starving
            if sent == last or begin + due[sent] > now:
                starving = False  # caught up
            if sent == last and not in_flight and now >= end:
                break
            if starving:
                until = look_again
            elif sent == last:
                until = look_again if in_flight else end
            else:
                until = min(look_again, begin + due[sent])
            for fileno, _ in wait((until - clock()) / 1e9):
                connection = connections[fileno]
                now = clock()  # before reading: the answer is there, the rest is our own time
                data = read(connection)
                if data is None:
                    continue
                if not connection.in_flight:
                    self._take_unasked(connection, data)
                    if connection.broken:
                        free.remove(connection)
                        self._drop(connection)
                    continue
                request = connection.request
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
                connection.in_flight = False
                in_flight -= 1
                record(connection.intended_ns, connection.start_ns, now, outcome)
                if connection.broken:
                    self._drop(connection)
                else:
                    free.append(connection)
        self._record_never_sent([begin + at for at in due[sent:]], clock())
        self._drop_useless()
        return self._slice(cycle, begin, begin + int(settle_s * 1e9), end)

    def _record_never_sent(self, intended_ns: Sequence[int], now_ns: int) -> None:
        for intended in intended_ns:
            number = self._failure(
                Failure.NEVER_SENT, "due, but no connection was free until the end"
            )
            self.recorder.add(intended, now_ns, now_ns, number)
