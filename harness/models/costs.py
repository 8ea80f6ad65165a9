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


@dataclass(frozen=True, slots=True)
class Cost:
    """What one stack needs for a demand; low and high follow from the interval of its capacity."""

    capacity: Capacity
    containers: int  # each as large as the stack that was measured
    fewest: int
    most: int
    hour: float  # of one container
    per_million: Estimate  # requests, at the demand; whole containers are paid
    #: Containers ÷ those of the baseline for the same traffic, if it is large; NaN where unknown.
    ratio: Estimate

    @property
    def workers(self) -> int:
        """Worker processes in all containers."""
        return self.containers * self.capacity.workers
