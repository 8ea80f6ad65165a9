"""What a run is going to do: stacks, scenarios, loads, and the plan made of them."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.models.fail_ifs import FailIf
from harness.models.own import OwnRequest, OwnService
from harness.models.searches import Search, Slo

#: Fewer rounds give an interval, but no verdict.
ROUNDS_FOR_A_VERDICT = 5
#: Differences below this are too small to base a decision on, unless the reader says otherwise.
SAME_WITHIN = 0.03


#: The twin of a stack that is none: a service of the reader's own.
OWN = "own"
#: Stands in a label between a stack's name, which can't have it, and its worker processes.
BY_WORKERS = "@"


@dataclass(frozen=True, slots=True, order=True)
class BlockKey:
    """Names a scenario under a load: what all stacks of a block are measured with."""

    scenario: str
    load: str  # a Load's label: `closed-16`

    def __str__(self) -> str:
        return f"{self.scenario} ({self.load})"


@dataclass(frozen=True, slots=True, order=True)
class CellKey:
    """Names what one row of summary.csv is about: a stack in a scenario under a load."""

    stack: str  # the stack's label
    scenario: str
    load: str  # a Load's label: `closed-16`

    @property
    def block(self) -> BlockKey:
        """The cell's scenario and load, without its stack."""
        return BlockKey(self.scenario, self.load)

    def __str__(self) -> str:
        return f"{self.stack} in {self.block}"


def worker_number(text: str, cores: int) -> int:
    """The number of worker processes that `3`, `n`, `2n` or `2n+1` stands for.

    Args:
        text: The number, or how it follows from the cores.
        cores: Number of the servers' cores, n.

    Raises:
        ValueError: It is neither.
    """
    by_cores = {"n": cores, "2n": 2 * cores, "2n+1": 2 * cores + 1}
    return by_cores[text] if text in by_cores else int(text)


#: AnyIO, in whose threads FastAPI's `def` handlers run, has so many in a process (its default).
ANYIO_THREADS = 40


@dataclass(frozen=True, slots=True)
class Stack:
    """A twin made runnable: twin + server + worker model + settings.

    `label` names the stack within a run: it equals `name` unless the same stack takes part
    twice (`fastapi-uvicorn`, `fastapi-uvicorn#2`), as in a comparison of A with A, or with several
    numbers of worker processes (`fastapi-uvicorn@1`, `fastapi-uvicorn@4`).
    """

    name: str
    label: str
    twin: str  # "flask" or "fastapi", or OWN: decides the colour in the charts
    app: str  # import string of the application factory
    server: str  # a key of servers.COMMANDS
    isolates: str  # one sentence that says what this stack shows
    options: tuple[str, ...] = ()  # further arguments of the server's command line
    settings: Mapping[str, str] = field(
        default_factory=dict
    )  # TWIN_* variables, in lower case and without the prefix
    workers: str = ""  # "3", "n", "2n" or "2n+1", n being the servers' cores; empty: the plan's
    breaks: tuple[str, ...] = ()  # samples and exchanges of the contract that it can't keep
    own: OwnService | None = None  # a service of the reader's own, which is no twin

    @property
    def is_running(self) -> bool:
        """Whether it runs already, so that nobody here starts, meters or stops it."""
        return self.own is not None and bool(self.own.url)

    @property
    def merges_slashes(self) -> bool:
        """Whether its server passes `//hello` on as `/hello`, whatever the application says to it."""
        return self.server == "werkzeug"

    @property
    def threads(self) -> int | None:
        """Requests that one of its processes handles at a time; None where no threads bound that."""
        words = " ".join(self.options).replace("=", " ").split()
        for option, number in itertools.pairwise(words):
            if option in {"--threads", "--blocking-threads"} and number.isdecimal():
                return int(number)
        return ANYIO_THREADS if self.settings.get("handlers") == "def" else None

    @property
    def with_its_number(self) -> tuple[str, int] | None:
        """Label without its number of worker processes, and that number; None if it names none."""
        base, sign, count = self.label.rpartition(BY_WORKERS)
        return (base, int(count)) if sign else None

    def worker_processes(self, shared: int, cores: int) -> int:
        """Worker processes: its own number, or else the number that all stacks share.

        Args:
            shared: The plan's number.
            cores: Number of the servers' cores.
        """
        return worker_number(self.workers, cores) if self.workers else shared


