"""Scenarios, stacks, profile and seed -> a Plan. Pure but for reading files: no process, no clock."""

from __future__ import annotations

import ast
import dataclasses
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from apps import contract
from harness.errors import BadInput, UnknownName
from harness.ladder import ALWAYS, climbed
from harness.models import (
    Arrivals,
    CellPlan,
    Kind,
    Load,
    Measures,
    Plan,
    Profile,
    Scenario,
    Stack,
    Step,
    StepKind,
)

#: The folder that holds apps, scenarios and harness.
PROJECT = Path(__file__).resolve().parent.parent
STACKS_FILE = PROJECT / "apps" / "stacks.toml"
LADDER_FILE = PROJECT / "apps" / "ladder.toml"
SCENARIOS_FOLDER = PROJECT / "scenarios"

PROFILES: Mapping[str, Profile] = {
    # For tests and a first look: two rounds give no verdict.
    "smoke": Profile("smoke", rounds=2, cell_s=0.3, scale=0.3),
    # As many rounds as the time allows: fresh processes tell more than longer looks at old ones.
    "quick": Profile("quick", rounds=6, cell_s=2.4),
    "full": Profile("full", rounds=16, cell_s=4.0, every_scenario=True, ladder=True),
}
DEFAULT_PROFILE = "quick"
UPSTREAM_LATENCY = "constant:50"
#: Fewer slices than this in a round and the stacks hardly take turns.
_MIN_CYCLES = 2
#: A slice that is asked for must leave something to count after settling.
_MIN_SLICE_S = 0.02
_MAX_SLICE_S = 60.0
_MAX_ROUNDS = 10_000
_MAX_USERS = 10_000
_MAX_RATE = 1_000_000
_MAX_GENERATORS = 64
#: Open load: the most connections, unless told; a stack that keeps up needs far fewer.
_OPEN_USERS = 1_000
#: Open load: a slice is to hold about so many requests, and to last at least so long.
_OPEN_REQUESTS = 100
_OPEN_SLICE_S = 0.5

#: Fields of a Scenario that its class does not declare: they follow from its file and endpoints.
_DERIVED = ("name", "file", "needs")
_DECLARED = tuple(
    field.name for field in dataclasses.fields(Scenario) if field.name not in _DERIVED
)
_REQUIRED = tuple(
    field.name
    for field in dataclasses.fields(Scenario)
    if field.name in _DECLARED and field.default is dataclasses.MISSING
)


def load_scenarios(folder: Path = SCENARIOS_FOLDER) -> dict[str, Scenario]:
    """Every scenario's declaration, read from its source without importing Locust.

    Raises:
        BadInput: a scenario file does not declare what it must.
    """
    scenarios = [
        _read_scenario(path) for path in sorted(folder.glob("*.py")) if path.name[0] != "_"
    ]
    order = list(Kind)
    scenarios.sort(key=lambda scenario: order.index(scenario.kind))
    return {scenario.name: scenario for scenario in scenarios}


def _read_scenario(path: Path) -> Scenario:
    try:
        module = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        raise BadInput(f"{path}: can't be read as Python: {error}") from error
    classes = [node for node in module.body if isinstance(node, ast.ClassDef)]
    if len(classes) != 1:
        raise BadInput(f"{path}: a scenario file has one user class, this has {len(classes)}")
    values: dict[str, Any] = {}
    for node in classes[0].body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in _DECLARED:
                try:
                    values[name] = ast.literal_eval(node.value)
                except ValueError:
                    raise BadInput(f"{path}:{node.lineno}: '{name}' must be a literal") from None
    missing = [name for name in _REQUIRED if name not in values]
    if missing:
        raise BadInput(f"{path}: the class lacks {', '.join(missing)}")
    for name, choice in (("kind", Kind), ("measures", Measures)):
        if name in values:
            try:
                values[name] = choice(values[name])
            except ValueError:
                known = ", ".join(f"'{one}'" for one in choice)
                raise BadInput(f"{path}: {name} '{values[name]}' is not one of: {known}") from None
    problem = _wrong_value(values)
    if problem:
        raise BadInput(f"{path}: {problem}")
    values["stacks"] = tuple(values["stacks"])
    values["endpoints"] = tuple(values["endpoints"])
    values["ladder"] = tuple(map(StepKind, values.get("ladder", ())))
    try:
        values["needs"] = contract.needs(values["endpoints"])
    except ValueError as error:
        raise BadInput(f"{path}: 'endpoints' has names that are {error}") from None
    # Relative where it can be: run.json is meant to be read elsewhere.
    file = path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path
    return Scenario(name=path.stem.replace("_", "-"), file=file.as_posix(), **values)


