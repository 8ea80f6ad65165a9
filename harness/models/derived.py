"""What follows from a run's raw data: figures, intervals, gates and verdicts."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.models.measured import RunRecord
from harness.models.plan import BlockKey, CellKey, Family
from harness.models.searches import LimitedBy

if TYPE_CHECKING:
    from harness.models.claims import JudgedClaim
    from harness.models.costs import Costing
    from harness.models.curves import Curve
    from harness.models.fail_ifs import FailIfJudged
    from harness.models.maps import WinnerMap
    from harness.models.published import PublishedBeside


#: By how much fresh processes of one program differ, as a standard deviation: 0.02 is 2 %. Rounds show
#: it, unless a service runs on from one to the next (docs/METHOD.md has the measurement).
PROCESS_SPREAD = 0.02


class Verdict(enum.StrEnum):
    """The candidate beside the baseline, in the words of docs/METHOD.md."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "same"
    INCONCLUSIVE = "inconclusive"
    OVERLOADED = "overloaded"  # latency that only says how long the queue was is not compared
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval; NaN limits where there are too few rounds for one."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class TimelinePoint:
    """Throughput in one slice."""

    round: int
    elapsed_s: (
        float  # load time of this scenario so far, all stacks; pauses between rounds left out
    )
    throughput_rps: float


@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate's figure beside its bound."""

    gate: str
    passed: bool
    figure: str  # "errors 0.3 %"
    bound: str  # "at most 0.1 %"
    remedy: str = ""  # what to do where it failed: "try a longer --slice"

    @property
    def reason(self) -> str:
        """As in the `reason` column."""
        limit = f"{self.bound}: {self.remedy}" if self.remedy else self.bound
        return f"{self.gate}: {self.figure} ({limit})"


@dataclass(frozen=True, slots=True)
class Overload:
    """What was found where a server could not keep up with the schedule of open load.

    This is a finding about the server, and no fault of the measurement: a generator that can't
    keep its own schedule fails the gate `schedule lag` instead.
    """

    answered_rps: float  # right answers, at the pace at which the server gave them
    due_rps: float  # requests that were due in them
    never_sent: int  # requests that found no free connection until the end
    timed_out: int  # requests that were sent and not answered in time

    @property
    def text(self) -> str:
        """As the report says it."""
        text = f"overloaded: it answered {self.answered_rps:,.0f} of {self.due_rps:,.0f} requests/s"
        counts = ((self.never_sent, "never sent"), (self.timed_out, "timed out"))
        lost = ", ".join(f"{count:,} {what}" for count, what in counts if count)
        return f"{text} ({lost})" if lost else text


@dataclass(frozen=True, slots=True)
class ScheduleKept:
    """How the schedule of open load was kept, and how long the server itself took."""

    offered_rps: float  # requests that were due in the counting windows
    achieved_rps: float  # those of them that were answered rightly, however late
    lag_p50_ms: float  # how late the generator sent requests; without those that were starved
    lag_p99_ms: float
    late: int  # requests that were sent more than 1 ms after they were due
    starved: int  # requests that waited for a free connection, which is the server's doing
    never_sent: int
    service_ms: Mapping[str, Estimate]  # from sending to the answer; keys as in latency_ms
    #: Percentile -> what the generator's lag would have added to it, had it not been taken out.
    #: Only percentiles that enough samples lie beyond.
    lag_effect_ms: Mapping[str, float]
    #: Share of the servers' cores that the stack needs at this rate; NaN if it can't be metered.
    utilisation: float = math.nan
    #: Whether the queue had settled before counting began; otherwise percentiles are lower bounds.
    settled: bool = True


