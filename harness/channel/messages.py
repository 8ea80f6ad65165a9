"""What the harness and a load process say to each other: one JSON object a line.

A process with a test client (in_process.py) does the same for the one stack that it is, once it
has said {"event": "ready"}.

A block is one scenario in one round. The harness orders it and a load process seats one user per
stack; then each slice is an order of its own, so that several load processes begin theirs
together, and so that the harness can read everybody's CPU clock in between. At the end the load
process writes the samples and says what it played.

    order                                      answer
    {"order": "block", "block": {…}}           {"event": "seated"}
    {"order": "slice", "stack": …, …}          {"event": "slice", "slice": {…}, "requests": …}
    {"order": "measure"}                       {"event": "measuring"}: what came before was warm-up
    {"order": "finish"}                        {"event": "done", "played": […]}

Instead of any answer it may say {"event": "failed", "message": …}.

Nothing of Locust is imported here: both sides use this file.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from harness.models import Arrivals, Load, Slice


@dataclass(frozen=True, slots=True)
class Contender:
    """One stack of the block."""

    label: str
    url: str  # empty for a test client, which has no server
    samples_file: str  # absolute path of the Parquet file to be written


@dataclass(frozen=True, slots=True)
class Block:
    """What one load process is to do."""

    scenario_file: str  # absolute path
    contenders: tuple[Contender, ...]
    load: Load  # of all load processes together
    part: int  # which share of it is this process's, from 0
    parts: int
    timeout_s: float  # a request without an answer has failed
    seed: str
    origin_ns: int  # of all times, on the clock that all processes of a machine share

    def to_json(self) -> dict[str, Any]:
        """As sent over the pipe."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Block:
        """As received."""
        contenders = tuple(Contender(**item) for item in value.pop("contenders"))
        load = value.pop("load")
        load["arrivals"] = Arrivals(load["arrivals"])
        return cls(contenders=contenders, load=Load(**load), **value)


@dataclass(frozen=True, slots=True)
class Turn:
    """One slice of one stack, as ordered."""

    stack: str
    cycle: int
    seconds: float
    settle_s: float
    begin_ns: int = 0  # not before this; on the shared clock


@dataclass(frozen=True, slots=True)
class Played:
    """What came of one stack in a block."""

    label: str
    requests: int
    errors: int
    starved: int
    #: CPU seconds that each load process spent on spinning until a request was due.
    spun_s: tuple[float, ...]
    examples: tuple[str, ...]
    slices: tuple[Slice, ...]
    parity: tuple[str, ...] = ()  # of a test client: how replies differed from the contract

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Played:
        """As received."""
        slices = tuple(Slice(**item) for item in value.pop("slices"))
        value |= {name: tuple(value[name]) for name in ("examples", "parity", "spun_s")}
        return cls(slices=slices, **value)
