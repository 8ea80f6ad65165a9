"""Frozen records that the layers hand to each other; every name carries its unit.

Four groups: what is going to be done (Stack, Scenario, Plan), what was measured
(Slice, CellRound, RunRecord), what follows from it (Estimate, CellSummary,
Comparison, Analysis), and the machine that it is measured on (Machine, Finding).
Nothing here reads a file, a clock or a process.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

#: Fewer rounds give an interval, but no verdict.
ROUNDS_FOR_A_VERDICT = 5

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


class Arrivals(enum.StrEnum):
    """When the requests of open load are due."""

    CONSTANT = "constant"  # one every 1/R seconds
    POISSON = "poisson"  # each independent of all others, as from many users; R a second on average


@dataclass(frozen=True, slots=True)
class Load:
    """Closed load, or open load where there is a rate.

    Closed: `users` connections, each sends when its last answer has come. Open: requests are due
    on a schedule, whether or not earlier ones have been answered; at most `users` are in flight.
    """

    users: int
    rate_rps: float | None = None
    arrivals: Arrivals = Arrivals.POISSON

    @property
    def is_open(self) -> bool:
        """Whether requests come on a schedule."""
        return self.rate_rps is not None

    @property
    def label(self) -> str:
        """As in the `load` column: `closed-16`, `open-poisson-500`."""
        if self.rate_rps is None:
            return f"closed-{self.users}"
        return f"open-{self.arrivals}-{self.rate_rps:g}"


class Kind(enum.StrEnum):
    """What a scenario's requests spend their time on."""

    FRAMEWORK = "framework"
    IO = "I/O-bound"
    CPU = "CPU-bound"
    MIXED = "mixed"


class Measures(enum.StrEnum):
    """What one sample of a scenario is."""

    REQUESTS = "requests"  # to a server, or messages over its WebSockets
    STARTS = "starts"  # of a server, from spawn to its first good answer
    TEST_CLIENT = "test client"  # requests through the framework's own, inside one process


class StepKind(enum.StrEnum):
    """What changes with a step of the ladder."""

    SERVER = "server"
    VALIDATION = "validation"
    FRAMEWORK = "framework"
    CLIENT = "client"
    HANDLERS = "handlers"
    DRIVER = "driver"


@dataclass(frozen=True, slots=True)
class Step:
    """One change on the way from Flask to FastAPI, from one rung (a stack) to the next."""

    kind: StepKind
    change: str  # a few words: "gunicorn → granian"
    before: str  # the rung that one comes from
    after: str  # the rung that one stands on then
    beyond: bool = False  # whether it goes on from FastAPI as it is commonly run


@dataclass(frozen=True, slots=True)
class Scenario:
    """What the users do, as its Locust file declares it."""

    name: str  # the file's name: users-lookup for scenarios/users_lookup.py
    file: str  # relative to the project: scenarios/users_lookup.py
    kind: Kind
    question: str  # what it answers, as a reader would ask it
    endpoints: tuple[str, ...]  # what it asks, as the contract has them: "GET /hello"
    stacks: tuple[str, ...]  # default contenders; the first is the baseline
    users: int  # closed load by default
    slice_s: float  # how long one stack is loaded before the next has its turn
    settle_s: float  # the start of each slice that is not counted
    warmup_s: float  # uncounted load on fresh servers, until their rate is steady
    core: bool = False  # whether a run that names no scenario measures it
    measures: Measures = Measures.REQUESTS
    ladder: tuple[StepKind, ...] = ()  # kinds of step that can matter here; empty: no ladder


