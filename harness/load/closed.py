"""Closed load: each connection sends its next request as soon as its reply has come."""

from __future__ import annotations

import sys
import time

from harness.load.fleet import LOOK_S, Fleet
from harness.models import Slice

_LOOK_NS = int(LOOK_S * 1e9)
#: A slice counts no further requests after this many times the seconds that it was planned for, and
#: not before the shortest time below: a server that hardly answers must not hold up the run. As long
#: goes the load on, at most, for requests that are counted and not answered.
_OVERTIME = 10
_OVERTIME_NS = int(5e9)


class ClosedFleet(Fleet):
    """A fixed number of users who never pause between requests."""

    def run_slice(
        self,
        cycle: int,
        seconds: float,
        settle_s: float,
        requests: int | None = None,
        uncounted: int = 0,
    ) -> Slice:
        """Load the stack until enough requests are counted, and wait until nothing is in flight.

        Each connection's first request settles the load and is not counted: all connections send
        it at once. Nor are the `uncounted` requests after them, for which users who wait for another
        service get out of step. The next `requests` requests are counted, whoever sends them. The
        load goes on until they are answered, so that each of them is served under full load from its
        first moment to its last. What is sent meanwhile is not counted.

        The slice counts requests and not seconds, because a request that takes long would end a
        window of seconds early, or be cut off by it: what is left out would depend on what the
        server does. The number is decided before the slice begins.

        Args:
            cycle: number of the slice.
            seconds: how long the slice is meant to take. Without `requests`, what is sent in this
                time is counted.
            settle_s: of no meaning under closed load, in which requests settle the load.
            requests: how many requests to count; None where only the time matters, as in a warm-up.
            uncounted: how many more requests than the first ones settle the load.
        """
        self._drop_useless()
        self._open_all()
        self.recorder.begin_slice()
        clock = time.perf_counter_ns
        record = self.recorder.add
        connections = self._connections
        wait = self._poller.wait
        receive = self._receive
        draw = self.draw

        begin = clock()
        for connection in connections.values():
            connection.send(draw(), clock())
        waiting = len(connections)
        if waiting < self._size:  # the server refused connections, which counts as failures
            self._record_refusals(begin, self._size - waiting)
        if not waiting:
            time.sleep(seconds)
        length = int(seconds * 1e9)
        overtime = max(_OVERTIME_NS, _OVERTIME * length)
        ends = begin + (length if requests is None else overtime)
        counted = -uncounted
        wanted = sys.maxsize if requests is None else requests
        counting_from = sys.maxsize  # when the first counted request was sent
        counting_to = 0  # when the last request was counted; 0: not yet
        tail_ends = 0  # when the load ends, though counted requests may be unanswered
        unanswered = 0  # counted requests that are in flight
        think = 0  # time between a reply and the next request, of counted requests
        look_again = begin + _LOOK_NS

        while waiting:
            now = clock()
            if now >= look_again:
                look_again = now + _LOOK_NS
                if not counting_to and now >= ends:  # perhaps no reply will come
                    counting_to = tail_ends = now
                for connection in self._give_up_on_late(now):
                    unanswered -= counting_from <= connection.start_ns < (counting_to or now)
                    if counting_to:  # nothing more is sent
                        self._drop(connection)
                        waiting -= 1
                    elif (replacement := self._replace(connection)) is None:
                        waiting -= 1
                    else:
                        start = clock()
                        replacement.send(draw(), start)
                        counted += 1
                        if counted > 0:
                            if counted == 1:
                                counting_from = start
                            unanswered += 1
            for fileno, _ in wait(LOOK_S):
                connection = connections[fileno]
                now = clock()  # before reading: the reply is there, and reading is our own time
                outcome = receive(connection)
                if outcome is None:
                    continue
                sent = connection.start_ns
                record(sent, sent, now, outcome)
                if counting_to:
                    if counting_from <= sent < counting_to:
                        unanswered -= 1
                    if not unanswered or now >= tail_ends:
                        waiting -= 1
                        continue
                elif sent >= counting_from:
                    unanswered -= 1
                # A server that closes after each reply makes its clients connect again. The time
                # that this takes is part of the request's latency.
                start = clock()
                if not counting_to and (counted >= wanted or now >= ends):
                    counting_to, tail_ends = start, start + overtime
                    if not unanswered:
                        waiting -= 1
                        continue
                if connection.broken:
                    if connection.refused:  # and would be again at once
                        self._drop(connection)
                        waiting -= 1
                        continue
                    replacement = self._replace(connection)
                    if replacement is None:
                        waiting -= 1
                        continue
                    connection = replacement
                connection.send(draw(), start)
                if not counting_to:
                    counted += 1
                    if counted > 0:
                        if counted == 1:
                            counting_from = start
                        unanswered += 1
                        think += start - now
        self._drop_useless()
        ends_counting = counting_to or clock()
        begins_counting = min(counting_from, ends_counting)
        return self._slice(cycle, begin, begins_counting, ends_counting, requests, think)

    def _open_all(self) -> None:
        """Open connections until all are open or the server accepts no more."""
        while len(self._connections) < self._size and self._connect() is not None:
            pass