def _wrong_value(values: Mapping[str, Any]) -> str:
    """What of a declaration makes no sense; empty when all does."""
    stacks, endpoints = values["stacks"], values["endpoints"]
    numbers = [values[k] for k in ("slice_s", "settle_s", "warmup_s")]
    if not isinstance(values["question"], str) or not values["question"]:
        return "'question' must be text"
    if not _are_texts(stacks) or len(set(stacks)) < len(stacks):
        return "'stacks' must be different names, at least one"
    if not _are_texts(endpoints):
        return "'endpoints' must be what it asks, such as ('GET /hello',)"
    if values.get("measures") is Measures.STARTS and list(endpoints) != ["GET /healthz"]:
        return "'endpoints' of starts must be ('GET /healthz',), which says that a server is ready"
    if not isinstance(values["users"], int) or values["users"] < 1:
        return "'users' must be a whole number from 1 on"
    if not all(isinstance(number, int | float) for number in numbers):
        return "'slice_s', 'settle_s' and 'warmup_s' must be numbers of seconds"
    if not 0 <= values["settle_s"] < values["slice_s"] or values["warmup_s"] < 0:
        return "'settle_s' must be shorter than 'slice_s', and nothing negative"
    shortest_s = values.get("shortest_slice_s", 0)
    if not isinstance(shortest_s, int | float) or not 0 <= shortest_s <= values["slice_s"]:
        return "'shortest_slice_s' must be seconds, and no more than 'slice_s'"
    return _wrong_ladder(values.get("ladder", ()))


def _are_texts(value: Any) -> bool:
    return (
        isinstance(value, tuple | list)
        and bool(value)
        and all(isinstance(one, str) for one in value)
    )


def _wrong_ladder(kinds: Any) -> str:
    if not isinstance(kinds, tuple | list):
        return "'ladder' must be kinds of step, such as ('server', 'framework', 'handlers')"
    if any(kind not in list(StepKind) for kind in kinds) or len(set(kinds)) < len(kinds):
        return f"'ladder' must be different ones of: {', '.join(StepKind)}"
    missing = [kind for kind in ALWAYS if kind not in kinds]
    if kinds and missing:
        return f"'ladder' lacks {', '.join(missing)}: every request has them"
    return ""