class Arrivals(enum.StrEnum):
    """When the requests of open load are due."""

    CONSTANT = "constant"  # one every 1/R seconds
    POISSON = "poisson"  # independent of each other, as from many users; R a second on average


@dataclass(frozen=True, slots=True)
class Load:
    """Closed load, open load if it has a rate, or a search of the rate if it has a promise.

    Closed load: `users` connections, each of which sends when its last reply has come. Open load:
    requests are due on a schedule, whether or not earlier ones have been answered; at most `users`
    are in flight. A search is open load whose rate differs from slice to slice.
    """

    users: int
    rate_rps: float | None = None
    arrivals: Arrivals = Arrivals.POISSON
    #: How long the upstream takes meanwhile; None: as long as in the rest of the run.
    io_ms: float | None = None
    #: What each request asks for, where the scenario lets its load decide that (Scenario.asks): lookups
    #: in the database, and units of CPU work; None: as the scenario's own samples say.
    queries: int | None = None
    work: int | None = None
    slo: Slo | None = None

    @property
    def is_open(self) -> bool:
        """Whether requests are due on a schedule."""
        return self.rate_rps is not None or self.slo is not None

    @property
    def label(self) -> str:
        """As in the `load` column: `closed-16`, `open-poisson-500`, `capacity-p99-100ms`, `closed-16-io200-q3-w10`."""
        asked = (("io", self.io_ms), ("q", self.queries), ("w", self.work))
        asks = "".join(f"-{key}{value:g}" for key, value in asked if value is not None)
        if self.slo is not None:
            return f"capacity-{self.slo.label}{asks}"
        if self.rate_rps is None:
            return f"closed-{self.users}{asks}"
        return f"open-{self.arrivals}-{self.rate_rps:g}{asks}"


class Kind(enum.StrEnum):
    """What a scenario's requests spend their time on."""

    FRAMEWORK = "framework"
    IO = "I/O-bound"
    CPU = "CPU-bound"
    MIXED = "mixed"


class Measures(enum.StrEnum):
    """What a scenario's samples are."""

    REQUESTS = "requests"  # to a server, or messages over its WebSockets
    STARTS = "starts"  # of a server, from spawn to its first good reply
    TEST_CLIENT = "test client"  # requests through the framework's own test client


class StepKind(enum.StrEnum):
    """What changes with a step of the ladder."""

    SERVER = "server"
    VALIDATION = "validation"
    FRAMEWORK = "framework"
    CLIENT = "client"
    HANDLERS = "handlers"
    DRIVER = "driver"
    COLLECTOR = "collector"  # of garbage


@dataclass(frozen=True, slots=True)
class Step:
    """One change on the way from Flask to FastAPI, from one rung (a stack) to the next."""

    kind: StepKind
    change: str  # a few words: "gunicorn → granian"
    before: str  # the rung below the step
    after: str  # the rung above it
    beyond: bool = False  # whether it leads on from FastAPI as it is commonly run


