"""What a whole run measures beside its scenarios, so that every claim can be judged.

These are the other commands' own plans: curves, worker processes, a search for capacity, held
connections, and where the CPU time goes. Each part is measured into a folder of its own within that
of the run, and could have been measured alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BadInput
from harness.models import (
    BlockPlan,
    Claim,
    ClaimKind,
    ConnectionsPlan,
    Plan,
    Profile,
    ProfilePlan,
    worker_number,
)
from harness.planning import connections
from harness.planning.capacity import SEARCHES, CapacityOptions, plan_capacity
from harness.planning.files import STACKS_FILE
from harness.planning.options import PROFILES, RunOptions
from harness.planning.plan import Catalogue, make_plan
from harness.planning.profile import Effort, profile_plan
from harness.planning.slo import parse_slo
from harness.planning.sweep import SweepOptions, sweep_plan

#: Rounds that a verdict takes, each as short as its interval allows: there is much to measure.
_EFFORT = Profile("full", rounds=5, cell_s=0.5, scale=0.5)
#: One round more than a verdict takes, since a search need not come to an end in all of them.
_SEARCH = dataclasses.replace(
    SEARCHES["quick"], window_s=2.0, longest_s=6.0, budget_s=40.0, shares=(0.5, 0.75)
)
_SEARCH_ROUNDS = 6
#: Stacks that serve somebody else within five seconds or not at all.
_HELD = dataclasses.replace(connections.PROFILES["quick"], patience_s=5.0)
_SAMPLED = Effort("full", rounds=2, seconds=5.0)
#: Time for the rounds of the scenarios, of the hour that everything is to take at most.
_BUDGET_S = 26 * 60
_SCENARIOS = dataclasses.replace(PROFILES["full"], rounds=5, cell_s=0.8, budget_s=_BUDGET_S)

#: The ladder is left out where slices are longer: a round of its steps would take minutes.
_LADDER_SLICE_S = 1.0

_SLO = "p99<100ms"
_WEATHER = ("flask-gthread", "flask-gevent", "fastapi-uvicorn", "fastapi-aiohttp")
#: Servers of development watch files of the project all the time, on the core of all servers. In rounds
#: with others, every other stack would have that in its slowest replies.
_OF_DEVELOPMENT = ("flask-dev", "fastapi-dev")
_WORKERS = ("1", "n", "2n", "2n+1")
_PROFILED = ("hello", "users-validate", "users-lookup", "weather")
#: Kinds of tests whose figure is of a scenario under its usual load.
_USUAL = (ClaimKind.RATIO, ClaimKind.LARGER_EFFECT, ClaimKind.NEITHER_BETTER)


@dataclass(frozen=True, slots=True)
class Part:
    """Something that is measured into a folder of its own."""

    name: str  # of the folder
    plan: Plan | ConnectionsPlan | ProfilePlan


def is_whole(options: RunOptions, asked: bool | None, stacks_file: Path) -> bool:
    """Whether a run measures all that the claims need.

    Args:
        options: What the user decided.
        asked: Whether the user asked for it; None: neither way.
        stacks_file: Where the stacks are from; claims are about the project's own.

    Raises:
        BadInput: It was asked for beside a choice of what to measure.
    """
    chosen = next((name for name, value in _chosen(options, stacks_file) if value), None)
    if asked and chosen is not None:
        raise BadInput(
            f"--claims measures all that the claims need: leave out {chosen}, or --claims"
        )
    if asked is None:
        return options.profile.every_scenario and chosen is None
    return asked


def _chosen(options: RunOptions, stacks_file: Path) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Options that say what is measured, with their values."""
    yield "SCENARIO", options.scenarios
    yield "--stack", options.stacks
    yield "--users", options.users
    yield "--rate", options.rates_rps
    yield "--workers", options.worker_counts
    yield "--io-ms", options.io_ms
    yield "--queries", options.queries
    yield "--work", options.work
    yield "--stacks-file", (stacks_file,) if stacks_file != STACKS_FILE else ()