@dataclass(frozen=True, slots=True)
class Pauses:
    """Times in which all users of a stack waited at once, much longer than usual."""

    count: int
    requests: int  # among which they were found: all but the last of each slice
    p50_ms: float  # NaN without any, as the next
    longest_ms: float
    time_share: float  # of the time that these requests took
    recurring: bool  # whether they come back often enough to be the stack's own

    @property
    def per_1000_requests(self) -> float:
        """How many there are in a thousand requests."""
        return 1000 * self.count / self.requests

    @property
    def requests_each(self) -> float:
        """Requests for each pause; infinite without any."""
        return self.requests / self.count if self.count else math.inf


@dataclass(frozen=True, slots=True)
class ShortSlices:
    """That a cell's slices are short beside its slowest requests."""

    slice_ms: float  # in the median; under open load, the counting window
    slowest_ms: float  # p99; under closed load without the longest pause


@dataclass(frozen=True, slots=True)
class EndpointSummary:
    """The requests of a cell that went to one of several endpoints, over all rounds."""

    endpoint: str  # "GET /users/{id}"
    requests: int
    errors: int
    throughput_rps: Estimate  # its share of the cell's; NaN where a round had no correct reply
    latency_ms: Mapping[str, Estimate]  # as of the cell


@dataclass(frozen=True, slots=True)
class CellSummary:
    """One cell over all its rounds: a row of summary.csv and what the charts need beside it."""

    scenario: str
    stack: str
    twin: str
    load: str
    rounds: int
    requests: int  # all that were sent in the slices, also outside the counting windows
    errors: int
    throughput_rps: Estimate  # NaN of starts
    latency_ms: Mapping[str, Estimate]  # keys p50, p90, p99, p999; NaN with too few samples
    cpu_us_per_request: Estimate  # the server's process tree
    pss_mib: float  # largest of the rounds; NaN of a test client, whose process holds our own code
    threads: int | None  # likewise; None if the target's processes could not be metered
    switches_per_request: float  # context switches of the server's process tree
    schedule: ScheduleKept | None  # of open load
    gates: tuple[GateResult, ...]
    latency_curve_ms: tuple[
        tuple[float, float], ...
    ]  # (quantile in 0…1, latency), p50 … as far as samples allow
    timeline: tuple[TimelinePoint, ...]
    #: Share of the cores SERVER_CORES and OTHER_CORES that processes of others used, and that the
    #: host gave to other virtual machines; a key is missing where that is unknown. Services that
    #: twinbench did not start count as processes of others.
    foreign_share: Mapping[str, float] = field(default_factory=dict)
    steal_share: Mapping[str, float] = field(default_factory=dict)
    overload: Overload | None = None  # of open load that the server could not keep up with
    slices: int = 0  # of all rounds
    slice_s: float = math.nan  # mean, from a slice's first request to its last reply
    #: Share that the stack used of the servers' cores that its workers can fill; NaN if unknown.
    core_share: float = math.nan
    limited_by_users: bool = False  # closed load that left the stack idle for part of its time
    pauses: Pauses | None = None  # of closed load
    short_slices: ShortSlices | None = None  # p99 and beyond may be too low
    uss_mib: float = math.nan  # unique set size, of the round in which it was largest
    endpoints: tuple[EndpointSummary, ...] = ()  # where the scenario requests several

    @property
    def key(self) -> CellKey:
        """The cell that this sums up."""
        return CellKey(self.stack, self.scenario, self.load)

    @property
    def valid(self) -> bool:
        """Whether every gate passed."""
        return all(gate.passed for gate in self.gates)

    @property
    def overloaded(self) -> bool:
        """Whether the server could not keep up. The cell may be valid all the same."""
        return self.overload is not None

    @property
    def reason(self) -> str:
        """Why it is invalid; empty when it is valid."""
        return "; ".join(gate.reason for gate in self.gates if not gate.passed)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Candidate ÷ baseline for one metric: a row of comparisons.csv.

    `metric` is throughput_rps, latency_p50_ms, latency_p99_ms or cpu_us_per_request. The verdict
    speaks of the candidate: `faster` is more requests per second, or less time, or less CPU.
    """

    scenario: str
    load: str
    metric: str
    baseline: str
    candidate: str
    ratio: float
    ci_low: float
    ci_high: float
    rounds: int
    same_within: float  # what the reader calls too small to matter: 0.03 is ±3 %
    verdict: Verdict
    family: Family  # the comparisons that the verdict was corrected with …
    is_secondary: bool = False  # … of which headline metrics and the others are corrected apart

    @property
    def block(self) -> BlockKey:
        """The scenario and load that both stacks were measured with."""
        return BlockKey(self.scenario, self.load)

    @property
    def family_name(self) -> str:
        """As in the `family` column: `answers`, or `answers: secondary`."""
        return f"{self.family}: secondary" if self.is_secondary else str(self.family)


@dataclass(frozen=True, slots=True)
class AtShare:
    """Latency at a share of a stack's own capacity, over all rounds."""

    share: float
    rate_rps: float  # mean over the rounds
    requests: int
    latency_ms: Mapping[str, Estimate]  # p50 and p99; NaN with too few samples
    overloaded: bool