@dataclass(frozen=True, slots=True)
class Profile:
    """How much measuring: rounds, and seconds that one cell is loaded in one round."""

    name: str
    rounds: int
    cell_s: float  # slices of a cell per round, settling included
    scale: float = 1.0  # of the scenario's own slice and warm-up (smoke shortens them)
    every_scenario: bool = False  # unless told which, else the core ones
    ladder: bool = False  # whether the steps between the twins are measured too


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
    ladder: tuple[Step, ...] = ()  # steps that are measured too, from the lowest rung on

    @property
    def total(self) -> tuple[str, str] | None:
        """The lowest rung, and the one where FastAPI as it is commonly run is reached."""
        way = [step for step in self.ladder if not step.beyond]
        return (way[0].before, way[-1].after) if way else None

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Baseline and candidate of each ordinary comparison; a rung is none by being one."""
        if not self.ladder:
            baseline, *candidates = self.stacks
            return tuple((baseline, candidate) for candidate in candidates)
        baseline, *candidates = self.scenario.stacks
        own = [(baseline, candidate) for candidate in candidates]
        return tuple(dict.fromkeys((*own, *([self.total] if self.total else []))))

    @property
    def steps(self) -> tuple[tuple[str, str], ...]:
        """Rung before and rung after of each step that is no ordinary comparison anyway."""
        pairs = [(step.before, step.after) for step in self.ladder]
        return tuple(pair for pair in pairs if pair not in self.pairs)

    @property
    def counts_starts(self) -> bool:
        """Whether a sample is a start, and not a request."""
        return self.scenario.measures is Measures.STARTS

    @property
    def has_throughput(self) -> bool:
        """Whether requests per second say anything here: a schedule fixes them, starts have none."""
        return not (self.load.is_open or self.counts_starts)

    @property
    def headline(self) -> str:
        """The metric that decides here."""
        return "throughput_rps" if self.has_throughput else "latency_p50_ms"

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
    generators: int = 1  # load processes, each on a core of its own where there are as many
    #: A scenario is measured no further once its intervals are narrower than ± this.
    precision: float | None = None


# ----------------------------------------------------------------------- measured


class Failure(enum.IntEnum):
    """Why a request did not get the reply that the contract promises; 0: it did."""

    NONE = 0
    WRONG_STATUS = 1
    WRONG_BODY = 2
    CLOSED = 3
    TIMEOUT = 4
    MALFORMED = 5
    REFUSED = 6
    NEVER_SENT = 7  # due, but no connection was free until the end


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
    """What the processes of one role used: a stack, PostgreSQL, the upstream, the load, ourselves."""

    cpu_s: float
    pss_bytes: int  # proportional set size, or resident where the system has no PSS
    threads: int
    context_switches: int  # of all threads that lived from begin to end


@dataclass(frozen=True, slots=True)
class CellRound:
    """One cell in one round, as the journal keeps it; the samples are in `samples_file`."""

    round: int  # from 1
    scenario: str
    stack: str
    load: str
    samples_file: str  # relative to the run's folder
    requests: int  # all that were sent in the slices, settling and draining included; or starts
    errors: int
    slices: tuple[Slice, ...]
    #: The stack's whole process tree: CPU time of this cell's slices; the rest is read at the end
    #: of the block, in which a stack without a turn has next to nothing to do.
    server: Usage
    load_cpu_s: tuple[float, ...]  # of each load process, in this cell's slices; empty without
    postgres_cpu_s: float | None  # None: not ours, hence unknown
    upstream_cpu_s: float | None
    wall_s: float  # begin to end of this cell's slices, added up
    starved: int = 0  # open load: requests that waited for a free connection
    #: Open load: CPU seconds of each load process that it only spent on spinning until a request
    #: was due. They are part of `load_cpu_s`.
    load_spun_s: tuple[float, ...] = ()
    died: str = ""  # which process of the stack ended while it was measured, or did not start
    parity: tuple[str, ...] = ()  # how its replies differed from the contract, before or after
    error_examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BlockUsage:
    """One scenario in one round, all stacks together: what everybody used from begin to end."""

    round: int
    scenario: str
    wall_s: float  # begin of the first slice to end of the last
    idle_core_share: Mapping[str, float]  # stack -> CPU time ÷ time, outside its own slices
    roles: Mapping[str, Usage] = field(default_factory=dict)  # postgres, upstream, load, harness


@dataclass(frozen=True, slots=True)
class Round:
    """One journal line: everything that one round measured."""

    number: int  # from 1
    order: tuple[str, ...]  # scenarios, as drawn
    started: str  # ISO 8601, UTC
    ready_s: Mapping[str, float]  # stack -> seconds from spawn to the first good answer
    cells: tuple[CellRound, ...]
    blocks: tuple[BlockUsage, ...]

    @property
    def complete(self) -> bool:
        """Whether it was measured to its end."""
        return bool(self.order)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What A against A came to on one machine, and what its load side can do."""

    machine: str  # environment.fingerprint: figures of one machine say nothing of another
    made: str  # ISO 8601, UTC
    rounds: int
    #: Metric -> half width of the band in which A and A can't be told apart: 0.03 is ±3 %.
    noise_floor: Mapping[str, float]
    ceiling_rps: Mapping[str, float]  # connections -> requests/s of one load process, no-op server


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
    calibration: Calibration | None = None  # of this machine, as it stood when the run began
    notes: tuple[str, ...] = ()

    @property
    def loaded_s(self) -> float:
        """Seconds of slices that were measured so far."""
        return sum(cell.wall_s for one in self.rounds for cell in one.cells)


