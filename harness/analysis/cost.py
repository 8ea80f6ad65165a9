"""How many containers a traffic takes, and what they cost: pure functions of measured capacities."""

from __future__ import annotations

import math

from harness.models import Capacity, Cost, Demand, Estimate, Prices

_MIB_PER_GIB = 1024


def cost(capacity: Capacity, demand: Demand, prices: Prices) -> Cost:
    """Work out what a stack needs for a demand.

    A container is what was measured: so many worker processes, the cores that they can fill and the
    memory that they held. It is loaded up to its capacity less the headroom. What containers need
    beside the server's processes (their system, a sidecar) is not in it.

    Args:
        capacity: a valid one.
        demand: what has to be served.
        prices: of a container's cores and memory.
    """
    rate = capacity.rate_rps
    hour = price_per_hour(capacity.cores, capacity.pss_mib, prices)
    needed, fewest, most = (containers(each, demand) for each in (rate.value, rate.high, rate.low))
    millions_per_hour = demand.rate_rps * 3600 / 1e6
    return Cost(
        capacity=capacity,
        containers=needed,
        fewest=fewest,
        most=most,
        hour=hour,
        per_million=Estimate(
            *(count * hour / millions_per_hour for count in (needed, fewest, most))
        ),
        ratio=_inverse(capacity.ratio),
    )


def containers(capacity_rps: float, demand: Demand) -> int:
    """Containers that a demand takes, each of which can serve so much."""
    usable_rps = capacity_rps * (1 - demand.headroom)
    # A rate that fits exactly must not need one more for the sake of rounding.
    return max(1, math.ceil(demand.rate_rps / usable_rps - 1e-9))


def price_per_hour(cores: int, pss_mib: float, prices: Prices) -> float:
    """What one container costs for an hour."""
    return cores * prices.vcpu_hour + pss_mib / _MIB_PER_GIB * prices.gib_hour


def _inverse(ratio: Estimate) -> Estimate:
    return Estimate(1 / ratio.value, 1 / ratio.high, 1 / ratio.low)  # nan stays nan
