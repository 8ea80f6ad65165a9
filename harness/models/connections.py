"""Connections that are held: what is going to be measured, what was, and what follows from it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from harness.models.derived import Estimate
from harness.models.plan import Placement, Stack


class Held(enum.StrEnum):
    """In which state connections are held."""

    KEEP_ALIVE = "keep-alive"  # each made one request, and stays open without another
    WEBSOCKET = "websocket"  # each exchanged one message
    HALF_SENT = "half-sent"  # each sent the beginning of a request, as slow clients do


@dataclass(frozen=True, slots=True)
class ConnectionsPlan:
    """Everything that decides what is measured."""

    profile: str
    seed: int
    rounds: int
    stacks: tuple[Stack, ...]
    held: tuple[Held, ...]
    counts: tuple[int, ...]  # of connections, rising
    visits: int  # requests of an ordinary client at each number of connections
    patience_s: float  # how long such a client, or the opening of a connection, waits
    workers: int = 1  # worker processes of each server


@dataclass(frozen=True, slots=True)
class HeldStep:
    """One server while so many connections were held."""

    asked: int  # connections that were to be held; 0: before the first
    held: int  # when memory was read
    closed: int  # by the server, until the end of the step
    failed: int  # connections that could not be opened, or whose first exchange failed
    example: str  # of such a failure
    opening_s: float  # since the last step
    pss_bytes: int
    uss_bytes: int | None
    threads: int
    #: For each visit, ms from connecting to the whole right reply; None: not within the patience.
    visits_ms: tuple[float | None, ...]

    @property
    def all_served(self) -> bool:
        """Whether every ordinary client got its reply."""
        return bool(self.visits_ms) and None not in self.visits_ms


@dataclass(frozen=True, slots=True)
class HeldSeries:
    """A fresh server, with more and more connections held."""

    round: int  # from 1
    stack: str
    held: Held
    steps: tuple[HeldStep, ...]
    died: str = ""  # which process of the stack ended meanwhile, or why it did not start


@dataclass(frozen=True, slots=True)
class ConnectionsRecord:
    """What was planned and what was measured so far."""

    run_id: str
    schema: int
    plan: ConnectionsPlan
    environment: Mapping[str, object]
    placement: Placement
    command: tuple[str, ...]
    started: str
    ended: str | None  # None: cut off
    series: tuple[HeldSeries, ...] = ()


@dataclass(frozen=True, slots=True)
class HeldPoint:
    """A stack with so many connections, over all rounds: a row of connections.csv."""

    held: Held
    stack: str
    twin: str
    asked: int
    rounds: int  # that came as far as this
    held_least: int
    closed_most: int
    failed_most: int
    pss_mib: float  # median of the rounds
    uss_mib: float  # likewise; NaN if the system does not tell
    threads_most: int
    visits: int
    answered: int  # of the visits, rightly and in time
    visit_ms: Estimate  # of the rounds' medians; NaN unless all were answered
    slowest_ms: float  # of the visits that were answered; NaN without any
    example: str

    @property
    def serves_others(self) -> bool:
        """Whether every ordinary client got its reply."""
        return self.answered == self.visits > 0


@dataclass(frozen=True, slots=True)
class HeldMemory:
    """What one more connection adds to the memory of a stack."""

    held: Held
    stack: str
    twin: str
    rounds: int
    up_to: int  # connections that were held in every round
    kib: Estimate  # proportional set size per connection; NaN if too few were held
    reason: str = ""  # why there is no figure
    broken: bool = False  # whether that is a server that ended or never answered, and no finding


@dataclass(frozen=True, slots=True)
class ConnectionsAnalysis:
    """Everything that table, chart and page say."""

    record: ConnectionsRecord
    points: tuple[HeldPoint, ...]
    memory: tuple[HeldMemory, ...]
    problems: tuple[str, ...]  # what makes figures unusable: a server that ended, or never answered

    @property
    def valid(self) -> bool:
        """Whether every figure can be used."""
        return bool(self.points) and not self.problems
