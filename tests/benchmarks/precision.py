"""Measures how narrow intervals become: `python -m tests.benchmarks.precision` (`make bench-precision`).

Three tables. The first compares two stacks in five scenarios, twice in the same rounds: with the slices
and users of `twinbench run`, and with the longer slices and more users that it had before. It says
how wide the interval would be after two minutes, and how wide it is beside the earlier one's for
equal time. The second compares ten pairs of stacks that differ in a known cost, in each twin: twenty
comparisons that should find 5 % more of the work. The third compares ten pairs of identical stacks
in four scenarios: forty comparisons that should find nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from scipy.special import stdtrit

from harness import store
from harness.analysis import stats
from harness.analysis.analyse import analyse
from harness.cli.output import progress_console
from harness.cli.progress import showing
from harness.measuring import runner
from harness.measuring.pacing import EveryRound, WithinTime
from harness.models import (
    Analysis,
    BlockPlan,
    Comparison,
    Estimate,
    Load,
    Plan,
    Profile,
    RunRecord,
    Stack,
    Verdict,
)
from harness.planning.options import PROFILES, RunOptions
from harness.planning.plan import load_catalogue, make_plan
from tests.benchmarks import slowed

#: Scenario -> the candidate beside flask-gthread, and the half width to reach in two minutes.
TARGETS: Mapping[str, tuple[str, float]] = {
    "hello": ("fastapi-uvicorn", 0.01),
    "users-validate": ("fastapi-uvicorn", 0.01),
    "cpu-python": ("fastapi-uvicorn", 0.01),
    "users-lookup": ("fastapi-uvicorn", 0.02),
    "weather": ("fastapi-aiohttp", 0.03),
}
TIME_S = 120.0
#: Scenario -> users, and seconds of a slice, before slices were as short as the stacks allow.
BEFORE: Mapping[str, tuple[int, float]] = {
    "hello": (16, 0.1),
    "users-validate": (16, 0.1),
    "cpu-python": (8, 0.25),
    "users-lookup": (16, 1.0),
    "weather": (50, 1.0),
}
BEFORE_CELL_S = 2.4
EQUAL = ("hello", "users-validate", "users-lookup", "cpu-python")
PAIRS = 10
#: Of a comparison that is to say `same`, the intervals must be narrower than ±3 %: with the 18 % by
#: which neighbouring slices of hello differ, that takes about 300 cycles, or 25 s.
EQUAL_CELL_S = 0.8
MOST_ROUNDS = 1_000
#: Stack -> the application of the one that it is compared with, which does 5 % more of the work.
SLOWED: Mapping[str, str] = {
    "flask-gthread": "tests.benchmarks.slowed:flask_app",
    "fastapi-uvicorn": "tests.benchmarks.slowed:fastapi_app",
}
#: The scenario with that work, and one with the same stacks that has all of the rest.
WORKING, IDLE = "cpu-python", "hello"
#: Shares of those comparisons that are to have the right sign, and to hold the truth.
LEAST_SIGNS, LEAST_HOLDS = 0.95, 0.93
#: Of forty comparisons of a stack with itself: the most that may name a winner, and how many are to
#: be called the same.
MOST_WRONG, LEAST_SAME = 2, 20


@dataclass(frozen=True, slots=True)
class Width:
    """How precise one comparison is."""

    scenario: str
    ratio: Comparison
    seconds: float  # that its rounds took, with their share of starting servers

    @property
    def half(self) -> float:
        """Half width of the interval, as a share: 0.01 is ±1 %."""
        return math.sqrt(self.ratio.ci_high / self.ratio.ci_low) - 1

    @property
    def error(self) -> float:
        """Standard error of the logarithm after one second, by which equal times compare."""
        quantile = float(stdtrit(self.ratio.rounds - 1, 0.5 + stats.CONFIDENCE / 2))
        return math.log1p(self.half) / quantile * math.sqrt(self.seconds)

    def half_after(self, seconds: float) -> float:
        """Half width after another time, at as many rounds as fit into it."""
        rounds = max(2, int(self.ratio.rounds * seconds / self.seconds))
        quantile = float(stdtrit(rounds - 1, 0.5 + stats.CONFIDENCE / 2))
        return math.expm1(quantile * self.error / math.sqrt(seconds))


@dataclass(frozen=True, slots=True)
class Counted:
    """What comparisons of a stack with itself say."""

    count: int
    winners: int
    same: int
    holds: int  # intervals that hold 1


@dataclass(frozen=True, slots=True)
class Found:
    """What comparisons with a stack that is slower by a known share say."""

    count: int
    expected: float  # the true ratio
    median: float  # of the ratios that were found
    signs: int  # ratios on the right side of 1
    sure: int  # intervals that are wholly there
    holds: int  # intervals that hold the truth


def main() -> int:
    """Print the tables; exit with 1 unless all targets are met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=8.0, help="for the widths")
    parser.add_argument("--cost-minutes", type=float, default=8.0, help="for a known cost")
    parser.add_argument(
        "--equal-minutes", type=float, default=22.0, help="for stacks beside themselves"
    )
    parser.add_argument("--out", type=Path, default=Path("results/precision"))
    given = parser.parse_args()
    met = [
        widths(given.out, given.minutes * 60),
        known_cost(given.out, given.cost_minutes * 60),
        equal(given.out, given.equal_minutes * 60),
    ]
    return 0 if all(met) else 1


