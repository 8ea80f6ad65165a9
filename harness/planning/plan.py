"""The catalogue and the options of a run -> a Plan."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BadInput, UnknownName
from harness.models import (
    BY_WORKERS,
    ROUNDS_FOR_A_VERDICT,
    Arrivals,
    BlockPlan,
    Family,
    Load,
    Measures,
    Plan,
    Scenario,
    SliceSource,
    Stack,
    Step,
    upstream_s,
)
from harness.planning.fail_if import refuse_undecidable
from harness.planning.files import LADDER_FILE, SCENARIOS_FOLDER, STACKS_FILE
from harness.planning.ladder import climbed, load_ladder
from harness.planning.options import RunOptions
from harness.planning.scenarios import load_scenarios
from harness.planning.stacks import load_stacks

#: With fewer slices than this in a round, the stacks hardly take turns.
MIN_CYCLES = 2
#: How long a slice is where the machine's noise is not known (docs/METHOD.md).
_USUAL_SLICE_S = 0.04
#: Closed load: a slice counts at least this many requests for each user.
_LEAST_REQUESTS = 2
#: Closed load: of each user, one request before the counted ones and one while they are answered.
_UNCOUNTED_REQUESTS = 2
#: Closed load: users who wait for the upstream begin in step, and get out of it while it takes so many
#: times what the upstream takes; but no longer than the time below (docs/METHOD.md has the figures).
_SETTLE_WAITS = 4
_MOST_SETTLE_S = 1.0
#: Where a cell's time does not hold two slices, cells are loaded so many times longer.
_LONGER = 4
#: By how much the length of a slice is varied: 0.25 is ±25 %.
_DRAWN = 0.25
_MAX_OPEN_SLICE_S = 60.0
#: Open load: the most connections by default. A stack that keeps up needs far fewer.
_OPEN_USERS = 1_000
#: Open load: a slice holds about this many requests, and lasts at least this long.
_OPEN_REQUESTS = 100
_OPEN_SLICE_S = 0.5
#: Open load: the first part of each slice, which is not counted.
_SETTLE_SHARE = 0.1
#: A cell is loaded for so many times its longest warm-up in each round: where a round is dear for its
#: warm-up, more cycles in it cost little beside that (docs/METHOD.md has the figures).
_LOADED_PER_WARMUP = 1.5
#: planning.plan.warmup_s draws warm-ups of up to so many times what the scenario says.
_LONGEST_WARMUP = 2.0
#: A warm-up lasts at least as long as so many replies of the upstream, where its latency is given.
_WARM_UP_WAITS = 2


@dataclass(frozen=True, slots=True)
class Slicing:
    """How many slices a stack has in one round of a block, and about how long they are."""

    slice_s: float
    slices: int


@dataclass(frozen=True, slots=True)
class Length:
    """How long a slice of closed load is, in requests of all users together."""

    counted: int
    #: Sent before these, beside the first of each user, while the load settles. It is a number and not
    #: a time: what takes long would delay the end of a time until it is over.
    uncounted: int


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The scenarios, stacks and steps that can be measured."""

    scenarios: Mapping[str, Scenario]
    stacks: Mapping[str, Stack]
    ladder: tuple[Step, ...] = ()


def load_catalogue(stacks_file: Path = STACKS_FILE) -> Catalogue:
    """Read the scenarios, the stacks and the ladder.

    Raises:
        BadInput: One of the files is missing or malformed.
    """
    return Catalogue(
        scenarios=load_scenarios(SCENARIOS_FOLDER),
        stacks=load_stacks(stacks_file),
        ladder=load_ladder(LADDER_FILE),
    )


def make_plan(
    catalogue: Catalogue, options: RunOptions, *, calibrated_slice_s: float | None = None
) -> Plan:
    """Plan everything that a run measures.

    Args:
        catalogue: What can be measured.
        options: What the user decided.
        calibrated_slice_s: How long slices should be on this machine, as its calibration found;
            None: that is not known.

    Raises:
        UnknownName: There is no such scenario or stack.
        BadInput: An option has no meaning for the chosen scenarios.
    """
    scenarios = _chosen_scenarios(catalogue, options)
    _refuse_idle_options(catalogue, options, scenarios)
    climbs = _climbs(catalogue, options, scenarios)
    contenders, labels = _contenders(catalogue, options, scenarios, climbs)
    slice_source, usual_slice_s = _usual_slice(options, calibrated_slice_s)
    plan = Plan(
        profile=options.profile.name,
        seed=options.seed,
        rounds=_rounds(options),
        stacks=tuple(contenders),
        blocks=tuple(
            _block(
                scenario,
                # The first load is the one that was asked about; the ladder explains that one.
                _without_rungs(scenario, labels[scenario.name], options)
                if further
                else labels[scenario.name],
                load,
                options,
                usual_slice_s=usual_slice_s,
                ladder=() if further else climbs[scenario.name],
                family=Family.LOADS if further else Family.ANSWERS,
            )
            for scenario in scenarios
            for further, load in enumerate(_loads(scenario, options))
        ),
        workers=options.workers,
        upstream_latency=options.upstream_latency,
        generators=options.generators,
        same_within=options.same_within,
        precision=_precision(options),
        budget_s=_budget_s(options),
        slice_source=slice_source,
        usual_slice_s=usual_slice_s,
        fail_ifs=options.fail_ifs,
        against=options.against,
    )
    refuse_undecidable(plan)
    return plan