def make_plan(
    *,
    scenarios: Mapping[str, Scenario],
    stacks: Mapping[str, Stack],
    profile: Profile,
    seed: int,
    workers: int = 1,
    chosen_scenarios: Sequence[str] = (),
    chosen_stacks: Sequence[str] = (),
    users: int | None = None,
    rate_rps: float | None = None,
    arrivals: Arrivals | None = None,
    rounds: int | None = None,
    slice_s: float | None = None,
    generators: int = 1,
    precision: float | None = None,
    upstream_latency: str = UPSTREAM_LATENCY,
    ladder: bool | None = None,
    steps: Sequence[Step] = (),
) -> Plan:
    """Everything that decides what a run does.

    Args:
        scenarios: what there is.
        stacks: what there is.
        profile: how much measuring.
        seed: decides every order.
        workers: worker processes of each server.
        chosen_scenarios: names; when empty the core ones, or all of a profile that has all.
        chosen_stacks: names, the first is the baseline; each scenario's own when empty. A
            name that is given twice is compared with itself.
        users: connections in place of the scenario's own; with a rate, the most of them.
        rate_rps: open load at this rate in place of closed load.
        arrivals: of open load; Poisson when None.
        rounds: in place of the profile's.
        slice_s: in place of the scenario's own.
        generators: load processes.
        precision: stop a scenario once its intervals are narrower than ± this (0.03 is 3 %).
        upstream_latency: how the weather service behaves.
        ladder: whether the steps between the twins are measured too; as the profile says when
            None, in scenarios that have a ladder and unless stacks are chosen.
        steps: the ladder that there is.

    Raises:
        UnknownName: no such scenario or stack.
        BadInput: a number makes no sense.
    """
    if users is not None and not 1 <= users <= _MAX_USERS:
        raise BadInput(f"--users {users}: give between 1 and {_MAX_USERS:,} users")
    if rate_rps is not None and not 1 <= rate_rps <= _MAX_RATE:
        raise BadInput(f"--rate {rate_rps:g}: give 1 to {_MAX_RATE:,} requests a second")
    if arrivals is not None and rate_rps is None:
        raise BadInput(f"--arrivals {arrivals} is for open load: give a --rate too")
    if not 1 <= generators <= _MAX_GENERATORS:
        raise BadInput(f"--generators {generators}: give 1 to {_MAX_GENERATORS} load processes")
    if precision is not None and not 0.001 <= precision <= 0.5:
        raise BadInput(f"--precision {precision:.2%}: give 0.1% to 50%")
    if rounds is not None and not 1 <= rounds <= _MAX_ROUNDS:
        raise BadInput(f"--rounds {rounds}: give 1 to {_MAX_ROUNDS:,} rounds (5 for a verdict)")
    if slice_s is not None and not _MIN_SLICE_S <= slice_s <= _MAX_SLICE_S:  # nor is nan
        raise BadInput(f"--slice {slice_s}: give {_MIN_SLICE_S} to {_MAX_SLICE_S} seconds")
    if seed < 0:
        raise BadInput(f"--seed {seed}: give a whole number from 0 on")
    for name in chosen_scenarios:
        if name not in scenarios:
            raise UnknownName("scenario", name, scenarios)
    wanted = list(dict.fromkeys(chosen_scenarios)) or [
        name for name, scenario in scenarios.items() if scenario.core or profile.every_scenario
    ]
    if ladder:
        _refuse_ladder(scenarios, chosen_scenarios, chosen_stacks)
    climbs: dict[str, tuple[Step, ...]] = {}
    if chosen_stacks:
        contenders = _with_labels(chosen_stacks, stacks)
        labels = {name: tuple(stack.label for stack in contenders) for name in wanted}
    else:
        if profile.ladder if ladder is None else ladder:
            climbs = {name: climbed(steps, scenarios[name].ladder) for name in wanted}
        labels = {name: _with_rungs(scenarios[name], climbs.get(name, ())) for name in wanted}
        own = [name for s in wanted for name in scenarios[s].stacks]
        rungs = [name for s in wanted for name in labels[s] if name not in own]
        for name in rungs:
            if name not in stacks:
                raise BadInput(
                    f"the ladder needs stack '{name}', which the stacks file lacks: add it, or "
                    "say --no-ladder"
                )
        contenders = _with_labels(list(dict.fromkeys([*own, *rungs])), stacks)
    cells = tuple(
        _cell(
            scenarios[name],
            labels[name],
            profile,
            load=load,
            slice_s=slice_s,
            ladder=climbs.get(name, ()),
        )
        for name in wanted
        for load in [_load(scenarios[name], users, rate_rps, arrivals or Arrivals.POISSON)]
    )
    _refuse_idle_options(
        [scenarios[name] for name in chosen_scenarios],
        cells,
        {"--users": users, "--rate": rate_rps, "--slice": slice_s},
        generators,
    )
    return Plan(
        profile=profile.name,
        seed=seed,
        rounds=rounds or profile.rounds,
        stacks=tuple(contenders),
        cells=cells,
        workers=workers,
        upstream_latency=upstream_latency,
        generators=generators,
        precision=precision,
    )


#: Options that mean nothing to a scenario, by what it measures, and why.
_IDLE_OPTIONS: Mapping[Measures, tuple[str, tuple[str, ...]]] = {
    Measures.REQUESTS: ("", ()),
    Measures.STARTS: ("starts one server at a time", ("--users", "--rate", "--slice")),
    Measures.TEST_CLIENT: ("has one test client, without a server", ("--users", "--rate")),
}


