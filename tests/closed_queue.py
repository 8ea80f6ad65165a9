"""Simulates closed load on a server whose throughput follows from a formula, slice by slice."""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.models import Samples, Slice
from harness.planning.plan import Length


@dataclass
class Server:
    """Serves one request at a time, and may pause after every so many requests.

    What the server has done so far goes on counting when a slice ends, as in a real process.
    """

    service_s: float
    pause_every: int = 0  # requests; 0: never
    pause_s: float = 0.0
    delay_s: float = 0.0  # each reply waits so long for another service, which takes no capacity
    after_s: float = 0.0  # what a request takes after that, as in a server with an event loop
    in_order: bool = True  # otherwise the next request is drawn from those that wait
    spread: float = 0.0  # standard deviation of the service time ÷ its mean
    served: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    waiting: list[int] = field(default_factory=list)
    delayed: set[int] = field(default_factory=set)  # those whose request has had its delay
    busy: bool = False

    @property
    def capacity_rps(self) -> float:
        """Requests per second while the server has always something to do."""
        pauses_s = self.pause_s / self.pause_every if self.pause_every else 0
        return 1 / (self.service_s + self.after_s + pauses_s)

    def take(self) -> tuple[int, float]:
        """Take the next user that waits; return it and the seconds that its request takes."""
        at = 0 if self.in_order else self.chance.randrange(len(self.waiting))
        user = self.waiting.pop(at)
        took_s = self.after_s if user in self.delayed else self.service_s
        if self.spread:
            took_s *= self.chance.gammavariate(self.spread**-2, self.spread**2)
        if user in self.delayed:
            return user, took_s
        self.served += 1
        if self.pause_every and self.served % self.pause_every == 0:
            took_s += self.pause_s
        return user, took_s


def play(
    server: Server, users: int, cycle: int, requests: int, uncounted: int = 0
) -> tuple[list[tuple[int, int]], Slice]:
    """Play one slice by the rule of ClosedFleet; return (start, latency) of each request in ns."""
    events: list[tuple[float, int, bool, int]] = []  # when, a number, whether it is work, user
    numbers = iter(range(1 << 62))
    sent_at = dict.fromkeys(range(users), 0.0)
    counted, unanswered, begins_at, ends_at = -uncounted, 0, 0.0, 0.0
    is_counted = dict.fromkeys(range(users), False)
    samples = []
    now = 0.0

    def start() -> None:
        server.busy = True
        user, took_s = server.take()
        heapq.heappush(events, (now + took_s, next(numbers), True, user))

    server.waiting = list(range(users))
    start()
    while events:
        now, _, is_work, user = heapq.heappop(events)
        if is_work:
            server.busy = False
            if server.waiting:
                start()
            if user not in server.delayed:
                heapq.heappush(events, (now + server.delay_s, next(numbers), False, user))
                continue
            server.delayed.discard(user)
        elif server.after_s:
            server.delayed.add(user)
            server.waiting.append(user)
            if not server.busy:
                start()
            continue
        samples.append((round(sent_at[user] * 1e9), round((now - sent_at[user]) * 1e9)))
        unanswered -= is_counted[user]
        if not ends_at and counted >= requests:
            ends_at = now
        if ends_at and not unanswered:
            continue
        counted += not ends_at
        if counted > 0:
            begins_at = begins_at or now
        sent_at[user], is_counted[user] = now, counted > 0 and not ends_at
        unanswered += is_counted[user]
        server.waiting.append(user)
        if not server.busy:
            start()
    from_ns, to_ns, end_ns = (round(seconds * 1e9) for seconds in (begins_at, ends_at, now))
    return samples, Slice(cycle, 0, from_ns, to_ns, end_ns, requests)


def play_in_turn(
    server: Server, users: int, cycle: int, requests: int
) -> tuple[list[tuple[int, int]], Slice]:
    """As `play`, for a server that serves in order and is all that users wait for.

    Each reply is followed by its user's next request, which has all others before it: the nth request
    waits from the reply to the request `users` before it until its own. Users go on until the last
    request that counts is answered.
    """
    count = 2 * users + requests - 1
    took_s = np.full(count, server.service_s)
    if server.pause_every:
        numbers = server.served + 1 + np.arange(count)
        took_s[numbers % server.pause_every == 0] += server.pause_s
    server.served += count
    ends_s = np.cumsum(took_s)
    starts_s = np.concatenate([np.zeros(users), ends_s[: count - users]])
    starts_ns, latencies_ns = (
        np.rint(seconds * 1e9).astype(np.int64) for seconds in (starts_s, ends_s - starts_s)
    )
    samples = list(zip(starts_ns.tolist(), latencies_ns.tolist(), strict=True))
    ends_ns = np.rint(ends_s * 1e9).astype(np.int64).tolist()
    return samples, Slice(cycle, 0, ends_ns[0], ends_ns[requests], ends_ns[-1], requests)


def played(
    server: Server, users: int, lengths: Sequence[Length]
) -> tuple[Samples, tuple[Slice, ...]]:
    """Play slices of so many requests each."""
    slices, starts, latencies, index = [], [], [], []
    simple = server.in_order and not (server.delay_s or server.spread)
    for cycle, length in enumerate(lengths):
        if simple and not length.uncounted:
            samples, piece = play_in_turn(server, users, cycle, length.counted)
        else:
            samples, piece = play(server, users, cycle, length.counted, length.uncounted)
        slices.append(piece)
        starts += [start for start, _ in samples]
        latencies += [latency for _, latency in samples]
        index += [cycle] * len(samples)
    start_ns = np.array(starts, dtype=np.int64)
    return Samples(
        slice=np.array(index, dtype=np.int32),
        intended_ns=start_ns,
        start_ns=start_ns,
        latency_ns=np.array(latencies, dtype=np.int64),
        failure=np.zeros(len(start_ns), dtype=np.int8),
        starved=np.zeros(len(start_ns), dtype=np.bool_),
    ), tuple(slices)
