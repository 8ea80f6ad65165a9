"""When the requests of open load are due: the same for every stack and any number of processes."""

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
    """Return the intended starts in order, in ns since the slice began.

    Args:
        arrivals: one request every 1/rate seconds, or a Poisson process of independent requests.
        rate_rps: rate of all parts together.
        seconds: length of the schedule.
        seed: decides the Poisson process.
        part: number of the part to return, from 0; the parts together are the whole schedule.
        parts: number of processes that share the schedule.
    """
    if arrivals is Arrivals.CONSTANT:
        times_s = np.arange(int(np.ceil(rate_rps * seconds))) / rate_rps
    else:
        generator = np.random.default_rng(list(seed.encode()))
        # Once their number is known, the times of a Poisson process are uniformly distributed.
        count = generator.poisson(rate_rps * seconds)
        times_s = np.sort(generator.uniform(0, seconds, count))
    mine = times_s[times_s < seconds][part::parts]
    return array("q", (mine * 1e9).astype(np.int64).tobytes())
