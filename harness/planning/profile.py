"""What the user of `twinbench profile` may decide -> a ProfilePlan."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.errors import BadInput, BadOption, UnknownName
from harness.models import Measures, ProfilePlan
from harness.planning.options import PROFILES as RUN_PROFILES
from harness.planning.options import RunOptions
from harness.planning.plan import Catalogue, make_plan

#: Samples per second of CPU time. More than 100 can't be had everywhere: that is how often the slowest
#: of the kernels' clocks for CPU time ticks. And each sample may be a process's last (processes.sampler).
RATE_HZ = 47
#: Context switches and CPU time per request are steady after so long.
_COUNTED_S = 3.0
_LEAST_S, _MOST_S = 0.5, 600.0


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is sampled."""

    name: str
    rounds: int
    seconds: float  # under the sampler, for each stack in each round


PROFILES: Mapping[str, Effort] = {
    "smoke": Effort("smoke", rounds=2, seconds=1.0),
    "quick": Effort("quick", rounds=3, seconds=10.0),
    "full": Effort("full", rounds=5, seconds=20.0),
}


def profile_plan(
    catalogue: Catalogue,
    scenario: str,
    *,
    effort: Effort,
    seed: int,
    stacks: Sequence[str] = (),
    seconds: float | None = None,
    rounds: int | None = None,
) -> ProfilePlan:
    """Plan what is sampled: the scenario's own load and, unless others are named, its own stacks.

    Raises:
        UnknownName: There is no such scenario or stack.
        BadInput: The scenario has no servers under load, or an option makes no sense.
    """
    if scenario not in catalogue.scenarios:
        raise UnknownName("scenario", scenario, catalogue.scenarios)
    if catalogue.scenarios[scenario].measures is not Measures.REQUESTS:
        loaded = [
            name
            for name, other in catalogue.scenarios.items()
            if other.measures is Measures.REQUESTS
        ]
        raise BadInput(
            f"scenario '{scenario}' has no server under load that could be sampled; these have one: "
            f"{', '.join(loaded)}"
        )
    if seconds is not None and not _LEAST_S <= seconds <= _MOST_S:  # refuses nan too
        raise BadOption("--seconds", f"{seconds:g}", f"give {_LEAST_S} to {_MOST_S:g} seconds")
    run = make_plan(
        catalogue,
        RunOptions(
            profile=RUN_PROFILES[effort.name],
            seed=seed,
            scenarios=(scenario,),
            stacks=tuple(stacks),
            rounds=effort.rounds if rounds is None else rounds,
            ladder=False,
        ),
    )
    sampled_s = effort.seconds if seconds is None else seconds
    return ProfilePlan(run, sampled_s, min(sampled_s, _COUNTED_S), RATE_HZ)


def stack_order(plan: ProfilePlan, number: int) -> list[str]:
    """In which order a round samples the stacks."""
    order = list(plan.block.stacks)
    random.Random(f"{plan.run.seed} profile {number}").shuffle(order)
    return order
