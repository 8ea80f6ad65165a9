"""What the runner and the load process say to each other: one JSON object a line.

A block is one scenario in one round. The runner orders it; the load process answers `warm` when
every stack has had its warm-up and waits to be told which processes to meter; it answers `slice`
after each slice, and when the samples are written, `done`. Instead of any answer it may say
`failed`.

Nothing of Locust is imported here: both sides use this file.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from harness.models import Slice


@dataclass(frozen=True, slots=True)
class Contender:
    """One stack of the block."""

    label: str
    url: str
    samples_file: str  # absolute path of the Parquet file to be written


@dataclass(frozen=True, slots=True)
class Block:
    """The runner's order."""

    scenario_file: str  # absolute path
    contenders: tuple[Contender, ...]
    turns: tuple[tuple[str, ...], ...]  # per cycle: labels in drawn order
    users: int
    slice_s: float
    settle_s: float
    warmup_s: float
    drain_s: float
    seed: str

    def to_json(self) -> dict[str, Any]:
        """As sent over the pipe."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Block:
        """As received."""
        contenders = tuple(Contender(**item) for item in value.pop("contenders"))
        turns = tuple(tuple(turn) for turn in value.pop("turns"))
        return cls(contenders=contenders, turns=turns, **value)


@dataclass(frozen=True, slots=True)
class Metered:
    """Process ids, as they are after the warm-up: pools, workers and backends are grown."""

    stacks: dict[str, list[int]]  # all that are alive, contenders or not
    postgres: list[int]
    upstream: list[int]


@dataclass(frozen=True, slots=True)
class Played:
    """What the load process says of one stack when the block is done.

    CPU times are those of the stack's own slices, begin to drained.
    """

    label: str
    requests: int
    errors: int
    examples: tuple[str, ...]
    slices: tuple[Slice, ...]
    server_cpu_s: float
    load_cpu_s: float
    postgres_cpu_s: float
    upstream_cpu_s: float
    wall_s: float

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Played:
        """As received."""
        slices = tuple(Slice(**item) for item in value.pop("slices"))
        examples = tuple(value.pop("examples"))
        return cls(slices=slices, examples=examples, **value)