def widths(out: Path, within_s: float) -> bool:
    """Print how wide intervals are, beside those of the earlier slices; whether targets are met."""
    record, analysis = _measured(_widths_plan(), out, within_s)
    print("| scenario | ratio | 95 % | after 2 minutes | target | | before ÷ now, equal time |")
    print("| --- | ---: | ---: | ---: | ---: | --- | ---: |")
    met = True
    for scenario, (_, target) in TARGETS.items():
        now, before = (_width(name, record, analysis) for name in (scenario, _before(scenario)))
        half = now.half_after(TIME_S)
        good = half <= target
        met = met and good
        print(
            f"| {scenario} | {now.ratio.ratio:.3f} | ±{now.half:.1%} | ±{half:.1%} | ±{target:.0%} "
            f"| {_word(good)} | × {before.error / now.error:.1f} |"
        )
    return met


def known_cost(out: Path, within_s: float) -> bool:
    """Print how often a known cost is found, and how rightly; whether targets are met."""
    _, analysis = _measured(_cost_plan(), out, within_s)
    found = [_found(name, analysis) for name in SLOWED]
    print()
    print(
        "| 5 % more of the work | comparisons | truth | median | right sign | surely | holds it | |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    count = sum(row.count for row in found)
    good = (
        sum(row.signs for row in found) >= LEAST_SIGNS * count
        and sum(row.holds for row in found) >= LEAST_HOLDS * count
    )
    for name, row in zip(SLOWED, found, strict=True):
        print(
            f"| {name} | {row.count} | {row.expected:.3f} | {row.median:.3f} | {row.signs} "
            f"| {row.sure} | {row.holds} | {_word(good)} |"
        )
    return good


def equal(out: Path, within_s: float) -> bool:
    """Print what forty comparisons of a stack with itself say; whether targets are met."""
    _, analysis = _measured(_equal_plan(), out, within_s)
    made = [each for each in analysis.comparisons if each.metric == "throughput_rps"]
    rows = {
        scenario: _counted([each for each in made if each.scenario.startswith(scenario)])
        for scenario in EQUAL
    }
    rows["all"] = whole = _counted(made)
    good = whole.winners <= MOST_WRONG and whole.same >= LEAST_SAME
    print()
    print("| A against A | comparisons | winner | same | interval holds 1 | |")
    print("| --- | ---: | ---: | ---: | ---: | --- |")
    for name, row in rows.items():
        word = _word(good) if row is whole else ""
        print(f"| {name} | {row.count} | {row.winners} | {row.same} | {row.holds} | {word} |")
    return good


def _widths_plan() -> Plan:
    """Each scenario as `twinbench run` measures it, and as it was measured before."""
    quick = PROFILES["quick"]
    whole = make_plan(
        load_catalogue(),
        RunOptions(profile=quick, rounds=MOST_ROUNDS, scenarios=tuple(TARGETS)),
    )
    blocks = [
        dataclasses.replace(block, stacks=("flask-gthread", TARGETS[block.scenario.name][0]))
        for block in whole.blocks
    ]
    labels = {label for block in blocks for label in block.stacks}
    return dataclasses.replace(
        whole,
        stacks=tuple(stack for stack in whole.stacks if stack.label in labels),
        blocks=(*blocks, *map(_as_before, blocks)),
    )


def _as_before(block: BlockPlan) -> BlockPlan:
    users, slice_s = BEFORE[block.scenario.name]
    return dataclasses.replace(
        block,
        # The key of a block is the scenario's name and its load, which may be the same.
        scenario=dataclasses.replace(block.scenario, name=_before(block.scenario.name)),
        load=Load(users),
        slice_s=slice_s,
        cycles=max(2, round(BEFORE_CELL_S / slice_s)),
    )


def _before(scenario: str) -> str:
    return f"{scenario}-before"


def _cost_plan() -> Plan:
    """A block for each pair, and what a request costs without the work."""
    profile = Profile("known-cost", rounds=MOST_ROUNDS, cell_s=EQUAL_CELL_S)
    options = RunOptions(
        profile=profile,
        scenarios=(WORKING, IDLE),
        stacks=tuple(name for name in SLOWED for _ in range(2 * PAIRS)),
    )
    whole = make_plan(load_catalogue(), options)
    pairs = _pairs(whole.stacks)
    slow = {pair[1].label for pair in pairs}
    working, idle = (
        next(block for block in whole.blocks if block.scenario.name == name)
        for name in (WORKING, IDLE)
    )
    return dataclasses.replace(
        whole,
        stacks=tuple(
            dataclasses.replace(stack, app=SLOWED[stack.name]) if stack.label in slow else stack
            for stack in whole.stacks
        ),
        blocks=(
            *(_of_pair(working, number, pair) for number, pair in enumerate(pairs, 1)),
            *(_named(idle, f"of-{name}", (name,)) for name in SLOWED),
        ),
    )


def _pairs(stacks: Sequence[Stack]) -> list[tuple[Stack, Stack]]:
    return list(zip(stacks[::2], stacks[1::2], strict=True))


def _of_pair(block: BlockPlan, number: int, pair: Sequence[Stack]) -> BlockPlan:
    """A block of two stacks, with a name of its own."""
    return _named(block, str(number), tuple(stack.label for stack in pair))


def _named(block: BlockPlan, suffix: str, stacks: tuple[str, ...]) -> BlockPlan:
    """The block with other stacks, and a name of its own, since blocks go by their names."""
    name = f"{block.scenario.name}-{suffix}"
    scenario = dataclasses.replace(block.scenario, name=name)
    return dataclasses.replace(block, scenario=scenario, stacks=stacks)


def _found(name: str, analysis: Analysis) -> Found:
    """Compare what was found with the truth, for the pairs of one stack."""
    made = [
        each
        for each in analysis.comparisons
        if each.metric == "throughput_rps" and each.baseline.partition("#")[0] == name
    ]
    baselines = {name, *(each.baseline for each in made)}
    of_work_us, of_rest_us = (
        [
            cell.cpu_us_per_request.value
            for cell in analysis.cells
            if cell.scenario.startswith(scenario) and cell.stack in baselines
        ]
        for scenario in (WORKING, IDLE)
    )
    work_share = 1 - statistics.mean(of_rest_us) / statistics.mean(of_work_us)
    return _beside(1 / (1 + slowed.MORE * work_share), made)


def _beside(expected: float, made: Sequence[Comparison]) -> Found:
    """Count what agrees with a true ratio below 1."""
    return Found(
        count=len(made),
        expected=expected,
        median=statistics.median(each.ratio for each in made),
        signs=sum(each.ratio < 1 for each in made),
        sure=sum(each.ci_high < 1 for each in made),
        holds=sum(each.ci_low <= expected <= each.ci_high for each in made),
    )


def _equal_plan() -> Plan:
    """A block for each pair and scenario: a pair takes turns by itself, as in a run of its own."""
    profile = Profile("equal", rounds=MOST_ROUNDS, cell_s=EQUAL_CELL_S)
    stacks = ("fastapi-uvicorn",) * (2 * PAIRS)
    whole = make_plan(load_catalogue(), RunOptions(profile=profile, scenarios=EQUAL, stacks=stacks))
    blocks = [
        _of_pair(block, number, pair)
        for block in whole.blocks
        for number, pair in enumerate(_pairs(whole.stacks), 1)
    ]
    return dataclasses.replace(whole, blocks=tuple(blocks))


def _measured(plan: Plan, out: Path, within_s: float) -> tuple[RunRecord, Analysis]:
    folder = store.create_run(out, plan.profile, datetime.now(UTC))
    console = progress_console()
    with showing(plan, console, folder, within_s=within_s) as listener:
        record = runner.run(plan, folder, listener, pacing=WithinTime(EveryRound(), within_s))
    analysis = analyse(record, lambda cell: store.read_samples(folder, cell))
    for cell in analysis.cells:
        if not cell.valid:
            print(f"invalid: {cell.key}: {cell.reason}", file=sys.stderr)
    return record, analysis


def _width(scenario: str, record: RunRecord, analysis: Analysis) -> Width:
    """The comparison of a scenario, and the time that it took."""
    (ratio,) = (
        made
        for made in analysis.comparisons
        if made.scenario == scenario and made.metric == "throughput_rps"
    )
    usages = [
        usage for each in record.rounds for usage in each.blocks if usage.scenario == scenario
    ]
    (block,) = (block for block in record.blocks if block.scenario.name == scenario)
    loaded_s = sum(usage.wall_s for usage in usages)
    loaded_s += len(usages) * len(block.stacks) * block.warmup_s
    # A run of this comparison alone would start its two stacks for every round.
    starts_s = sum(max(each.ready_s[label] for label in block.stacks) for each in record.rounds)
    return Width(scenario, ratio, loaded_s + starts_s)


def _counted(made: Sequence[Comparison]) -> Counted:
    verdicts = [_verdict(each) for each in made]
    return Counted(
        count=len(made),
        winners=sum(verdict in (Verdict.FASTER, Verdict.SLOWER) for verdict in verdicts),
        same=verdicts.count(Verdict.SAME),
        holds=sum(each.ci_low <= 1 <= each.ci_high for each in made),
    )


def _verdict(made: Comparison) -> Verdict:
    """The verdict if nothing else was compared: Holm's correction for forty would hide winners."""
    ratio = Estimate(made.ratio, made.ci_low, made.ci_high)
    return stats.verdict(
        ratio,
        band=made.same_within,
        rounds=made.rounds,
        more_is_better=True,
        significant=stats.p_value(ratio, made.rounds) < 1 - stats.CONFIDENCE,
    )


def _word(met: bool) -> str:
    return "met" if met else "not met"


if __name__ == "__main__":
    sys.exit(main())
