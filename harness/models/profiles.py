"""Profiles: where the CPU time of servers goes. What is planned, what was sampled, what follows."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from harness.models.derived import Estimate
from harness.models.plan import BlockPlan, Placement, Plan


class Group(enum.StrEnum):
    """What a sample of the CPU is put down to."""

    SERVER = "server"
    FRAMEWORK = "framework"
    VALIDATION = "validation"
    SERIALISATION = "serialisation"
    CLIENT = "HTTP client"
    DATABASE = "database"  # driver and ORM
    OWN = "own code"  # the twins
    STDLIB = "standard library"  # where no library of another group called it
    REST = "rest"


@dataclass(frozen=True, slots=True)
class ProfilePlan:
    """Everything that decides what is sampled."""

    run: Plan  # stacks and scenario with its load, as a run would measure them: one block
    seconds: float  # under the sampler, for each stack in each round
    counted_s: float  # without it, likewise: for what the sampler itself would change
    rate_hz: int  # samples per second of each process

    @property
    def block(self) -> BlockPlan:
        """The scenario with its stacks."""
        return self.run.blocks[0]


@dataclass(frozen=True, slots=True)
class Switches:
    """Times that the threads of some processes left a core."""

    voluntary: int  # they waited: for a socket, a lock, the GIL
    involuntary: int  # the system gave the core to another thread


@dataclass(frozen=True, slots=True)
class Served:
    """What a stack did while it was loaded for some seconds."""

    requests: int
    seconds: float
    cpu_s: float
    switches: Switches


@dataclass(frozen=True, slots=True)
class ProfileRound:
    """One stack in one round."""

    round: int  # from 1
    stack: str
    samples_file: str  # collapsed stacks, relative to the folder
    counted: Served  # without the sampler
    sampled: Served  # under it
    errors: int  # of the requests of both
    error_example: str = ""
    died: str = ""  # which process of the stack ended meanwhile
    #: The sampler ended a process, as it may before Python 3.13: samples until then are good, but requests
    #: and CPU time under it are not known.
    cut_short: bool = False


@dataclass(frozen=True, slots=True)
class ProfileRecord:
    """What was planned and what was sampled so far."""

    run_id: str
    schema: int
    plan: ProfilePlan
    environment: Mapping[str, object]
    placement: Placement
    command: tuple[str, ...]
    started: str
    ended: str | None  # None: cut off
    rounds: tuple[ProfileRound, ...] = ()


#: Collapsed stacks: frames from the outermost to the innermost -> number of samples. A frame is
#: `function (place)`; places of libraries begin with `site-packages/`, of the standard library with
#: `python/`, of code without a Python file with `native/`; others are paths within the project.
Stacks = Mapping[tuple[str, ...], int]


@dataclass(frozen=True, slots=True)
class GroupShare:
    """The share of a group in the samples of a stack: a row of profile.csv."""

    stack: str
    group: Group
    samples: int
    share: Estimate  # with the wider of the two intervals below
    by_chance: Estimate  # what so many samples leave open (Wilson)
    between_rounds: Estimate  # Student's t over rounds; NaN limits for fewer than three
    cpu_us_per_request: (
        Estimate  # its part of the CPU time per request; its interval as the share's
    )


@dataclass(frozen=True, slots=True)
class FlameFrame:
    """A frame of a flame graph: a function, called by the frame above it."""

    name: str
    group: Group  # what samples would be put down to whose innermost frame this is
    depth: int  # from 0
    start: int  # samples left of it
    samples: int
    own: int  # of them, those in which it is the innermost


@dataclass(frozen=True, slots=True)
class Flame:
    """The flame graph of a stack; frames that are too narrow to be seen are left out."""

    stack: str
    samples: int
    folded: tuple[str, ...]  # the outermost frames, which nearly all samples share
    frames: tuple[FlameFrame, ...]


@dataclass(frozen=True, slots=True)
class StackProfile:
    """What was found of one stack: a row of profile-stacks.csv."""

    stack: str
    twin: str
    rounds: int
    samples: int
    requests: int  # without the sampler, as the figures below
    errors: int  # with and without it
    cpu_us_per_request: Estimate  # intervals over rounds
    voluntary_per_request: Estimate
    involuntary_per_request: Estimate
    cut_short: (
        int  # rounds in which the sampler ended a process; the next two are of the others, or NaN
    )
    speed_under_sampler: float  # requests per second under the sampler ÷ without it
    #: Samples ÷ rate ÷ CPU time: 1 but for chance, and for threads that never run Python.
    seen: float


@dataclass(frozen=True, slots=True)
class ProfileAnalysis:
    """Everything that tables, charts and page say."""

    record: ProfileRecord
    stacks: tuple[StackProfile, ...]
    shares: tuple[GroupShare, ...]
    flames: tuple[Flame, ...]
    problems: tuple[str, ...]  # what makes figures unusable: failed requests, a process that ended

    @property
    def valid(self) -> bool:
        """Whether every figure can be used."""
        return bool(self.stacks) and not self.problems
