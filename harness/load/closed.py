"""Closed load: each connection sends its next request as soon as its reply has come."""

from __future__ import annotations

import time

from harness.load.fleet import LOOK_S, Fleet
from harness.models import Slice

#: Some stacks leave a few requests unanswered for long. A window therefore begins and ends when
#: nine tenths of the connections have been answered, and does not wait for the last tenth.
_FEW_SHARE = 10
_LOOK_NS = int(LOOK_S * 1e9)


class ClosedFleet(Fleet):
    """A fixed number of users who never pause between requests."""

    def run_slice(self, cycle: int, seconds: float, settle_s: float) -> Slice:
        """Load the stack, count for `seconds - settle_s`, wait until nothing is in flight.

        Both edges of the counting window lie in the steady state. All connections start at once,
        so the window begins when the settling time is over and nearly every connection has had
        its first reply. After its end the load goes on until nearly all requests that were in
        flight at that moment have been answered. Otherwise the requests that cross an edge would
        be served under a different load than the others.
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
        settled = begin + int(settle_s * 1e9)
        window = int((seconds - settle_s) * 1e9)
        #: Longest wait at either edge. A slice that is too short for its latency fails a gate.
        edge = int(seconds * 1e9)
        look_again = begin + _LOOK_NS
        counting_from = counting_to = 0  # 0: not known yet
        for connection in connections.values():
            connection.send(draw(), clock())
        waiting = len(connections)
        unanswered = set(connections)  # connections that have had no reply yet
        #: Requests that were in flight at the end of the window and are still unanswered.
        across: int | None = None
        seen_at = 0  # when the loop noticed the end of the window
        few = waiting // _FEW_SHARE
        if waiting < self._size:  # the server refused connections, which counts as failures
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
                now = clock()  # before reading: the reply is there, and reading is our own time
                outcome = receive(connection)
                if outcome is None:
                    continue
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
                # A server that closes after each reply makes its clients connect again. The time
                # that this takes is part of the request's latency.
                start = clock()
                if connection.broken:
                    replacement = self._replace(connection)
                    if replacement is None:
                        waiting -= 1
                        continue
                    connection = replacement
                connection.send(draw(), start)
        if not counting_to:  # the slice ended before a steady state was reached
            counting_from, counting_to = settled, settled + window
        self._drop_useless()
        return self._slice(cycle, begin, counting_from, counting_to)

    def _open_all(self) -> None:
        """Open connections until all are open or the server accepts no more."""
        while len(self._connections) < self._size and self._connect() is not None:
            pass
