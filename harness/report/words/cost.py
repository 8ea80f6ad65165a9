"""What is said of what a traffic costs."""

from __future__ import annotations

import math

from harness.models import EXAMPLE_CURRENCY, EXAMPLE_TIMES, Costing, Estimate
from harness.report import formats

CONTAINER = (
    "A container is what was measured: its worker processes, the cores that they can fill and the "
    "memory that they held, without a system of its own. Counts in brackets follow from the 95 % "
    "interval of the capacity. The ratio is that of large traffic, where whole containers don't matter."
)


def demand_words(costing: Costing) -> str:
    """As in `2,000 requests/s of hello with p99<100ms, and 30 % of each container's capacity kept free`."""
    demand = costing.demand
    return (
        f"{formats.number(demand.rate_rps)} requests/s of {costing.scenario} with {costing.slo}, and "
        f"{formats.percent(demand.headroom)} of each container's capacity kept free"
    )


def example_words(costing: Costing) -> str:
    """What the example assumes, and where each of its figures comes from."""
    prices = costing.prices
    return (
        f"An example, for {demand_words(costing)}. That is "
        f"{EXAMPLE_TIMES} times the capacity of {costing.multiple_of}, rounded to one digit. "
        f"The prices are examples too, in {EXAMPLE_CURRENCY}: {prices.vcpu_hour:g} for a core and "
        f"{prices.gib_hour:g} for a GiB of memory by the hour."
    )


def containers_beside_the_baseline(costing: Costing) -> str:
    """How many times the baseline's containers the others take; empty where that is not known."""
    phrases = [
        f"{made.capacity.stack} takes {formats.ratio(made.ratio.value)} the containers of "
        f"{made.capacity.baseline} ({_limits(made.ratio)})"
        for made in costing.costs
        if math.isfinite(made.ratio.value)
    ]
    if not phrases:
        return ""
    return f"With traffic so large that whole containers don't matter, {formats.listing(phrases)}."


def _limits(ratio: Estimate) -> str:
    if not math.isfinite(ratio.low):
        return formats.NO_INTERVAL
    limits = formats.ratio_limits(ratio.value, ratio.low, ratio.high)
    unclear = ", which leaves open who takes fewer" if ratio.low <= 1 <= ratio.high else ""
    return f"95{formats.NBSP}% interval {limits}{unclear}"


def unlike_containers(costing: Costing) -> str:
    """That containers can't be counted against each other; empty if they are of one size."""
    sizes = {made.capacity.cores for made in costing.costs}
    if len(sizes) < 2:
        return ""
    return (
        f"Containers have {formats.listing([f'{size:,}' for size in sorted(sizes)])} cores: compare "
        "what a million requests cost, and not the number of containers."
    )