def _usual_slice(
    options: RunOptions, calibrated_slice_s: float | None
) -> tuple[SliceSource, float]:
    """How long a slice is unless a scenario or its users need longer ones, and what decides it."""
    if options.slice_s is not None:
        return SliceSource.OPTION, options.slice_s
    if calibrated_slice_s is not None:
        return SliceSource.CALIBRATION, calibrated_slice_s
    return SliceSource.DEFAULT, _USUAL_SLICE_S


def _budget_s(options: RunOptions) -> float | None:
    """The time for all rounds; None where their number is given."""
    if options.rounds is not None:
        return None
    return options.profile.budget_s if options.minutes is None else 60 * options.minutes


def _rounds(options: RunOptions) -> int:
    """The rounds of every block; a verdict needs some, however little time there is."""
    if options.rounds is not None:
        return options.rounds
    least = 1 if _budget_s(options) is None else ROUNDS_FOR_A_VERDICT
    return max(least, options.profile.rounds)


def _precision(options: RunOptions) -> float | None:
    """A budget has a target, without which nothing is wide; or promises that are to be decided."""
    if options.precision is not None or options.fail_ifs or _budget_s(options) is None:
        return options.precision
    return options.profile.precision


def _chosen_scenarios(catalogue: Catalogue, options: RunOptions) -> list[Scenario]:
    """The scenarios that were named, or else those that the profile measures."""
    for name in options.scenarios:
        if name not in catalogue.scenarios:
            raise UnknownName("scenario", name, catalogue.scenarios)
    names = dict.fromkeys(options.scenarios) or [
        name
        for name, scenario in catalogue.scenarios.items()
        if scenario.core or options.profile.every_scenario
    ]
    return [catalogue.scenarios[name] for name in names]


def _loads(scenario: Scenario, options: RunOptions) -> list[Load]:
    """The loads that a scenario is measured under; the first is the one that was asked about."""
    if scenario.measures is not Measures.REQUESTS:
        return [Load(scenario.users)]
    latencies_ms = options.io_ms if "upstream" in scenario.needs else ()
    queries = options.queries if "queries" in scenario.asks else ()
    work = options.work if "work" in scenario.asks else ()
    return [
        dataclasses.replace(load, io_ms=io_ms, queries=asked, work=units)
        for load in _loads_by_users(scenario, options)
        for io_ms in latencies_ms or (None,)
        for asked in queries or (None,)
        for units in work or (None,)
    ]


def _loads_by_users(scenario: Scenario, options: RunOptions) -> list[Load]:
    if not options.rates_rps:
        return [Load(users) for users in options.users or (scenario.users,)]
    users = options.users[0] if options.users else _OPEN_USERS
    arrivals = options.arrivals or Arrivals.POISSON
    return [Load(users, rate_rps, arrivals) for rate_rps in options.rates_rps]


