"""The messages between the measuring side and one member.

A block is one scenario under one load in one round. The measuring side orders a block, then slice
after slice: so several members begin a slice together, and everybody's CPU clock can be read between
two slices. At the end the member hands over what it has: its usage, and the samples of each cell.

    order                      answer
                               ready                       from a test client, before any order
    block    {block}           seated
    slice    {turn}            slice     {report} + bytes  samples of the slice, if the turn asks for them
    measure                    measuring                   what was played until now was warm-up
    finish                     finished  {usage}
                               played    {played} + bytes  once for each cell; the bytes are samples

Instead of any answer a member may send `failed {message}`.

Times. A member has a clock of its own. Times in orders (`origin_ns`, `begin_ns`) are on the member's
clock; times in answers count from the block's origin. Only measuring/crew.py converts.

This file does not import Locust, because both ends use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from harness.models import Arrivals, CellKey, Load, OwnRequest, Slice

#: A sample names its endpoint in one byte.
MOST_ENDPOINTS = 127


@dataclass(frozen=True, slots=True)
class Message:
    """An order or an answer."""

    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)  # as JSON can hold them
    data: bytes = b""


class Channel(Protocol):
    """The measuring side's end of the conversation with one member."""

    @property
    def clock_offset_ns(self) -> int:
        """The member's clock minus ours, both as `time.perf_counter_ns` counts."""

    def tell(self, order: Message) -> None:
        """Send an order.

        Raises:
            LoadFailed: The member has died.
        """

    def answer(self, within_s: float) -> Message:
        """Wait for the next answer.

        Raises:
            LoadFailed: The member has died, reported a failure or sent nothing in time.
        """


class MemberEnd(Protocol):
    """A member's end of the conversation."""

    def receive(self) -> Message | None:
        """Wait for the next order; None if there are no more."""

    def say(self, answer: Message) -> None:
        """Send an answer."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A cell of the block, and how it is loaded."""

    cell: CellKey
    load: Load  # of all members together
    url: str  # empty for a test client, which has no server
    #: What is sent where the reader brings the requests, as this stack has them; empty: the scenario's.
    requests: tuple[OwnRequest, ...] = ()
    verify_tls: bool = True


@dataclass(frozen=True, slots=True)
class Block:
    """What one member is to play."""

    scenario_file: str  # absolute path; empty where the reader brings the requests
    contenders: tuple[Contender, ...]
    part: int  # which share of the load is this member's, from 0
    parts: int
    timeout_s: float  # a request without a reply after that long has failed
    seed: str
    origin_ns: int  # on the member's clock; times in answers count from here
    endpoints: tuple[
        str, ...
    ] = ()  # names of the reader's own requests that have figures of their own
    locustfile: str = ""  # absolute path of one whose users load in place of the scenario's

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Block:
        """Read what `dataclasses.asdict` made."""
        contenders = tuple(
            Contender(
                CellKey(**item["cell"]),
                _load(item["load"]),
                item["url"],
                tuple(map(_request, item["requests"])),
                item["verify_tls"],
            )
            for item in value["contenders"]
        )
        return cls(**{**value, "contenders": contenders, "endpoints": tuple(value["endpoints"])})


@dataclass(frozen=True, slots=True)
class Turn:
    """An order to play one slice of one cell."""

    cell: CellKey
    cycle: int  # which of the slices that the stack has in its round
    seconds: float  # about how long it takes
    settle_s: float = 0.0  # open load: its beginning, which is not counted
    requests: int | None = None  # closed load: how many to count, by all members together
    #: Closed load: how many to send before these, beside each connection's first; by all together.
    uncounted: int = 0
    begin_ns: int | None = None  # when to begin, on the member's clock; None: at once
    rate_rps: float | None = None  # open load: of all members together; None: the load's
    tells_samples: bool = False  # whether the answer brings the samples of the slice

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Turn:
        """Read what `dataclasses.asdict` made."""
        return cls(**{**value, "cell": CellKey(**value["cell"])})


def share_of(whole: int, part: int, parts: int) -> int:
    """A member's share of users or requests. The first parts take one more until none is left."""
    return whole // parts + (part < whole % parts)


@dataclass(frozen=True, slots=True)
class SliceReport:
    """What a member says of a slice that it has played."""

    slice: Slice
    samples: int
    cpu_s: float  # the member's own CPU time from the order to the end of the slice

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SliceReport:
        """Read what `dataclasses.asdict` made."""
        return cls(**{**value, "slice": Slice(**value["slice"])})


@dataclass(frozen=True, slots=True)
class Played:
    """What came of one cell in a block."""

    cell: CellKey
    requests: int
    errors: int
    starved: int
    #: CPU seconds that each member spent on spinning until a request was due.
    spun_s: tuple[float, ...]
    examples: tuple[str, ...]
    slices: tuple[Slice, ...]
    parity: tuple[str, ...] = ()  # from a test client: how replies differed from the contract
    #: From users of a locustfile: what samples name as their endpoint. Else the scenario says it.
    endpoints: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Played:
        """Read what `dataclasses.asdict` made."""
        return cls(
            **{
                **value,
                "cell": CellKey(**value["cell"]),
                "slices": tuple(Slice(**item) for item in value["slices"]),
                "spun_s": tuple(value["spun_s"]),
                "examples": tuple(value["examples"]),
                "parity": tuple(value["parity"]),
                "endpoints": tuple(value["endpoints"]),
            }
        )


def _request(value: Mapping[str, Any]) -> OwnRequest:
    return OwnRequest(**{**value, "headers": tuple(map(tuple, value["headers"]))})


def _load(value: Mapping[str, Any]) -> Load:
    return Load(**{**value, "arrivals": Arrivals(value["arrivals"])})