@dataclass(frozen=True, slots=True)
class Capacity:
    """The highest rate at which a stack keeps a promise: a row of capacity.csv.

    Whatever plans hardware starts from here: the rate, and what the stack held and used at it.
    """

    scenario: str
    stack: str
    twin: str
    load: str  # label of the load, which names the promise in file names
    slo: str
    rate_rps: Estimate  # NaN where no number can be given
    ratio: Estimate  # to the baseline, round by round; NaN of the baseline itself
    baseline: str
    rounds: int  # that found a rate
    round_rps: tuple[float | None, ...]  # round by round
    limited_by: LimitedBy | None
    workers: int  # worker processes
    cores: int  # of the servers that so many workers can fill
    pss_mib: float  # memory of all its processes, largest of the rounds
    cpu_us_per_request: float  # near capacity; NaN if it can't be metered
    at_shares: tuple[AtShare, ...] = ()
    reasons: tuple[str, ...] = ()  # why it is not valid

    @property
    def valid(self) -> bool:
        """Whether the figure can be believed."""
        return not self.reasons

    @property
    def reason(self) -> str:
        """Why it is not valid; empty if it is."""
        return "; ".join(self.reasons)

    @property
    def per_core_rps(self) -> float:
        """Rate for each core that its workers can fill."""
        return self.rate_rps.value / self.cores if self.cores else math.nan


@dataclass(frozen=True, slots=True)
class MeasuredPart:
    """Something that a whole run measured beside its scenarios, with a report of its own."""

    name: str
    cells: int  # with figures: of scenarios, capacities, or connections
    valid: int  # of these
    folder: str  # within that of the run


@dataclass(frozen=True, slots=True)
class Analysis:
    """All that follows from a run's raw data; the report is made from this alone."""

    run: RunRecord
    cells: tuple[CellSummary, ...]  # in the plan's order
    comparisons: tuple[Comparison, ...]
    idle_core_share: float  # largest share of a core that one idle stack used
    harness_core_share: float  # largest share of a core that metering and turn-taking took
    curves: tuple[Curve, ...] = ()  # of scenarios that were measured under three loads or more
    capacities: tuple[Capacity, ...] = ()  # of blocks that search for one
    #: Of scenarios whose loads vary the upstream's latency and the users.
    maps: tuple[WinnerMap, ...] = ()
    costings: tuple[Costing, ...] = ()  # an example for each search, with what its stacks cost
    claims: tuple[JudgedClaim, ...] = ()  # the whole ledger, by this run alone
    published: PublishedBeside | None = None
    parts: tuple[MeasuredPart, ...] = ()
    fail_ifs: tuple[FailIfJudged, ...] = ()  # what became of the promises that were asked for

    @property
    def valid(self) -> bool:
        """Whether there are figures, and every one can be believed."""
        valid = [cell.valid for cell in self.cells] + [found.valid for found in self.capacities]
        return bool(valid) and all(valid)
