"""A server with one queue, simulated request by request, for tests of the search for its capacity."""

from __future__ import annotations

import numpy as np

from harness.analysis import capacity
from harness.analysis.capacity import Requests
from harness.models import Found, Search, Slo, Window


class Server:
    """Serves one request at a time; every request takes the same (M/D/1)."""

    def __init__(self, service_s: float, seed: int) -> None:
        self.service_s = service_s
        self.random = np.random.default_rng(seed)

    def latency_s(
        self, rate_rps: float, seconds: float, service_s: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """When requests were due, and how long each took; the queue is empty at first."""
        count = self.random.poisson(rate_rps * seconds)
        due_s = np.sort(self.random.uniform(0, seconds, count))
        # Lindley's recursion: what is waited for is the work since the queue was last empty.
        gained_s = service_s * np.arange(count) - due_s
        waits_s = gained_s - np.minimum.accumulate(gained_s)
        return due_s, waits_s + service_s

    def window(self, slo: Slo, search: Search, step: capacity.Step, service_s: float) -> Window:
        """Play one window as a run does."""
        counted_s = capacity.window_s(slo, search, step)
        settle_s = search.settle_share * counted_s
        due_s, latency_s = self.latency_s(step.rate_rps, settle_s + counted_s, service_s)
        counts = due_s >= settle_s
        none = np.zeros(int(counts.sum()), dtype=bool)
        judged = capacity.judge(
            slo, Requests(due_s[counts], latency_s[counts], 0.0 * due_s[counts], none, none)
        )
        return Window(
            purpose=step.purpose,
            rate_rps=step.rate_rps,
            kept=judged.limited_by is None,
            limited_by=judged.limited_by,
            requests=len(none),
            failed=0,
            latency_ms=judged.latency_ms,
            growth=judged.growth,
            took_s=float(max(settle_s + counted_s, (due_s + latency_s).max(initial=0.0))),
        )


def true_capacity_rps(slo: Slo, service_s: float, seed: int = 1) -> float:
    """The rate at which the long run keeps the promise and no more."""
    (bound,) = slo.latency
    low, high = 0.3 / service_s, 1 / service_s
    while high / low > 1.002:
        middle = (low * high) ** 0.5
        _, latency_s = Server(service_s, seed).latency_s(middle, 1_000_000 / middle, service_s)
        share = (latency_s * 1e3 >= bound.below_ms).mean()
        low, high = (middle, high) if share < 0.01 else (low, middle)
    return low


def search_round(
    server: Server, slo: Slo, search: Search, earlier: list[float], speed: float, drift: float
) -> tuple[Found, list[Window]]:
    """One round: a process of its own speed, which drifts from window to window."""
    seed = str(server.random.integers(1 << 30))
    tried: list[Window] = []
    while step := capacity.next_step(slo, search, tried, earlier, seed):
        service_s = server.service_s / speed * float(np.exp(server.random.normal(0, drift)))
        tried.append(server.window(slo, search, step, service_s))
    return capacity.found(slo, search, tried), tried
