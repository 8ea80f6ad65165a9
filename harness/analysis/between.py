"""What changed from one run to another: ratios of ratios, and each stack's own figures.

Two questions are kept apart. The ratio of two stacks inside a run hardly depends on how fast the
machine was at that time, because both had their turns within milliseconds of each other. A stack's
own figures do depend on it, and machines drift from minute to minute.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from string import ascii_uppercase

from harness.analysis import stats
from harness.analysis.pairs import shared_rounds
from harness.analysis.percentiles import UNKNOWN
from harness.analysis.run_differences import differences
from harness.models import (
    Analysis,
    BlockKey,
    BlockPlan,
    Capacity,
    CellKey,
    CellSummary,
    Change,
    Comparison,
    Estimate,
    Family,
    Measures,
    Moved,
    RunName,
    RunRecord,
    RunsCompared,
    Stack,
    Verdict,
)

#: Letters name the runs.
MOST_RUNS = len(ascii_uppercase)
#: From this schema on, slices of closed load count requests and not seconds (store/run_file.py).
_COUNTS_REQUESTS = 4

_CHANGES: Mapping[Verdict, Change] = {
    Verdict.FASTER: Change.UP,
    Verdict.SLOWER: Change.DOWN,
    Verdict.SAME: Change.SAME,
    Verdict.INCONCLUSIVE: Change.INCONCLUSIVE,
}


def compare_runs(runs: Sequence[tuple[str, Analysis]], same_within: float) -> RunsCompared:
    """Compare every later run with the first.

    The headline ratios of all later runs are one family of Holm's correction, so that runs in which
    nothing changed name a change among them in 5 % of cases at most. So are all other ratios, and the
    stacks' own figures.

    Args:
        runs: name and analysis of each, at least two and at most MOST_RUNS; the first is compared
            with every other.
        same_within: what is too small a difference to matter: 0.03 is ±3 %.
    """
    sides = [
        _Side.of(_name(label, name, analysis.run), analysis)
        for label, (name, analysis) in zip(ascii_uppercase, runs, strict=False)
    ]
    first, *others = sides
    ratios = [pair for other in others for pair in _pairs(first, other, own=False)]
    figures = [pair for other in others for pair in _pairs(first, other, own=True)]
    return RunsCompared(
        runs=tuple(side.name for side in sides),
        same_within=same_within,
        differences=differences([side.run for side in sides]),
        ratios=_judged(ratios, same_within),
        figures=_judged(figures, same_within),
        twins={
            stack.label: stack.twin for side in reversed(sides) for stack in side.run.plan.stacks
        },
        together={
            other.name.label: moved for other in others if (moved := _together(first, other))
        },
    )


def _name(label: str, name: str, run: RunRecord) -> RunName:
    return RunName(label, name, run.run_id, run.started, run.ended, machine_of(run))


def machine_of(run: RunRecord) -> str:
    """The short name of the machine that a run took place on; empty if the run does not say."""
    recorded = run.environment.get("machine")
    if isinstance(recorded, str) and recorded:
        return recorded
    return run.calibration.machine if run.calibration else ""


# -------------------------------------------------------------------- figures of a run


@dataclass(frozen=True, slots=True)
class _Key:
    """What a figure is of."""

    block: BlockKey
    metric: str
    stack: str
    baseline: str  # empty of a stack's own figure

    @property
    def stacks(self) -> tuple[str, ...]:
        return (self.baseline, self.stack) if self.baseline else (self.stack,)


@dataclass(frozen=True, slots=True)
class _Figure:
    """A figure of one run, or why it can't be used."""

    estimate: Estimate
    rounds: int
    is_secondary: bool
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Side:
    """A run with its name, and what is looked up in it again and again."""

    name: RunName
    analysis: Analysis
    blocks: Mapping[BlockKey, BlockPlan]
    stacks: Mapping[str, Stack]
    cells: Mapping[CellKey, CellSummary]
    capacities: Mapping[CellKey, Capacity]

    @staticmethod
    def of(name: RunName, analysis: Analysis) -> _Side:
        return _Side(
            name,
            analysis,
            {block.key: block for block in analysis.run.blocks},
            {stack.label: stack for stack in analysis.run.plan.stacks},
            {cell.key: cell for cell in analysis.cells},
            {CellKey(rate.stack, rate.scenario, rate.load): rate for rate in analysis.capacities},
        )

    @property
    def run(self) -> RunRecord:
        return self.analysis.run

    @property
    def cores(self) -> int:
        return len(self.run.placement.servers)

    def measured(self, key: CellKey) -> bool:
        return key in self.cells or key in self.capacities

    def workers(self, stack: Stack) -> int:
        return stack.worker_processes(self.run.plan.workers, self.cores)


