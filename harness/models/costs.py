"""What a stack's capacity costs in containers and money."""

from __future__ import annotations

from dataclasses import dataclass

from harness.models.derived import Capacity, Estimate


@dataclass(frozen=True, slots=True)
class Prices:
    """What is paid for a container by the hour, in any currency."""

    vcpu_hour: float
    gib_hour: float


@dataclass(frozen=True, slots=True)
class Demand:
    """What has to be served."""

    rate_rps: float
    headroom: float  # share of each container's capacity that is kept free: 0.3 is 30 %


# What is assumed where the reader gives nothing: examples, in the order of a public cloud's prices.
EXAMPLE_PRICES = Prices(vcpu_hour=0.04048, gib_hour=0.004445)
EXAMPLE_CURRENCY = "US dollars"
EXAMPLE_HEADROOM = 0.3
#: The example's traffic is so many times the baseline's capacity, rounded to one digit: enough for
#: several containers, so that paying for whole ones decides little.
EXAMPLE_TIMES = 10


@dataclass(frozen=True, slots=True)
class Cost:
    """What one stack needs for a demand; low and high follow from the interval of its capacity."""

    capacity: Capacity
    containers: int  # each as large as the stack that was measured
    fewest: int
    most: int
    hour: float  # of one container; NaN where its memory is not known
    per_million: Estimate  # requests, at the demand; whole containers are paid
    #: Containers ÷ those of the baseline for the same traffic, if it is large; NaN where unknown.
    ratio: Estimate

    @property
    def workers(self) -> int:
        """Worker processes in all containers."""
        return self.containers * self.capacity.workers

    @property
    def pss_mib(self) -> float:
        """Memory of all containers."""
        return self.containers * self.capacity.pss_mib

    @property
    def per_hour(self) -> float:
        """Price of all containers for an hour."""
        return self.containers * self.hour


@dataclass(frozen=True, slots=True)
class Costing:
    """What a demand takes on each stack of a search."""

    demand: Demand
    prices: Prices
    costs: tuple[Cost, ...]  # of the stacks whose capacity is valid
    unknown: tuple[Capacity, ...]  # of the others
    #: The stack of whose capacity the demand is EXAMPLE_TIMES; empty where the reader gave it.
    multiple_of: str = ""

    @property
    def scenario(self) -> str:
        """What is requested."""
        return self._first.scenario

    @property
    def slo(self) -> str:
        """The promise that is kept."""
        return self._first.slo

    @property
    def _first(self) -> Capacity:
        return (*(each.capacity for each in self.costs), *self.unknown)[0]
