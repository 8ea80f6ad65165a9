"""A clock that runs only while a stack has its turn: users who wait, wait by it."""

from __future__ import annotations

import heapq
import itertools
import time

from gevent.event import Event


class TurnClock:
    """Time in turns of one stack, and the users who sleep until a moment of it.

    When a turn ends, some requests are still in flight. Their users go on by a clock that runs on
    until the replies have come, while nobody else is woken. The next turn begins at the moment at
    which the last one ended. So a user whose reply came 8 ms after the end waits 8 ms longer in the
    next turn: users stay as far apart as they were. If the clock stood still for them, all users
    with a request in flight would begin to wait at one moment, and after some turns all would be in
    step.
    """

    def __init__(self) -> None:
        self.running = False  # whether sleepers are woken
        self._base_ns = 0  # what the clock said at `_since_ns`
        self._since_ns: int | None = None  # time.perf_counter_ns; None: the clock stands still
        self._resume_ns = 0  # where the next turn begins
        self._sleepers: list[tuple[int, int, Event]] = []
        self._numbers = itertools.count()
        #: Set when somebody goes to sleep who is to be woken first.
        self.news = Event()

    def now_ns(self) -> int:
        """What the clock says."""
        if self._since_ns is None:
            return self._base_ns
        return self._base_ns + time.perf_counter_ns() - self._since_ns

    def start(self) -> None:
        """Begin a turn."""
        self._base_ns, self._since_ns = self._resume_ns, time.perf_counter_ns()
        self.running = True

    def cut(self) -> None:
        """End a turn; the clock goes on for those alone who have a request in flight."""
        self._resume_ns = self.now_ns()
        self.running = False

    def stop(self) -> None:
        """Stand still, because nothing is in flight any more."""
        self._base_ns, self._since_ns = self.now_ns(), None

    def sleep(self, seconds: float) -> None:
        """Let the calling greenlet sleep for so many seconds of turns."""
        due_ns = self.now_ns() + int(seconds * 1e9)
        woken = Event()
        heapq.heappush(self._sleepers, (due_ns, next(self._numbers), woken))
        if self._sleepers[0][2] is woken:
            self.news.set()
        woken.wait()

    def wake(self) -> float | None:
        """Wake who has slept long enough; return the seconds until the next, None without any."""
        now_ns = self.now_ns()
        while self._sleepers and self._sleepers[0][0] <= now_ns:
            heapq.heappop(self._sleepers)[2].set()
        return (self._sleepers[0][0] - now_ns) / 1e9 if self._sleepers else None