@dataclass(frozen=True, slots=True)
class Scenario:
    """What the users do, as the scenario's Locust file declares it."""

    name: str  # the file's name: users-lookup for scenarios/users_lookup.py
    file: str  # relative to the project: scenarios/users_lookup.py
    kind: Kind
    question: str  # what it answers, as a reader would ask it
    endpoints: tuple[str, ...]  # what it requests, named as in the contract: "GET /hello"
    stacks: tuple[str, ...]  # default contenders; the first is the baseline
    users: int  # default number of users
    warmup_s: float  # least uncounted load on fresh servers, until their rate is steady
    #: How long one stack is loaded at least before the next has its turn, whatever the machine's noise
    #: asks for, where the scenario has a reason: a burst at the beginning of slices, dear requests.
    least_slice_s: float = 0.0
    #: How long at most, where it has a reason for shorter slices: requests that all cost the same.
    most_slice_s: float | None = None
    settle_s: float = 0.0  # of runs up to schema 3: the beginning of each slice, not counted
    core: bool = False  # whether a run that names no scenario measures it
    measures: Measures = Measures.REQUESTS
    ladder: tuple[StepKind, ...] = ()  # kinds of step that can matter; empty: no ladder
    #: What the endpoints need, as the contract says: "database", "upstream", "classifier".
    needs: tuple[str, ...] = ()
    #: What of its requests a load may decide: "queries", "work".
    asks: tuple[str, ...] = ()
    requests: tuple[OwnRequest, ...] = ()  # of the reader's own; such a scenario has no file
    locustfile: str = ""  # of the reader's own, absolute

    @property
    def is_own(self) -> bool:
        """Whether the reader brings what is requested, so that the contract says nothing of it."""
        return bool(self.requests or self.locustfile)


@dataclass(frozen=True, slots=True)
class Profile:
    """How much is measured: rounds, and seconds that a cell is loaded in each."""

    name: str
    rounds: int  # of every block
    cell_s: float  # all slices of a cell in a round, settling included
    budget_s: float | None = None  # time for further rounds too, where intervals are wide
    precision: float = 0.025  # ± share at which a block needs none of them
    scale: float = 1.0  # of the scenario's own slice and warm-up (smoke shortens them)
    every_scenario: bool = False  # which scenarios a run measures that names none
    ladder: bool = False  # whether the steps between the twins are measured too


class Family(enum.StrEnum):
    """Comparisons whose verdicts are corrected together (Holm).

    A question that is asked beside the reader's own belongs to another family, so that asking it
    does not weaken the answer to the first.
    """

    ANSWERS = "answers"  # what the reader came with: each scenario under its first load
    LOADS = "loads"  # the same comparisons under further loads
    LADDER = "ladder"  # where a difference comes from, step by step


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two stacks of a block that are compared, and the family that the comparison belongs to."""

    baseline: str
    candidate: str
    family: Family


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """A scenario under a load with its contenders, as one round measures it."""

    scenario: Scenario
    stacks: tuple[str, ...]  # labels; the first is the baseline
    load: Load
    slice_s: float
    settle_s: float
    cycles: int  # slices per stack and round
    warmup_s: float
    ladder: tuple[Step, ...] = ()  # steps that are measured too, from the lowest rung on
    family: Family = Family.ANSWERS  # of the comparisons that are no steps
    #: Open load: whether the user gave the length, so that no queue makes slices longer.
    fixed_slice: bool = False
    search: Search | None = None  # of the rate that keeps the load's promise

    @property
    def key(self) -> BlockKey:
        """Its name within a run."""
        return BlockKey(self.scenario.name, self.load.label)

    @property
    def cells(self) -> tuple[CellKey, ...]:
        """A cell per stack, in the order of `stacks`."""
        return tuple(self.cell(label) for label in self.stacks)

    def cell(self, label: str) -> CellKey:
        """The cell of a stack."""
        return CellKey(label, self.scenario.name, self.load.label)

    @property
    def total(self) -> tuple[str, str] | None:
        """The ladder's lowest rung, and the rung of FastAPI as it is commonly run."""
        way = [step for step in self.ladder if not step.beyond]
        return (way[0].before, way[-1].after) if way else None

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Baseline and candidate of each ordinary comparison; being a rung makes none."""
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
    def contrasts(self) -> tuple[Contrast, ...]:
        """Every comparison of the block: the ordinary ones, then the ladder's steps."""
        return (
            *(Contrast(*pair, self.family) for pair in self.pairs),
            *(Contrast(*pair, Family.LADDER) for pair in self.steps),
        )

    @property
    def counts_starts(self) -> bool:
        """Whether a sample is a start and not a request."""
        return self.scenario.measures is Measures.STARTS

    @property
    def has_throughput(self) -> bool:
        """Whether requests per second say anything: a schedule fixes them, and starts have none."""
        return not (self.load.is_open or self.counts_starts)

    @property
    def headline(self) -> str:
        """The metric that decides."""
        return "throughput_rps" if self.has_throughput else "latency_p50_ms"

    @property
    def seconds_per_round(self) -> float:
        """Seconds of load that one round of this block takes; of a search, at most about."""
        if self.search is not None:
            shares_s = len(self.search.shares) * self.search.whole_s(self.search.window_s)
            return len(self.stacks) * (self.mean_warmup_s + self.search.budget_s + shares_s)
        return len(self.stacks) * (self.mean_warmup_s + self.cycles * self.slice_s)

    @property
    def mean_warmup_s(self) -> float:
        """How long warm-ups last on average: planning.plan.warmup_s draws them."""
        return 1.5 * self.warmup_s


