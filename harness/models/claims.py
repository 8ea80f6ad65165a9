"""Claims about Flask and FastAPI, how each is tested, and what measured data say to it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from harness.models.derived import Estimate


class ClaimKind(enum.StrEnum):
    """What the figure of a test is. `analysis.claims` has a strategy for each."""

    RATIO = "ratio"  # of two stacks in a metric, under the scenario's usual load
    LARGER_EFFECT = "larger-effect"  # of one change beside another, in a metric
    NEITHER_BETTER = "neither-better"  # of two stacks, over all metrics
    MOST = "most"  # ratio of the largest throughputs of two stacks along an axis
    LARGEST_LOAD = "largest-load"  # throughput there ÷ at the best smaller value of an axis
    WORKER_MEMORY = "memory-per-worker"  # of each further worker process ÷ of the first
    CAPACITY = "capacity"  # ratio of two stacks' capacities
    AT_SHARE = "latency-at-share"  # ratio of latencies at a share of each stack's own capacity
    HELD_MEMORY = "memory-per-connection"  # ratio of two stacks
    HELD_COUNT = "connections-held"  # ratio of two stacks
    OTHERS_SERVED = "others-served"  # share of other clients, while most connections are held
    CODE_LINES = "code-lines"  # ratio of two pieces of code


@dataclass(frozen=True, slots=True)
class ClaimTest:
    """What is measured, and the bounds between which the figure has to lie for the claim to hold.

    Which of the other fields a test has follows from its kind; the others are empty.
    """

    kind: ClaimKind
    measure: str = ""  # the command that measures it; empty where no run is needed
    at_least: float | None = None
    at_most: float | None = None
    scenario: str = ""
    candidate: str = ""  # a stack, as the next
    baseline: str = ""
    beside_candidate: str = ""  # the other change of LARGER_EFFECT, as the next
    beside_baseline: str = ""
    metric: str = ""  # as in comparisons.csv
    axis: str = ""  # as in curves.csv
    at: str = ""  # the largest value on the axis: "1000", "2n+1"
    share: float | None = None  # of the capacity
    held: str = ""  # how connections are held
    #: Of CODE_LINES: files, each with the names that count after a colon, or all of it.
    candidate_code: tuple[str, ...] = ()
    baseline_code: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """What is said when the frameworks are compared. It holds if all of its tests hold."""

    id: str
    claim: str  # a sentence
    tests: tuple[ClaimTest, ...]


class ClaimVerdict(enum.StrEnum):
    """What data say to a claim."""

    HOLDS = "holds"  # the whole interval lies between the bounds
    FAILS = "does not hold"  # the whole interval lies beyond one of them
    INCONCLUSIVE = "inconclusive"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """What one test of a claim came to."""

    test: ClaimTest
    verdict: ClaimVerdict
    figure: Estimate | None = None  # None: not measured, or no figure can be given
    reason: str = ""  # why it is inconclusive
    source: str = ""  # the run that it is from; empty of code


@dataclass(frozen=True, slots=True)
class JudgedClaim:
    """A claim with what its tests came to."""

    claim: Claim
    verdict: ClaimVerdict
    tested: tuple[ClaimResult, ...]  # in the claim's order

    @property
    def is_measured(self) -> bool:
        """Whether any of its tests was measured."""
        return any(each.verdict is not ClaimVerdict.NOT_MEASURED for each in self.tested)


@dataclass(frozen=True, slots=True)
class CodeLines:
    """Lines of code of one feature in both twins."""

    feature: str  # as the twins' files are called
    flask: int
    fastapi: int
