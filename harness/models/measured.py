"""What a run measured, as its journal keeps it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.models.machine import BusyProcess
from harness.models.plan import BlockKey, BlockPlan, CellKey, Placement, Plan
from harness.models.searches import Window


class Failure(enum.IntEnum):
    """Why a request did not get the reply that the contract promises; 0: it did."""

    NONE = 0
    WRONG_STATUS = 1
    WRONG_BODY = 2
    CLOSED = 3
    TIMEOUT = 4
    MALFORMED = 5
    REFUSED = 6
    NEVER_SENT = 7  # it was due, but no connection was free until the end


@dataclass(frozen=True, slots=True)
class Slice:
    """One turn of one stack. Times in ns since the block's slices began."""

    cycle: int  # which of the slices that the stack has in its round
    begin_ns: int  # the first request goes out
    from_ns: int  # requests that are sent from now on are counted
    to_ns: int  # requests that are sent from now on are not counted
    end_ns: int  # the last reply has come
    #: Closed load: how many requests were to be counted; None if seconds decided, not requests.
    requests: int | None = None
    #: Closed load: time that users let pass before they sent their counted requests, all together.
    think_ns: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """What the processes of a stack, a service, the load or the harness itself used."""

    cpu_s: float
    pss_bytes: int  # proportional set size, or resident size if the system has no PSS
    threads: int
    context_switches: int  # of all threads that lived from begin to end
    #: Unique set size: pages that no other process shares, copy-on-write ones of a parent included
    #: once they were written to. None if the system does not tell, or an older run did not ask.
    uss_bytes: int | None = None


#: The servers' cores, and all others of a run, as CellRound.cores names them.
SERVER_CORES, OTHER_CORES = "servers", "load and services"


@dataclass(frozen=True, slots=True)
class CoreUsage:
    """What some cores did in a cell's slices of one round, all of these slices together."""

    available_s: float  # cores × time
    busy_s: float  # what the clocks of processes count, ours and others
    own_s: float  # CPU time of our own processes that run there
    interrupt_s: float  # in interrupts, mostly for our own traffic; see processes.foreign
    steal_s: float  # taken by the host for other virtual machines

    @property
    def foreign_s(self) -> float:
        """CPU time of processes that are not ours."""
        return max(0.0, self.busy_s - self.own_s)


@dataclass(frozen=True, slots=True)
class CellRound:
    """One cell in one round; its samples are in `samples_file`."""

    round: int  # from 1
    scenario: str
    stack: str
    load: str
    samples_file: str  # relative to the run's folder; once thinned, its name in samples.parquet
    requests: int  # all that were sent in the slices, settling and draining included; or starts
    errors: int
    slices: tuple[Slice, ...]
    #: The stack's whole process tree. CPU time is that of this cell's slices; the rest is read at
    #: the end of the block, in which a stack without a turn has next to nothing to do. None if the
    #: target's processes could not be metered.
    server: Usage | None
    load_cpu_s: tuple[float, ...]  # of each load process in this cell's slices; empty without any
    #: Service that the run uses -> its CPU time in this cell's slices. None: the user brings it, so
    #: that its CPU time is unknown.
    services_cpu_s: Mapping[str, float | None]
    wall_s: float  # begin to end of this cell's slices, added up
    starved: int = 0  # open load: requests that waited for a free connection
    #: Open load: CPU seconds of each load process that it only spent on spinning until a request
    #: was due. They are part of `load_cpu_s`.
    load_spun_s: tuple[float, ...] = ()
    died: str = ""  # which process of the stack ended while it was measured, or did not start
    parity: tuple[str, ...] = ()  # how its replies differed from the contract, before or after
    #: How replies of a service of the reader's own differed from those of the baseline, before or after,
    #: though both served the request.
    differences: tuple[str, ...] = ()
    error_examples: tuple[str, ...] = ()
    #: Keys SERVER_CORES and OTHER_CORES; one is missing where the system does not tell.
    cores: Mapping[str, CoreUsage] = field(default_factory=dict)
    windows: tuple[Window, ...] = ()  # of a search: one for each slice, in the same order
    #: Where the users' own names decide, and no scenario: what samples name as their endpoint.
    endpoints: tuple[str, ...] = ()

    @property
    def names_endpoints(self) -> bool:
        """Whether users of a locustfile loaded it, who name what they request and wait as it says."""
        return bool(self.endpoints)

    @property
    def key(self) -> CellKey:
        """The cell that this is one round of."""
        return CellKey(self.stack, self.scenario, self.load)


