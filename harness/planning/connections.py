"""What the user of `twinbench connections` may decide -> a ConnectionsPlan."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.errors import BadOption, UnknownName
from harness.models import ConnectionsPlan, Held, Stack

MAX_CONNECTIONS = 60_000
#: The stacks of the scenario `live`: threads, greenlets, and an event loop.
DEFAULT_STACKS = ("flask-gthread", "flask-gevent", "fastapi-uvicorn")


@dataclass(frozen=True, slots=True)
class ConnectionsProfile:
    """How much is measured."""

    name: str
    rounds: int
    counts: tuple[int, ...]
    visits: int
    patience_s: float


PROFILES: Mapping[str, ConnectionsProfile] = {
    # A server that serves nobody costs the whole patience, several times in a round.
    "smoke": ConnectionsProfile("smoke", 2, (200,), 10, patience_s=1.0),
    "quick": ConnectionsProfile("quick", 3, (100, 1_000, 10_000), 30, patience_s=15.0),
    "full": ConnectionsProfile("full", 8, (100, 1_000, 10_000), 50, patience_s=15.0),
}


def connections_plan(
    catalogue: Mapping[str, Stack],
    *,
    profile: ConnectionsProfile,
    seed: int,
    stacks: Sequence[str] = (),
    held: Sequence[Held] = (),
    counts: Sequence[int] = (),
    rounds: int | None = None,
) -> ConnectionsPlan:
    """Plan what is measured.

    Raises:
        UnknownName: There is no such stack.
        BadOption: An option makes no sense.
    """
    given = ",".join(map(str, counts))
    for count in counts:
        if not 1 <= count <= MAX_CONNECTIONS:
            advice = f"give between 1 and {MAX_CONNECTIONS:,} connections"
            raise BadOption("--connections", count, advice)
    if list(counts) != sorted(set(counts)):
        raise BadOption("--connections", given, "give rising numbers, such as 100,1000,10000")
    if rounds is not None and not 1 <= rounds <= 1_000:
        raise BadOption("--rounds", rounds, "give 1 to 1,000 rounds")
    if seed < 0:
        raise BadOption("--seed", seed, "give a whole number from 0 on")
    names = tuple(dict.fromkeys(stacks or DEFAULT_STACKS))
    for name in names:
        if name not in catalogue:
            raise UnknownName("stack", name, catalogue)
    return ConnectionsPlan(
        profile=profile.name,
        seed=seed,
        rounds=profile.rounds if rounds is None else rounds,
        stacks=tuple(catalogue[name] for name in names),
        held=tuple(dict.fromkeys(held or Held)),
        counts=tuple(counts or profile.counts),
        visits=profile.visits,
        patience_s=profile.patience_s,
    )


def series_order(plan: ConnectionsPlan, number: int) -> list[tuple[Stack, Held]]:
    """In which order a round measures the stacks with each kind of held connection."""
    order = [(stack, held) for stack in plan.stacks for held in plan.held]
    random.Random(f"{plan.seed} connections {number}").shuffle(order)
    return order