def whole_plan(
    catalogue: Catalogue,
    options: RunOptions,
    claims: Sequence[Claim],
    *,
    calibrated_slice_s: float | None = None,
) -> Plan:
    """Plan all scenarios with every stack that a claim names, and say which parts follow.

    Args:
        catalogue: What can be measured.
        options: Everything but how much is measured, unless it was said.
        claims: The ledger.
        calibrated_slice_s: As for `make_plan`.
    """
    profile = dataclasses.replace(_SCENARIOS, name=options.profile.name)
    options = dataclasses.replace(options, profile=profile)
    plan = make_plan(catalogue, options, calibrated_slice_s=calibrated_slice_s)
    named = _named(claims)
    blocks = tuple(
        _with_stacks(_quick_enough(block), named.get(block.scenario.name, ()))
        for block in plan.blocks
    )
    labels = dict.fromkeys(label for block in blocks for label in block.stacks)
    known = {stack.label: stack for stack in plan.stacks}
    return dataclasses.replace(
        plan,
        blocks=blocks,
        stacks=tuple(known.get(label) or catalogue.stacks[label] for label in labels),
        parts=tuple(part.name for part in parts(catalogue, seed=plan.seed, cores=1)),
    )


def parts(catalogue: Catalogue, *, seed: int, cores: int) -> tuple[Part, ...]:
    """What a whole run measures beside its scenarios, in this order.

    Args:
        catalogue: What can be measured.
        seed: Of all random orders.
        cores: Those of the servers, which numbers of workers are made from.
    """
    of_run = RunOptions(profile=_EFFORT, seed=seed)
    by_workers = tuple(sorted({worker_number(text, cores) for text in _WORKERS}))
    swept = dataclasses.replace(of_run, stacks=_WEATHER)
    threads = dataclasses.replace(of_run, stacks=("flask-gthread",))
    developed = dataclasses.replace(
        of_run,
        scenarios=("hello",),
        stacks=("flask-gthread", "flask-dev", "fastapi-uvicorn", "fastapi-dev"),
    )
    workers = dataclasses.replace(of_run, stacks=("flask-gthread", "flask-sync"))
    return (
        Part(
            "sweep-weather",
            sweep_plan(catalogue, swept, SweepOptions("weather", {"users": (1, 10, 100, 300)})),
        ),
        # A thousand users take a stack through httpx two minutes a round; only threads are asked about.
        Part(
            "threads-weather",
            sweep_plan(catalogue, threads, SweepOptions("weather", {"users": (10, 100, 1000)})),
        ),
        Part("development-hello", make_plan(catalogue, developed)),
        Part(
            "workers-users-lookup",
            sweep_plan(catalogue, workers, SweepOptions("users-lookup", {"workers": by_workers})),
        ),
        Part(
            "capacity-users-lookup",
            plan_capacity(
                catalogue,
                CapacityOptions(
                    "users-lookup",
                    parse_slo(_SLO),
                    _EFFORT,
                    seed,
                    rounds=_SEARCH_ROUNDS,
                    search=_SEARCH,
                ),
            ),
        ),
        Part(
            "connections",
            connections.connections_plan(catalogue.stacks, profile=_HELD, seed=seed, rounds=5),
        ),
        *(
            Part(
                f"profile-{scenario}",
                profile_plan(catalogue, scenario, effort=_SAMPLED, seed=seed),
            )
            for scenario in _PROFILED
        ),
    )


def _named(claims: Sequence[Claim]) -> Mapping[str, tuple[str, ...]]:
    """Scenario -> the stacks that tests name under its usual load, but for those of a part."""
    found: dict[str, dict[str, None]] = {}
    for claim in claims:
        for test in claim.tests:
            if test.kind in _USUAL:
                names = (
                    test.baseline,
                    test.candidate,
                    test.beside_baseline,
                    test.beside_candidate,
                )
                own = [name for name in names if name and name not in _OF_DEVELOPMENT]
                found.setdefault(test.scenario, {}).update(dict.fromkeys(own))
    return {scenario: tuple(names) for scenario, names in found.items()}


def _quick_enough(block: BlockPlan) -> BlockPlan:
    """The block without the steps of the ladder if they would take too long."""
    if block.slice_s <= _LADDER_SLICE_S:
        return block
    return dataclasses.replace(block, stacks=block.scenario.stacks, ladder=())


def _with_stacks(block: BlockPlan, names: Sequence[str]) -> BlockPlan:
    """The block with these stacks too, each compared with the baseline even if it is a rung."""
    compared = tuple(dict.fromkeys([*block.scenario.stacks, *names]))
    return dataclasses.replace(
        block,
        scenario=dataclasses.replace(block.scenario, stacks=compared),
        stacks=tuple(dict.fromkeys([*block.stacks, *compared])),
    )