def _ratios(side: _Side) -> dict[_Key, _Figure]:
    """The comparisons inside a run."""
    found: dict[_Key, _Figure] = {}
    for made in side.analysis.comparisons:
        both = [
            side.cells[CellKey(stack, made.scenario, made.load)]
            for stack in (made.baseline, made.candidate)
        ]
        found[_Key(made.block, made.metric, made.candidate, made.baseline)] = _Figure(
            Estimate(made.ratio, made.ci_low, made.ci_high),
            made.rounds,
            made.family is Family.LADDER or made.metric != side.blocks[made.block].headline,
            _problem_of_comparison(made, both),
        )
    for key, rate in side.capacities.items():
        if rate.stack == rate.baseline:
            continue
        base = side.capacities.get(replace(key, stack=rate.baseline))
        found[_Key(key.block, "capacity_rps", rate.stack, rate.baseline)] = _Figure(
            rate.ratio,
            shared_rounds(rate, base) if base else 0,
            is_secondary=False,
            problem=rate.reason or (base.reason if base else "the baseline has no capacity"),
        )
    return found


def _problem_of_comparison(made: Comparison, cells: Sequence[CellSummary]) -> str:
    if made.verdict is Verdict.INVALID:
        why = "; ".join(f"{cell.stack}: {cell.reason}" for cell in cells if not cell.valid)
        return f"invalid ({why})" if why else "there is no figure"
    if made.verdict is Verdict.OVERLOADED:
        late = [cell.stack for cell in cells if cell.overloaded]
        return f"{' and '.join(late)} could not keep up with the rate"
    return ""


def _own_figures(side: _Side) -> dict[_Key, _Figure]:
    """The figures of each stack by itself."""
    found: dict[_Key, _Figure] = {}
    for cell in side.analysis.cells:
        block = side.blocks[cell.key.block]
        estimates = {
            "throughput_rps": cell.throughput_rps if block.has_throughput else UNKNOWN,
            "latency_p50_ms": cell.latency_ms["p50"],
            "latency_p99_ms": cell.latency_ms["p99"],
            "cpu_us_per_request": cell.cpu_us_per_request,
        }
        for metric, estimate in estimates.items():
            if math.isnan(estimate.value) and cell.valid:
                continue
            late = cell.overloaded and metric.startswith("latency_")
            found[_Key(block.key, metric, cell.stack, "")] = _Figure(
                estimate,
                cell.rounds,
                metric != block.headline,
                f"invalid ({cell.reason})"
                if not cell.valid
                else f"{cell.stack} could not keep up with the rate"
                if late
                else "",
            )
    for place, rate in side.capacities.items():
        key = _Key(place.block, "capacity_rps", rate.stack, "")
        found[key] = _Figure(rate.rate_rps, rate.rounds, is_secondary=False, problem=rate.reason)
    return found


# ------------------------------------------------------------------- what can be compared


@dataclass(frozen=True, slots=True)
class _Pair:
    """A figure in both runs, before the verdict, which depends on the others of its family."""

    moved: Moved
    p_value: float