def _block(
    scenario: Scenario,
    labels: tuple[str, ...],
    load: Load,
    options: RunOptions,
    *,
    usual_slice_s: float,
    ladder: tuple[Step, ...],
    family: Family,
) -> BlockPlan:
    profile = options.profile
    own_s = max(scenario.least_slice_s, min(scenario.most_slice_s or math.inf, usual_slice_s))
    if load.rate_rps is not None:
        own_s = max(own_s, _OPEN_SLICE_S, min(_MAX_OPEN_SLICE_S, _OPEN_REQUESTS / load.rate_rps))
    length_s = options.slice_s or own_s
    least_cycles = MIN_CYCLES
    if scenario.measures is Measures.STARTS:
        # Nobody can shorten a start.
        length_s, least_cycles = scenario.least_slice_s or own_s, 1
    own_warmup_s = scenario.warmup_s * profile.scale
    loaded_s = max(profile.cell_s, _LOADED_PER_WARMUP * _LONGEST_WARMUP * own_warmup_s)
    # A warm-up in which hardly a reply has come says nothing of a stack's rate. It takes no more load
    # afterwards: where requests wait that long, the ratio is steady.
    waits_s = upstream_s(options.upstream_latency, load) if "upstream" in scenario.needs else 0.0
    warmup_s = max(own_warmup_s, _WARM_UP_WAITS * waits_s)
    settle_s = 0.0
    if load.is_open:
        # The same share of every slice is for settling, however long the slice is.
        settle_s = _SETTLE_SHARE * length_s
    elif scenario.measures is Measures.REQUESTS:
        settle_s = min(_SETTLE_WAITS * waits_s, _MOST_SETTLE_S)
    return BlockPlan(
        scenario=scenario,
        stacks=labels,
        load=load,
        slice_s=length_s,
        settle_s=settle_s,
        cycles=max(least_cycles, round(loaded_s / length_s)),
        warmup_s=warmup_s,
        ladder=ladder,
        family=family,
        fixed_slice=load.is_open and options.slice_s is not None,
    )


# ------------------------------------------------------------------------- contenders


def _climbs(
    catalogue: Catalogue, options: RunOptions, scenarios: Sequence[Scenario]
) -> dict[str, tuple[Step, ...]]:
    """Scenario -> the steps of the ladder that are measured in it; none if it has no ladder."""
    if options.ladder:
        _refuse_ladder(catalogue, options)
    profile_says = options.profile.ladder and not (options.stacks or options.worker_counts)
    climbing = profile_says if options.ladder is None else options.ladder
    return {
        scenario.name: climbed(catalogue.ladder, scenario.ladder) if climbing else ()
        for scenario in scenarios
    }


def _refuse_ladder(catalogue: Catalogue, options: RunOptions) -> None:
    """Raise if the user asks for a ladder where there can't be one."""
    if options.stacks:
        raise BadInput("--ladder measures stacks of its own: leave out --stack, or --ladder")
    climbable = [name for name, scenario in catalogue.scenarios.items() if scenario.ladder]
    for name in options.scenarios:
        if name not in climbable:
            raise BadInput(
                f"--ladder: scenario '{name}' has no ladder; these have one: "
                f"{', '.join(climbable) or 'none'}"
            )


def _contenders(
    catalogue: Catalogue,
    options: RunOptions,
    scenarios: Sequence[Scenario],
    climbs: Mapping[str, Sequence[Step]],
) -> tuple[list[Stack], dict[str, tuple[str, ...]]]:
    """All stacks of the run, and scenario -> the labels of those that take part in it."""
    if options.stacks:
        contenders = by_workers(
            _with_labels(options.stacks, catalogue.stacks), options.worker_counts
        )
        labels = tuple(stack.label for stack in contenders)
        return contenders, {scenario.name: labels for scenario in scenarios}
    taking_part = {
        scenario.name: _with_rungs(scenario, climbs[scenario.name]) for scenario in scenarios
    }
    own = [name for scenario in scenarios for name in scenario.stacks]
    rungs = [name for names in taking_part.values() for name in names if name not in own]
    for name in rungs:
        if name not in catalogue.stacks:
            raise BadInput(
                f"the ladder needs stack '{name}', which the stacks file lacks: add it, or "
                "say --no-ladder"
            )
    stacks = _with_labels(list(dict.fromkeys([*own, *rungs])), catalogue.stacks)
    if not options.worker_counts:
        return stacks, taking_part
    counted = {stack.label: by_workers([stack], options.worker_counts) for stack in stacks}
    return [variant for variants in counted.values() for variant in variants], {
        scenario: tuple(variant.label for name in names for variant in counted[name])
        for scenario, names in taking_part.items()
    }


def by_workers(stacks: Sequence[Stack], counts: Sequence[int]) -> list[Stack]:
    """Each stack once for each number of worker processes; as they are without any number.

    Raises:
        BadInput: A stack is about a number of workers of its own.
    """
    if not counts:
        return list(stacks)
    for stack in stacks:
        if stack.workers:
            raise BadInput(
                f"--workers: stack '{stack.name}' has {stack.workers} workers of its own: leave it "
                "out, or --workers"
            )
    return [
        dataclasses.replace(stack, label=f"{stack.label}{BY_WORKERS}{count}", workers=str(count))
        for stack in stacks
        for count in counts
    ]


def _with_rungs(scenario: Scenario, climb: Sequence[Step]) -> tuple[str, ...]:
    """The scenario's own stacks, the baseline first, then the rungs that it does not name."""
    rungs = [name for step in climb for name in (step.before, step.after)]
    return tuple(dict.fromkeys([*scenario.stacks, *rungs]))


