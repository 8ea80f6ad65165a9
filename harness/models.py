"""Frozen records that the layers hand to each other; every name carries its unit.

Three groups: what is going to be done (Stack, Scenario, Plan), what was measured
(Slice, CellRound, RunRecord), and what follows from it (Estimate, CellSummary,
Comparison, Analysis). Nothing here reads a file, a clock or a process.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

# --------------------------------------------------------------------------- plan


@dataclass(frozen=True, slots=True)
class Stack:
    """A twin made runnable: twin + server + worker model + settings.

    `label` names the stack within one run: it equals `name` unless the same stack takes
    part twice (`fastapi-uvicorn`, `fastapi-uvicorn#2`), as in a comparison of A with A.
    """

    name: str
    label: str
    twin: str  # "flask" or "fastapi": the colour in the charts
    app: str  # import string of the application factory
    server: str  # a key of servers.COMMANDS
    isolates: str  # one sentence: what this stack shows
    options: tuple[str, ...] = ()  # further arguments of the server's command line
    settings: Mapping[str, str] = field(
        default_factory=dict
    )  # TWIN_* variables, lower-case, no prefix
    workers: str = ""  # "3", "n" or "2n+1", n being the servers' cores; else the plan's number
    breaks: tuple[str, ...] = ()  # samples and exchanges of the contract that it can't keep


@dataclass(frozen=True, slots=True)
class Load:
    """Closed load: `users` connections, each sends when its last answer has come."""

    users: int

    @property
    def label(self) -> str:
        """As in the `load` column: `closed-16`."""
        return f"closed-{self.users}"


class Kind(enum.StrEnum):
    """What a scenario's requests spend their time on."""

    FRAMEWORK = "framework"
    IO = "I/O-bound"
    CPU = "CPU-bound"


@dataclass(frozen=True, slots=True)
class Scenario:
    """What the users do, as its Locust file declares it."""

    name: str  # the file's name: users-lookup for scenarios/users_lookup.py
    file: str  # relative to the project: scenarios/users_lookup.py
    kind: Kind
    question: str  # what it answers, as a reader would ask it
    stacks: tuple[str, ...]  # default contenders; the first is the baseline
    users: int  # closed load by default
    slice_s: float  # how long one stack is loaded before the next has its turn
    settle_s: float  # the start of each slice that is not counted
    warmup_s: float  # uncounted load on fresh servers, until their rate is steady


@dataclass(frozen=True, slots=True)
class Profile:
    """How much measuring: rounds, and seconds that one cell is loaded in one round."""

    name: str
    rounds: int
    cell_s: float  # slices of a cell per round, settling included
    scale: float = 1.0  # of the scenario's own slice and warm-up (smoke shortens them)


@dataclass(frozen=True, slots=True)
class CellPlan:
    """One scenario with its contenders, as one round measures it."""

    scenario: Scenario
    stacks: tuple[str, ...]  # labels; the first is the baseline
    load: Load
    slice_s: float
    settle_s: float
    cycles: int  # slices per stack and round
    warmup_s: float

    @property
    def seconds_per_round(self) -> float:
        """Seconds of load that one round of this scenario takes."""
        return len(self.stacks) * (self.warmup_s + self.cycles * self.slice_s)


@dataclass(frozen=True, slots=True)
class Placement:
    """Which role has which cores; empty tuples where pinning can't be had."""

    servers: tuple[int, ...]
    load: tuple[int, ...]
    services: tuple[int, ...]
    note: str = ""  # why it is not what one would wish, for the report


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides what a run does; the same plan and seed give the same order."""

    profile: str
    seed: int
    rounds: int
    stacks: tuple[Stack, ...]
    cells: tuple[CellPlan, ...]
    workers: int  # worker processes of each server
    upstream_latency: str  # "constant:50" or "lognormal:50:0.5", in ms


# ----------------------------------------------------------------------- measured


@dataclass(frozen=True, slots=True)
class Slice:
    """One turn of one stack. Times in ns since the block of slices began."""

    cycle: int
    begin_ns: int  # the first request goes out
    from_ns: int  # counting begins: settled, and every connection has had a reply
    to_ns: int  # counting ends; the load goes on until what is in flight has been answered
    end_ns: int  # the last answer is in (drained)


@dataclass(frozen=True, slots=True)
class Usage:
    """What one role used while one cell was loaded in one round."""

    cpu_s: float
    pss_bytes: int  # proportional set size, or resident where the system has no PSS
    threads: int


@dataclass(frozen=True, slots=True)
class CellRound:
    """One cell in one round, as the journal keeps it; the samples are in `samples_file`."""

    round: int  # from 1
    scenario: str
    stack: str
    load: str
    samples_file: str  # relative to the run's folder
    requests: int  # all that were sent in the slices, settling and draining included
    errors: int
    slices: tuple[Slice, ...]
    server: Usage  # the stack's whole process tree, during this cell's slices
    load_cpu_s: float  # the load process, likewise
    postgres_cpu_s: float
    upstream_cpu_s: float
    wall_s: float  # begin to end of this cell's slices, added up
    died: str = ""  # which process of the stack ended while it was measured
    error_examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BlockUsage:
    """One scenario in one round: how idle the stacks were that did not have their turn."""

    round: int
    scenario: str
    wall_s: float  # begin of the first slice to end of the last
    idle_core_share: Mapping[str, float]  # stack -> CPU time ÷ time, outside its own slices


@dataclass(frozen=True, slots=True)
class Round:
    """One journal line: everything that one round measured."""

    number: int  # from 1
    order: tuple[str, ...]  # scenarios, as drawn
    started: str  # ISO 8601, UTC
    ready_s: Mapping[str, float]  # stack -> seconds from spawn to the first good answer
    cells: tuple[CellRound, ...]
    blocks: tuple[BlockUsage, ...]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """run.json and journal.jsonl together: what a run planned and what it has so far."""

    run_id: str
    schema: int
    plan: Plan
    environment: Mapping[str, object]
    placement: Placement
    command: tuple[str, ...]
    started: str
    ended: str | None  # None: cut off
    rounds: tuple[Round, ...]
    notes: tuple[str, ...] = ()


# ------------------------------------------------------------------------ derived


class Verdict(enum.StrEnum):
    """The candidate beside the baseline, in the words of docs/METHOD.md."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "same"
    INCONCLUSIVE = "inconclusive"
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

    @property
    def reason(self) -> str:
        """As in the `reason` column."""
        return f"{self.gate}: {self.figure} ({self.bound})"


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
    throughput_rps: Estimate
    latency_ms: Mapping[str, Estimate]  # keys p50, p90, p99, p999
    cpu_us_per_request: Estimate  # the server's process tree
    pss_mib: float  # largest of the rounds
    gates: tuple[GateResult, ...]
    latency_curve_ms: tuple[
        tuple[float, float], ...
    ]  # (quantile in 0…1, latency), p50 … as far as samples allow
    timeline: tuple[TimelinePoint, ...]

    @property
    def valid(self) -> bool:
        """Whether every gate passed."""
        return all(gate.passed for gate in self.gates)

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
    noise_floor: float  # half width of the band around 1 that counts as noise: 0.03 is ±3 %
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Analysis:
    """All that follows from a run's raw data; the report is made from this alone."""

    run: RunRecord
    cells: tuple[CellSummary, ...]  # in the plan's order
    comparisons: tuple[Comparison, ...]
    noise_floor: float
    idle_core_share: float  # largest share of a core that one idle stack used

    @property
    def valid(self) -> bool:
        """Whether there are cells, and every one passed its gates."""
        return bool(self.cells) and all(cell.valid for cell in self.cells)
