"""Closed load: each connection sends again as soon as its answer has come."""

from __future__ import annotations

import time

from harness.load.fleet import LOOK_S, Fleet
from harness.models import Slice

#: Where a stack lets some of its requests starve, the steady state does not wait for the last
#: tenth of them.
_FEW_SHARE = 10
_LOOK_NS = int(LOOK_S * 1e9)


class ClosedFleet(Fleet):
    """So many users, none of whom ever thinks."""

    def run_slice(self, cycle: int, seconds: float, settle_s: float) -> Slice:
        """Load the stack, count for `seconds - settle_s`, wait until nothing is in flight.

        Both edges of the counting window lie in the steady state: it begins when the settling
        time is over and (nearly) every connection has had its first reply, since they all start
        at once; and the load goes on after its end until (nearly) all that was in flight there
        is answered. Otherwise the requests across the edges would be served under another load
        than the rest.
        """
        self._drop_useless()
        self._open_all()
        self.recorder.begin_slice()
        clock = time.perf_counter_ns
        record = self.recorder.add
        connections = self._connections
        wait = self._poller.wait
        read = self._read
        draw = self.draw

        begin = clock()
        settled = begin + int(settle_s * 1e9)
        window = int((seconds - settle_s) * 1e9)
        edge = int(seconds * 1e9)  # at most; a slice that is too short for that fails its gate
        look_again = begin + _LOOK_NS
        counting_from = counting_to = 0  # not known yet
        for connection in connections.values():
            connection.send(draw(), clock())
        waiting = len(connections)
        unanswered = set(connections)  # no reply yet at all
        across: int | None = None  # of those in flight at the end of the window, yet to be answered
        seen_at = 0  # when that end was seen to be over
        few = waiting // _FEW_SHARE
        if waiting < self._size:  # the server takes no connection: that is a failure, not a pause
            self._record_refusals(begin, self._size - waiting)
        if not waiting:
            time.sleep(seconds)

        while waiting:
            now = clock()
            if now >= look_again:
                look_again = now + _LOOK_NS
                if not counting_to and now >= settled + edge:
                    counting_from, counting_to = now, now + window
                for connection in self._give_up_on_late(now):
                    unanswered.discard(connection.fileno)
                    replacement = self._replace(connection)
                    if replacement is None or (counting_to and now >= counting_to):
                        waiting -= 1
                    else:
                        replacement.send(draw(), clock())
            for fileno, _ in wait(LOOK_S):
                connection = connections[fileno]
                now = clock()  # before reading: the answer is there, the rest is our own time
                data = read(connection)
                if data is None:
                    continue
                if not connection.in_flight:
                    self._take_unasked(connection, data)
                    if connection.broken:
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
                record(connection.start_ns, connection.start_ns, now, outcome)
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
                        waiting -= 1
                        continue
                # A server that closes after each reply makes its clients connect anew, which
                # takes time, and that time is the request's.
                start = clock()
                if connection.broken:
                    replacement = self._replace(connection)
                    if replacement is None:
                        waiting -= 1
                        continue
                    connection = replacement
                connection.send(draw(), start)
        if not counting_to:  # it never got that far
            counting_from, counting_to = settled, settled + window
        self._drop_useless()
        return self._slice(cycle, begin, counting_from, counting_to)

    def _open_all(self) -> None:
        """Open what is missing of the connections; what can't be opened stays missing."""
        while len(self._connections) < self._size and self._connect() is not None:
            pass