@dataclass(frozen=True, slots=True)
class Settling:
    """What was found under open load about the stacks' queues, before the slices of a round."""

    utilisation: Mapping[str, float]  # stack -> share of the servers' cores that its rate takes
    needed_s: Mapping[str, float | None]  # stack -> time to settle; None: its queue never does
    slice_s: float  # the slices that were then measured
    settle_s: float
    cycles: int

    def enough_for(self, stack: str) -> bool:
        """Whether the stack's queue had settled before counting began, as far as is known."""
        if stack not in self.needed_s:
            return True
        needed_s = self.needed_s[stack]
        return needed_s is not None and needed_s <= self.settle_s


@dataclass(frozen=True, slots=True)
class BlockUsage:
    """One block in one round, all stacks together: what everybody used from begin to end."""

    round: int
    scenario: str
    load: str
    wall_s: float  # begin of the first slice to end of the last
    idle_core_share: Mapping[str, float]  # stack -> CPU time ÷ time, outside its own slices
    roles: Mapping[str, Usage] = field(default_factory=dict)  # services, load processes, harness
    #: Processes of others that may have run on the servers' cores, busiest first; noted only if
    #: they took more of these cores than the gate allows.
    busiest: tuple[BusyProcess, ...] = ()
    settling: Settling | None = None  # of open load; None in older runs, which did not ask
    took_s: float = 0.0  # everything from the first check of replies on: warm-up, slices, samples

    @property
    def key(self) -> BlockKey:
        """The block that this is one round of."""
        return BlockKey(self.scenario, self.load)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a round is to measure, as it was decided before the round began."""

    round: int
    blocks: tuple[BlockKey, ...]  # in the order in which they are measured
    reason: str
    added: tuple[BlockPlan, ...] = ()  # those of them that were not planned before


@dataclass(frozen=True, slots=True)
class Round:
    """Everything that one round measured."""

    number: int  # from 1
    order: tuple[BlockKey, ...]  # as measured
    started: str  # ISO 8601, UTC
    ready_s: Mapping[str, float]  # stack -> seconds from spawn to the first good reply
    cells: tuple[CellRound, ...]
    blocks: tuple[BlockUsage, ...]
    took_s: float = 0.0  # with starts and ends of all processes; 0 while it is not complete

    @property
    def complete(self) -> bool:
        """Whether it was measured to its end."""
        return bool(self.order)


@dataclass(frozen=True, slots=True)
class SpeedWindow:
    """How long equal work takes on one core in two neighbouring windows of about one length."""

    length_s: float
    spread: float  # root mean square of their difference, as a share: 0.12 is 12 %
    error: float  # standard error of the mean of all pairs that fit into 20 s, with their edges
    pairs: int  # that were looked at, of those that don't overlap


@dataclass(frozen=True, slots=True)
class Spectrum:
    """How the speed of a core moves: the machine's noise, by the length of a window."""

    seconds: float  # how long it was watched
    windows: tuple[SpeedWindow, ...]  # the shortest first
    slice_s: float | None  # how long slices should be; None: it was not watched long enough


@dataclass(frozen=True, slots=True)
class Calibration:
    """What A against A came to on one machine, and how much load the machine can send."""

    machine: str  # environment.fingerprint: figures of one machine say nothing of another
    made: str  # ISO 8601, UTC
    rounds: int
    #: Metric -> how far A ÷ A may be from 1, by its interval: 0.03 is ±3 %. It decides no verdict.
    noise_floor: Mapping[str, float]
    ceiling_rps: Mapping[str, float]  # connections -> requests/s of one load process, no-op server
    spectrum: Spectrum | None = None  # of a server's core; None: of an older version

    @property
    def slice_s(self) -> float | None:
        """How long slices should be on this machine; None: that is not known."""
        return self.spectrum.slice_s if self.spectrum else None


#: The command of a run that Python asked for, and no command line.
FROM_PYTHON = ("twinbench.versus",)


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
    decisions: tuple[Decision, ...] = ()
    calibration: Calibration | None = None  # of this machine, as it stood when the run began
    notes: tuple[str, ...] = ()
    thinned: bool = False  # whether times of samples were rounded to the microsecond afterwards

    @property
    def loaded_s(self) -> float:
        """Seconds of slices that were measured so far."""
        return sum(cell.wall_s for finished in self.rounds for cell in finished.cells)

    def settlings(self, key: BlockKey) -> tuple[Settling, ...]:
        """What was found of the queues of a block under open load, round by round."""
        return tuple(
            usage.settling
            for finished in self.rounds
            for usage in finished.blocks
            if usage.key == key and usage.settling is not None
        )

    @property
    def blocks(self) -> tuple[BlockPlan, ...]:
        """Every block that was planned: those of the plan, then those that were decided later."""
        return (*self.plan.blocks, *(block for made in self.decisions for block in made.added))
