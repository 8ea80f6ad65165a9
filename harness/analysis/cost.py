"""How many containers a traffic takes, and what they cost: pure functions of measured capacities."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.analysis.percentiles import UNKNOWN
from harness.models import (
    EXAMPLE_HEADROOM,
    EXAMPLE_PRICES,
    EXAMPLE_TIMES,
    Capacity,
    Cost,
    Costing,
    Demand,
    Estimate,
    Prices,
)

_MIB_PER_GIB = 1024


def examples(capacities: Sequence[Capacity]) -> Iterator[Costing]:
    """For each scenario and promise, what a traffic in the order of its capacities takes.

    The traffic is EXAMPLE_TIMES the baseline's capacity, rounded to one digit, or that of the first
    stack that has a valid one. A search in which no stack has one makes no example.
    """
    searches: dict[tuple[str, str], list[Capacity]] = {}
    for found in capacities:
        searches.setdefault((found.scenario, found.slo), []).append(found)
    for each in searches.values():
        known = [found for found in each if found.valid]
        if not known:
            continue
        base = next((found for found in known if found.stack == found.baseline), known[0])
        rate_rps = float(f"{EXAMPLE_TIMES * base.rate_rps.value:.0e}")
        made = costing(each, Demand(rate_rps, EXAMPLE_HEADROOM), EXAMPLE_PRICES)
        yield replace(made, multiple_of=base.stack)


def costing(capacities: Sequence[Capacity], demand: Demand, prices: Prices) -> Costing:
    """Work out what each stack needs for a demand; no ratio to a baseline that can't be believed.

    Args:
        capacities: one or more, valid or not.
        demand: what has to be served.
        prices: of a container's cores and memory.
    """
    valid = [found for found in capacities if found.valid]
    made = [cost(found, demand, prices) for found in valid]
    if any(found.stack == found.baseline for found in capacities if not found.valid):
        made = [replace(each, ratio=UNKNOWN) for each in made]
    unknown = tuple(found for found in capacities if not found.valid)
    return Costing(demand, prices, tuple(made), unknown)


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