def _pairs(first: _Side, other: _Side, *, own: bool) -> Iterator[_Pair]:
    figures = _own_figures if own else _ratios
    earlier, later = figures(first), figures(other)
    is_same_run = _is_same_run(first, other)
    for key in dict.fromkeys((*earlier, *later)):
        before, after = earlier.get(key), later.get(key)
        known = before or after
        assert known is not None
        obstacle = _obstacle(first, other, key)
        if own and not obstacle and not is_same_run:
            obstacle = _obstacle_of_machine(first, other)
        if obstacle and known.is_secondary:
            continue  # the headline says it
        moved = Moved(
            block=key.block,
            metric=key.metric,
            stack=key.stack,
            baseline=key.baseline,
            before=first.name.label,
            after=other.name.label,
            earlier=before.estimate if before else None,
            later=after.estimate if after else None,
            rounds=0,
            quotient=UNKNOWN,
            change=Change.NOT_COMPARABLE,
            reason=obstacle or _problem(first, other, before, after),
            is_secondary=known.is_secondary,
        )
        if moved.reason or before is None or after is None:
            yield _Pair(moved, 1.0)
            continue
        rounds = after.rounds, before.rounds
        made = (
            stats.Quotient(Estimate(1.0, 1.0, 1.0), 1.0)  # no two samples: there is no noise
            if is_same_run
            else stats.quotient(after.estimate, before.estimate, rounds)
        )
        yield _Pair(
            replace(moved, rounds=min(rounds), rounds_of_each=rounds, quotient=made.estimate),
            made.p_value,
        )


def _is_same_run(first: _Side, other: _Side) -> bool:
    return first.run.run_id == other.run.run_id and first.run.rounds == other.run.rounds


def _problem(first: _Side, other: _Side, before: _Figure | None, after: _Figure | None) -> str:
    """Why one of two figures can't be used; empty if both can."""
    said: dict[str, list[str]] = {}
    for side, figure in ((first, before), (other, after)):
        if figure is None or math.isnan(figure.estimate.value):
            problem = (
                figure.problem if figure else ""
            ) or "there is no figure: too few samples or rounds"
        else:
            problem = figure.problem
        if problem:
            said.setdefault(problem, []).append(side.name.label)
    return "; ".join(f"{' and '.join(labels)}: {problem}" for problem, labels in said.items())


def _obstacle(first: _Side, other: _Side, key: _Key) -> str:
    """Why no figure of these stacks in this block can be compared; empty if they can."""
    if first.run.run_id == other.run.run_id and not _is_same_run(first, other):
        return f"both are the run {first.run.run_id}, and share rounds"
    blocks = [side.blocks.get(key.block) for side in (first, other)]
    for side, block in zip((first, other), blocks, strict=True):
        if block is None:
            return _missing_block(side, key.block)
        for label in key.stacks:
            if not side.measured(block.cell(label)):
                return f"{side.name.label} did not measure {label} in {key.block}"
    before, after = blocks
    assert before is not None
    assert after is not None
    return (
        _other_method(first, other, before)
        or _other_work(first, other, before, after)
        or next(
            (words for label in key.stacks if (words := _other_settings(first, other, label))), ""
        )
    )


def _missing_block(side: _Side, key: BlockKey) -> str:
    loads = [other.load for other in side.blocks if other.scenario == key.scenario]
    if loads:
        return f"another load: {side.name.label} measured {key.scenario} under {', '.join(loads)}"
    return f"{side.name.label} did not measure {key.scenario}"


def _other_method(first: _Side, other: _Side, block: BlockPlan) -> str:
    """Schema 4 changed how closed load is counted."""
    counting = [side.run.schema >= _COUNTS_REQUESTS for side in (first, other)]
    if block.load.is_open or block.counts_starts or len(set(counting)) == 1:
        return ""
    older, newer = (other, first) if counting[0] else (first, other)
    return (
        f"another method: slices counted seconds in {older.name.label} (schema {older.run.schema}) "
        f"and requests in {newer.name.label} (schema {newer.run.schema})"
    )