def _refuse_idle_options(
    chosen: Sequence[Scenario],
    cells: Sequence[CellPlan],
    given: Mapping[str, float | None],
    generators: int,
) -> None:
    """Refuse an option that a scenario which was asked for by name has no use for.

    In a run of all scenarios, those that have no use for it leave it aside.
    """
    for scenario in chosen:
        why, idle = _IDLE_OPTIONS[scenario.measures]
        for option in idle:
            if given[option] is not None:
                raise BadInput(f"scenario '{scenario.name}' {why}: leave out {option}")
    if generators > 1 and all(c.scenario.measures is not Measures.REQUESTS for c in cells):
        raise BadInput(f"--generators {generators}: no scenario of this run has a load process")


def _refuse_ladder(
    scenarios: Mapping[str, Scenario], chosen: Sequence[str], chosen_stacks: Sequence[str]
) -> None:
    """Raise where a ladder is asked for that can't be."""
    if chosen_stacks:
        raise BadInput("--ladder measures stacks of its own: leave out --stack, or --ladder")
    climbable = [name for name, scenario in scenarios.items() if scenario.ladder]
    for name in chosen:
        if name not in climbable:
            raise BadInput(
                f"--ladder: scenario '{name}' has no ladder; these have one: "
                f"{', '.join(climbable) or 'none'}"
            )


def _with_rungs(scenario: Scenario, climb: Sequence[Step]) -> tuple[str, ...]:
    """The scenario's own stacks, the baseline first, then the rungs that are not among them."""
    rungs = [name for step in climb for name in (step.before, step.after)]
    return tuple(dict.fromkeys([*scenario.stacks, *rungs]))


def _load(
    scenario: Scenario, users: int | None, rate_rps: float | None, arrivals: Arrivals
) -> Load:
    if scenario.measures is not Measures.REQUESTS:
        return Load(scenario.users)
    if rate_rps is None:
        return Load(users or scenario.users)
    return Load(users or _OPEN_USERS, rate_rps, arrivals)


def _with_labels(names: Sequence[str], stacks: Mapping[str, Stack]) -> list[Stack]:
    result: list[Stack] = []
    for position, name in enumerate(names):
        if name not in stacks:
            raise UnknownName("stack", name, stacks)
        before = list(names[:position]).count(name)
        label = name if not before else f"{name}#{before + 1}"
        result.append(dataclasses.replace(stacks[name], label=label))
    return result


def _cell(
    scenario: Scenario,
    labels: tuple[str, ...],
    profile: Profile,
    *,
    load: Load,
    slice_s: float | None,
    ladder: tuple[Step, ...],
) -> CellPlan:
    own_s = scenario.slice_s
    if load.rate_rps is not None:
        own_s = max(own_s, _OPEN_SLICE_S, min(_MAX_SLICE_S, _OPEN_REQUESTS / load.rate_rps))
    length_s = slice_s or max(own_s * profile.scale, scenario.shortest_slice_s)
    least_cycles = _MIN_CYCLES
    if scenario.measures is Measures.STARTS:
        length_s, least_cycles = own_s, 1  # a start takes as long as it takes
    # Whatever the slice, the same share of it is for settling.
    settle_s = scenario.settle_s * length_s / scenario.slice_s
    return CellPlan(
        scenario=scenario,
        stacks=labels,
        load=load,
        slice_s=length_s,
        settle_s=settle_s,
        cycles=max(least_cycles, round(profile.cell_s / length_s)),
        warmup_s=scenario.warmup_s * profile.scale,
        ladder=ladder,
    )


def scenario_order(plan: Plan, number: int) -> tuple[CellPlan, ...]:
    """The scenarios of a round, in drawn order."""
    cells = list(plan.cells)
    random.Random(f"{plan.seed} order {number}").shuffle(cells)
    return tuple(cells)


def turns(plan: Plan, cell: CellPlan, number: int) -> tuple[tuple[str, ...], ...]:
    """Who has which turn: per cycle of a round, the stacks in drawn order."""
    generator = random.Random(f"{plan.seed} turns {number} {cell.scenario.name}")
    return tuple(tuple(generator.sample(cell.stacks, len(cell.stacks))) for _ in range(cell.cycles))