def _without_rungs(
    scenario: Scenario, labels: tuple[str, ...], options: RunOptions
) -> tuple[str, ...]:
    """The stacks that take part for their own sake."""
    return labels if options.stacks or options.worker_counts else scenario.stacks


def _with_labels(names: Sequence[str], stacks: Mapping[str, Stack]) -> list[Stack]:
    """The stacks of these names; the label of a repeated stack ends with a number."""
    result: list[Stack] = []
    for position, name in enumerate(names):
        if name not in stacks:
            raise UnknownName("stack", name, stacks)
        before = list(names[:position]).count(name)
        label = name if not before else f"{name}#{before + 1}"
        result.append(dataclasses.replace(stacks[name], label=label))
    return result


# ------------------------------------------------------------------------ idle options

#: What a scenario measures -> the options that have no meaning for it, and why.
_IDLE_OPTIONS: Mapping[Measures, tuple[str, tuple[str, ...]]] = {
    Measures.REQUESTS: ("", ()),
    Measures.STARTS: ("starts one server at a time", ("--users", "--rate", "--slice")),
    Measures.TEST_CLIENT: (
        "has one test client and no server",
        ("--users", "--rate", "--workers"),
    ),
}


def _refuse_idle_options(
    catalogue: Catalogue, options: RunOptions, scenarios: Sequence[Scenario]
) -> None:
    """Refuse an option that has no meaning for a scenario that was named.

    In a run of all scenarios, those for which an option has no meaning ignore it.
    """
    given = {
        "--users": options.users,
        "--rate": options.rates_rps,
        "--slice": options.slice_s,
        "--workers": options.worker_counts,
    }
    for name in options.scenarios:
        why, idle = _IDLE_OPTIONS[catalogue.scenarios[name].measures]
        for option in idle:
            if given[option]:
                raise BadInput(f"scenario '{name}' {why}: leave out {option}")
    for name in options.scenarios:
        if options.io_ms and "upstream" not in catalogue.scenarios[name].needs:
            raise BadInput(f"scenario '{name}' does not use the upstream: leave out --io-ms")
    if options.io_ms and not any("upstream" in scenario.needs for scenario in scenarios):
        raise BadInput("--io-ms: no scenario of this run uses the upstream")
    for asked, values in (("queries", options.queries), ("work", options.work)):
        if values:
            _refuse_unasked(catalogue, options, scenarios, asked)
    loaded = any(scenario.measures is Measures.REQUESTS for scenario in scenarios)
    if options.generators > 1 and not loaded:
        raise BadInput(
            f"--generators {options.generators}: no scenario of this run has a load process"
        )


def _refuse_unasked(
    catalogue: Catalogue, options: RunOptions, scenarios: Sequence[Scenario], asked: str
) -> None:
    """Refuse `--queries` or `--work` for scenarios whose requests are what they are."""
    able = [name for name, scenario in catalogue.scenarios.items() if asked in scenario.asks]
    advice = f"these scenarios take it: {', '.join(able) or 'none'}"
    for name in options.scenarios:
        if name not in able:
            raise BadInput(f"scenario '{name}' has no --{asked}: leave it out; {advice}")
    if not any(scenario.name in able for scenario in scenarios):
        raise BadInput(f"--{asked}: no scenario of this run takes it; {advice}")


# ------------------------------------------------------------------------------ orders


def block_order(plan: Plan, blocks: Sequence[BlockPlan], number: int) -> tuple[BlockPlan, ...]:
    """The blocks of a round, in drawn order."""
    shuffled = list(blocks)
    random.Random(f"{plan.seed} order {number}").shuffle(shuffled)
    return tuple(shuffled)


def start_order(plan: Plan, blocks: Sequence[BlockPlan], number: int) -> tuple[Stack, ...]:
    """The stacks that a round's blocks need, in the drawn order in which they are started."""
    needed = {label for block in blocks for label in block.stacks}
    drawn = list(plan.stacks)
    random.Random(f"{plan.seed} starts {number}").shuffle(drawn)
    return tuple(stack for stack in drawn if stack.label in needed)


def turns(
    plan: Plan, block: BlockPlan, number: int, slicings: Mapping[str, Slicing]
) -> tuple[tuple[str, int], ...]:
    """All turns of a round in their order: the stack, and which of its slices it is.

    The round is divided into as many equal parts as a stack has slices, and each slice comes at a
    drawn moment of its part. So stacks with the same number of slices have one each in every cycle,
    and the few slices of a slow stack have slices of a quick one before, between and after them.
    """
    generator = random.Random(f"{plan.seed} turns {number} {block.key}")
    moments = [
        ((position + generator.random()) / slicings[label].slices, label, position)
        for label in block.stacks
        for position in range(slicings[label].slices)
    ]
    return tuple((label, position) for _, label, position in sorted(moments))