# ------------------------------------------------------------------------ derived


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

    @property
    def reason(self) -> str:
        """As in the `reason` column."""
        return f"{self.gate}: {self.figure} ({self.bound})"


@dataclass(frozen=True, slots=True)
class Overload:
    """What was found where a server could not keep up with the schedule of open load.

    This is a finding about the server, and no fault of the measurement: a generator that can't
    keep its own schedule fails the gate `schedule lag` instead.
    """

    answered_rps: float  # right answers in the counting windows
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
    achieved_rps: float  # right answers that came in the same windows
    lag_p50_ms: float  # how late the generator sent requests; without those that were starved
    lag_p99_ms: float
    late: int  # requests that were sent more than 1 ms after they were due
    starved: int  # requests that waited for a free connection, which is the server's doing
    never_sent: int
    service_ms: Mapping[str, Estimate]  # from sending to the answer; keys as in latency_ms
    #: Percentile -> by how many ms the generator's lag moves it. Only percentiles that enough
    #: samples lie beyond.
    lag_effect_ms: Mapping[str, float]


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
    latency_ms: Mapping[str, Estimate]  # keys p50, p90, p99, p999; NaN of starts that are too few
    cpu_us_per_request: Estimate  # the server's process tree
    pss_mib: float  # largest of the rounds; NaN of a test client, whose process holds our own code
    threads: int  # likewise
    switches_per_request: float  # context switches of the server's process tree
    schedule: ScheduleKept | None  # of open load
    gates: tuple[GateResult, ...]
    latency_curve_ms: tuple[
        tuple[float, float], ...
    ]  # (quantile in 0…1, latency), p50 … as far as samples allow
    timeline: tuple[TimelinePoint, ...]
    overload: Overload | None = None  # of open load that the server could not keep up with

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
    noise_floor: float  # half width of the band around 1 that counts as noise: 0.03 is ±3 %
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Analysis:
    """All that follows from a run's raw data; the report is made from this alone."""

    run: RunRecord
    cells: tuple[CellSummary, ...]  # in the plan's order
    comparisons: tuple[Comparison, ...]
    noise_floor: float  # the band for throughput; other metrics: in their comparisons
    idle_core_share: float  # largest share of a core that one idle stack used
    harness_core_share: float  # largest share of a core that metering and turn-taking took

    @property
    def valid(self) -> bool:
        """Whether there are cells, and every one passed its gates."""
        return bool(self.cells) and all(cell.valid for cell in self.cells)


# ------------------------------------------------------------------------ machine


@dataclass(frozen=True, slots=True)
class BusyProcess:
    """Somebody else's work."""

    pid: int
    name: str
    core_share: float  # of one core: 0.5 is half of it


@dataclass(frozen=True, slots=True)
class Machine:
    """What of a machine could spoil a measurement; None where the system does not say."""

    cores: int  # logical ones that we may use
    physical_cores: int | None
    can_pin: bool
    load_average: float | None  # over the last minute
    others_core_share: float | None  # cores' worth of CPU that others used while we looked
    busiest: tuple[BusyProcess, ...]  # of those that can be seen from here, largest first
    steal_share: float | None  # of our cores' time, taken by the host for other guests
    governors: tuple[str, ...]  # frequency scaling, of our cores; empty where there is none
    boost: bool | None
    quota_cores: float | None  # CPU time that our control groups allow; infinite without a limit
    memory_available_bytes: int
    swap_used_bytes: int
    swapped_bytes_per_s: float
    open_files: int  # the hard limit, to which every child's soft one is raised
    on_battery: bool | None
    hypervisor: str | None  # its name; empty on bare metal
    clock_source: str | None
    clock_read_ns: float
    local_ports: int | None
    listen_backlog: int | None  # connections that may wait to be accepted


class Level(enum.StrEnum):
    """How much a finding matters."""

    FINE = "fine"
    NOTE = "note"
    DISTURBS = "disturbs"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing of the machine, and what to do about it."""

    what: str
    level: Level
    figure: str
    mend: str = ""  # a command or an act; empty where there is nothing to do