@dataclass(frozen=True, slots=True)
class Placement:
    """Which role has which cores; empty tuples if processes can't be pinned."""

    servers: tuple[int, ...]
    load: tuple[int, ...]
    services: tuple[int, ...]
    note: str = ""  # for the report: why it is not the placement that one would wish for


class SliceSource(enum.StrEnum):
    """What decided how long slices are, before scenarios and users made some of them longer."""

    OPTION = "option"  # the reader: --slice
    CALIBRATION = "calibration"  # the machine's noise, as calibrate measured it
    DEFAULT = "default"


def upstream_s(latency: str, load: Load) -> float:
    """How long the upstream takes under a load, in the median.

    Args:
        latency: that of the run, as `Plan.upstream_latency`.
        load: it may have a latency of its own.
    """
    if load.io_ms is not None:
        return load.io_ms / 1000
    _, median_ms, *_ = latency.split(":")
    return float(median_ms) / 1000


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides what a run does; the same plan and seed give the same order."""

    profile: str
    seed: int
    rounds: int  # of every block; without a budget, no block has more
    stacks: tuple[Stack, ...]
    blocks: tuple[BlockPlan, ...]
    workers: int  # worker processes of each server
    upstream_latency: str  # "constant:50" or "lognormal:50:0.5", in ms
    generators: int = 1  # load processes, each on a core of its own if there are enough
    pacing: str = "as planned"  # which pacing decides the rounds; see measuring.pacing
    same_within: float = SAME_WITHIN  # differences below this are too small to matter: 0.03 is ±3 %
    precision: float | None = None  # ± share below which an interval is narrow enough; None: any
    #: Time for all rounds: what `rounds` rounds of every block leave of it goes to further rounds,
    #: of the blocks whose intervals are wide.
    budget_s: float | None = None
    #: Whether further rounds go only to blocks in which, or beside which, the winner may change.
    near_line: bool = False
    slice_source: SliceSource | None = None  # None: of a version that did not say
    usual_slice_s: float | None = None  # what it decided
    #: Names of what is measured after all rounds, each in a folder of its own; see planning.parts.
    parts: tuple[str, ...] = ()
    #: Conditions under which the run fails. With a budget, it goes on until they are decided.
    fail_ifs: tuple[FailIf, ...] = ()
    against: str = ""  # folder of the saved run that they compare with; empty: the baseline stack

    def upstream_latency_of(self, load: Load) -> str:
        """How long the upstream takes under a load, in the same form as `upstream_latency`."""
        return self.upstream_latency if load.io_ms is None else f"constant:{load.io_ms:g}"