def _other_work(first: _Side, other: _Side, before: BlockPlan, after: BlockPlan) -> str:
    """What a request does, beside the stack."""
    name = before.scenario.name
    if before.scenario.endpoints != after.scenario.endpoints:
        return f"{name} requests other endpoints in {other.name.label} than in {first.name.label}"
    if before.load.users != after.load.users and before.scenario.measures is not Measures.STARTS:
        return (
            f"another load: {name} had {before.load.users} connections in {first.name.label} and "
            f"{after.load.users} in {other.name.label}"
        )
    if "upstream" in before.scenario.needs:
        took = [
            side.run.plan.upstream_latency_of(block.load)
            for side, block in ((first, before), (other, after))
        ]
        if took[0] != took[1]:
            return (
                f"the upstream took {took[0]} ms in {first.name.label} and {took[1]} ms in "
                f"{other.name.label}"
            )
    return ""


def _other_settings(first: _Side, other: _Side, label: str) -> str:
    """How a stack of the same name is another one."""
    before, after = first.stacks[label], other.stacks[label]
    keys = dict.fromkeys((*before.settings, *after.settings))
    facts = {
        "application": (before.app, after.app),
        "server": (before.server, after.server),
        "options": (" ".join(before.options), " ".join(after.options)),
        **{key: (before.settings.get(key, ""), after.settings.get(key, "")) for key in keys},
        "worker processes": (str(first.workers(before)), str(other.workers(after))),
    }
    changed = [
        f"{what} {old or 'none'} → {new or 'none'}"
        for what, (old, new) in facts.items()
        if old != new
    ]
    return f"{label} has other settings: {', '.join(changed)}" if changed else ""


def _obstacle_of_machine(first: _Side, other: _Side) -> str:
    """Why a stack's own figures depend on where it was measured; empty on the same cores."""
    silent = [side.name.label for side in (first, other) if not side.name.machine]
    if silent:
        return f"{' and '.join(silent)} did not record the machine"
    if first.name.machine != other.name.machine:
        return "another machine"
    if first.cores != other.cores:
        return (
            f"the servers had {first.cores} cores in {first.name.label} and {other.cores} in "
            f"{other.name.label}"
        )
    return ""


# --------------------------------------------------------------------------- verdicts


def _judged(pairs: Sequence[_Pair], same_within: float) -> tuple[Moved, ...]:
    """Give every pair that can be compared its verdict; headlines and others are two families."""
    found: dict[int, Moved] = {}
    for is_secondary in (False, True):
        family = [
            (place, pair)
            for place, pair in enumerate(pairs)
            if pair.moved.is_secondary is is_secondary and not pair.moved.reason
        ]
        adjusted = stats.holm([pair.p_value for _, pair in family])
        for (place, pair), p_value in zip(family, adjusted, strict=True):
            verdict = stats.verdict(
                pair.moved.quotient,
                band=same_within,
                rounds=pair.moved.rounds,
                more_is_better=True,
                significant=p_value < 1 - stats.CONFIDENCE,
            )
            found[place] = replace(pair.moved, change=_CHANGES[verdict])
    return tuple(found.get(place, pair.moved) for place, pair in enumerate(pairs))


def _together(first: _Side, other: _Side) -> Estimate | None:
    """By how much the throughput of all cells moved: the median cell, the lowest, the highest."""
    moved = [
        other.cells[key].throughput_rps.value / cell.throughput_rps.value
        for key, cell in first.cells.items()
        if first.blocks[key.block].has_throughput
        and not _obstacle(first, other, _Key(key.block, "throughput_rps", key.stack, ""))
        and all(
            side.cells[key].valid and side.cells[key].throughput_rps.value > 0
            for side in (first, other)
        )
    ]
    if len(moved) < 2:
        return None
    return Estimate(statistics.median(moved), min(moved), max(moved))
