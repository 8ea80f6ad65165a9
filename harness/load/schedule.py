"""When the requests of open load are due: pure, the same for every stack and any number of processes."""

from __future__ import annotations

from array import array

import numpy as np

from harness.models import Arrivals


def due_ns(
    arrivals: Arrivals,
    rate_rps: float,
    seconds: float,
    seed: str,
    *,
    part: int = 0,
    parts: int = 1,
) -> array[int]:
    """Times of intended starts, in ns since the slice began, in order.

    Args:
        arrivals: one every 1/rate seconds, or independent of each other (a Poisson process).
        rate_rps: of all parts together.
        seconds: how long requests are due.
        seed: decides the Poisson process.
        part: which share to return, from 0; the parts together are the whole schedule.
        parts: how many processes share the schedule.
    """
    if arrivals is Arrivals.CONSTANT:
        times_s = np.arange(int(np.ceil(rate_rps * seconds))) / rate_rps
    else:
        generator = np.random.default_rng(list(seed.encode()))
        # Given how many there are, the times of a Poisson process are drawn evenly.
        count = generator.poisson(rate_rps * seconds)
        times_s = np.sort(generator.uniform(0, seconds, count))
    mine = times_s[times_s < seconds][part::parts]
    return array("q", (mine * 1e9).astype(np.int64).tobytes())