def warmup_s(plan: Plan, block: BlockPlan, number: int, label: str) -> float:
    """How long a stack is warmed up in a round: one to two times what its scenario says.

    The length is drawn because fresh processes are alike: a collector's pauses come after the same
    numbers of requests in every round. With the same warm-up, they would fall on the same slices, and
    a round would count always one too many of them, or always one too few.
    """
    generator = random.Random(f"{plan.seed} warm-up {number} {block.key} {label}")
    return block.warmup_s * generator.uniform(1, _LONGEST_WARMUP)


def slicings(block: BlockPlan, rates_rps: Mapping[str, float]) -> dict[str, Slicing]:
    """Return how many slices of which length each stack has in a round.

    They are as planned, unless a stack is slow. A slice counts at least two requests of each user,
    and each user sends about one before them and one while they are answered. Where users first get
    out of step, it counts for at least as long as that takes. Where all that takes longer than the
    planned slice, there are fewer slices, in about the same time.

    Where that time does not hold two of them, such a stack would have its turn once in a round, and the
    machine's speed is another before it and after it. All stacks of the block are then loaded for four
    times as long, the quick ones in many slices around the few of the slow one, with twice as many
    counted requests in each.

    Args:
        block: The block as planned.
        rates_rps: Stack -> requests per second in the warm-up; empty where slices don't count
            requests.
    """
    if not rates_rps:
        return dict.fromkeys(block.stacks, Slicing(block.slice_s, block.cycles))
    loaded_s = block.cycles * block.slice_s
    users = block.load.users

    def lasts_s(label: str, requests: int) -> float:
        cycle_s = users / rates_rps[label]
        settle_s = _settle_s(block, rates_rps[label])
        counts_s = max(requests * cycle_s, settle_s)
        return settle_s + _UNCOUNTED_REQUESTS * cycle_s + counts_s

    least_s = {label: lasts_s(label, _LEAST_REQUESTS) for label in rates_rps}
    wanted_s = dict(least_s)
    if MIN_CYCLES * max(least_s.values()) > loaded_s:
        loaded_s *= _LONGER
        for label in rates_rps:
            longer_s = lasts_s(label, 2 * _LEAST_REQUESTS)
            wanted_s[label] = max(least_s[label], min(longer_s, loaded_s / MIN_CYCLES))

    def of(label: str) -> Slicing:
        slice_s = max(block.slice_s, wanted_s[label])
        return Slicing(slice_s, min(block.cycles, max(1, round(loaded_s / slice_s))))

    return {label: of(label) for label in rates_rps}


def _settle_s(block: BlockPlan, rate_rps: float) -> float:
    """How long the users of a slice of closed load get out of step before it counts.

    Whether a service of the reader's own waits for another one is not known. So its users have the time
    that they would need if all of a request were such waiting.
    """
    if not block.scenario.is_own:
        return block.settle_s
    return min(_SETTLE_WAITS * block.load.users / rate_rps, _MOST_SETTLE_S)


def lengths(
    plan: Plan, block: BlockPlan, number: int, label: str, rate_rps: float, slicing: Slicing
) -> tuple[Length, ...]:
    """How many requests each slice of a stack in a round has under closed load.

    A slice takes about as long as planned, with the requests before and after the counted ones. Its
    length is drawn, so that slices can't fall into step with something in the server that comes back
    every so many requests. Nothing that happens in a slice decides its length.

    Args:
        plan: The run's plan.
        block: The block.
        number: The round.
        label: The stack.
        rate_rps: What the stack served in its warm-up.
        slicing: How many slices it has, and how long they are.
    """
    generator = random.Random(f"{plan.seed} lengths {number} {block.key} {label}")
    users = block.load.users
    settling = rate_rps * _settle_s(block, rate_rps)
    usual = max(
        rate_rps * slicing.slice_s - settling - _UNCOUNTED_REQUESTS * users, _LEAST_REQUESTS * users
    )

    def drawn(mean: float) -> list[int]:
        varied = (generator.uniform(1 - _DRAWN, 1 + _DRAWN) for _ in range(slicing.slices))
        return [round(mean * share) for share in varied]

    return tuple(
        Length(max(1, counted), uncounted)
        for counted, uncounted in zip(drawn(usual), drawn(settling), strict=True)
    )
