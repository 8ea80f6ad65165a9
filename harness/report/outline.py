"""An analysis in the order in which a reader meets it: scenario by scenario, pair by pair."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.models import (
    ROUNDS_FOR_A_VERDICT,
    Analysis,
    Arrivals,
    BlockPlan,
    CellSummary,
    Comparison,
    Kind,
    Load,
    Measures,
    Stack,
    Step,
    StepKind,
    Verdict,
)
from harness.planning.stacks import worker_count
from harness.report import formats

MIN_ROUNDS_FOR_VERDICT = ROUNDS_FOR_A_VERDICT
MIN_ROUNDS_FOR_INTERVAL = 2

POINTS_PER_LINE = 240  # of a stack in the timeline, about; more could not be told apart

THROUGHPUT = "throughput_rps"
MEDIAN = "latency_p50_ms"
METRICS: Mapping[str, str] = {
    THROUGHPUT: "Requests/s",
    MEDIAN: "Median latency",
    "latency_p99_ms": "p99 latency",
    "cpu_us_per_request": "CPU per request",
}
START = "start_p50_ms"
#: What can decide a scenario, in the order of the report: two metrics, one of which speaks of
#: requests or of starts.
HEADLINES: Mapping[str, str] = {
    THROUGHPUT: METRICS[THROUGHPUT],
    MEDIAN: METRICS[MEDIAN],
    START: "Median start",
}
#: In place of METRICS where all that was measured is starts.
_OF_STARTS: Mapping[str, str] = {MEDIAN: "Median start", "cpu_us_per_request": "CPU per start"}
KINDS: Mapping[Kind, str] = {
    Kind.FRAMEWORK: "framework cost",
    Kind.IO: "I/O-bound",
    Kind.CPU: "CPU-bound",
    Kind.MIXED: "mixed",
}
ARRIVALS: Mapping[Arrivals, str] = {
    Arrivals.CONSTANT: "evenly spaced",
    Arrivals.POISSON: "Poisson arrivals",
}
TWINS: Mapping[str, str] = {"flask": "Flask", "fastapi": "FastAPI"}


@dataclass(frozen=True, slots=True)
class Pair:
    """One candidate beside its baseline, by metric, in the order of METRICS."""

    baseline: str
    candidate: str
    comparisons: Mapping[str, Comparison]


@dataclass(frozen=True, slots=True)
class Climb:
    """One step of a ladder, and the stack after it beside the one before."""

    step: Step
    pair: Pair


@dataclass(frozen=True, slots=True)
class Part:
    """One scenario under one load."""

    plan: BlockPlan
    cells: tuple[CellSummary, ...]
    pairs: tuple[Pair, ...]  # the ordinary ones; steps of a ladder are kept apart
    climbs: tuple[Climb, ...] = ()  # in the ladder's order; empty without a ladder

    @property
    def name(self) -> str:
        """The scenario's name."""
        return self.plan.scenario.name

    @property
    def kind(self) -> str:
        """What the scenario spends its time on, in words."""
        return KINDS[self.plan.scenario.kind]

    @property
    def load(self) -> str:
        """As in `16 users` or `open load, 500 requests/s, Poisson arrivals`."""
        match self.plan.scenario.measures:
            case Measures.STARTS:
                return "one start at a time"
            case Measures.TEST_CLIENT:
                return "one test client"
            case Measures.REQUESTS:
                return load_words(self.plan.load)

    @property
    def counts_starts(self) -> bool:
        """Whether what it counts is starts, and not requests."""
        return self.plan.counts_starts

    @property
    def headline(self) -> str:
        """The metric that decides here: a key of METRICS."""
        return self.plan.headline

    @property
    def decides(self) -> str:
        """What that metric speaks of here: a key of HEADLINES."""
        return START if self.counts_starts else self.headline

    @property
    def compared(self) -> tuple[tuple[Pair, Comparison], ...]:
        """The pairs with their comparison in the headline metric."""
        return tuple(
            (pair, pair.comparisons[self.headline])
            for pair in self.pairs
            if self.headline in pair.comparisons
        )

    @property
    def total(self) -> tuple[Pair, Comparison] | None:
        """All steps from Flask to FastAPI as it is commonly run in one; None without a ladder."""
        for pair, comparison in self.compared:
            if (pair.baseline, pair.candidate) == self.plan.total:
                return pair, comparison
        return None

    @property
    def unused(self) -> tuple[StepKind, ...]:
        """Kinds of step that are left out here, because no request would notice them."""
        return tuple(kind for kind in StepKind if kind not in self.plan.scenario.ladder)

    @property
    def rounds(self) -> int:
        """Rounds in which it was measured."""
        return max((cell.rounds for cell in self.cells), default=0)

    def cell(self, stack: str) -> CellSummary | None:
        """The cell of a stack; None where no round of it has finished."""
        return next((cell for cell in self.cells if cell.stack == stack), None)

    def why_invalid(self, pair: Pair) -> str:
        """Which cell of a pair spoils the comparison, and why."""
        reasons = [
            f"{name}: {formats.clean(cell.reason)}"
            for name in (pair.baseline, pair.candidate)
            if (cell := self.cell(name)) is not None and not cell.valid
        ]
        return "; ".join(reasons) or "too little was measured"


def load_words(load: Load) -> str:
    """As in `16 users` or `open load, 500 requests/s, Poisson arrivals`."""
    if load.rate_rps is None:
        return formats.plural(load.users, "user")
    rate = f"{formats.tick(load.rate_rps)}{formats.NBSP}requests/s"
    return f"open load, {rate}, {ARRIVALS[load.arrivals]}"


def parts(analysis: Analysis) -> tuple[Part, ...]:
    """Every planned scenario with what was measured of it, in the plan's order."""
    return tuple(
        Part(
            plan=plan,
            cells=tuple(
                cell
                for cell in analysis.cells
                if (cell.scenario, cell.load) == (plan.scenario.name, plan.load.label)
            ),
            pairs=tuple(pair for key, pair in found.items() if key not in plan.steps),
            climbs=tuple(
                Climb(step, found[step.before, step.after])
                for step in plan.ladder
                if (step.before, step.after) in found
            ),
        )
        for plan in analysis.run.blocks
        for found in [_pairs(analysis, plan)]
    )


def answering(analysis: Analysis) -> tuple[Part, ...]:
    """The parts that count requests, and not starts."""
    return tuple(part for part in parts(analysis) if not part.counts_starts)


def _pairs(analysis: Analysis, plan: BlockPlan) -> dict[tuple[str, str], Pair]:
    """Baseline and candidate -> their comparisons, steps among them."""
    found: dict[tuple[str, str], dict[str, Comparison]] = {}
    for comparison in analysis.comparisons:
        if (comparison.scenario, comparison.load) == (plan.scenario.name, plan.load.label):
            key = (comparison.baseline, comparison.candidate)
            found.setdefault(key, {})[comparison.metric] = comparison
    return {
        key: Pair(*key, {m: by_metric[m] for m in METRICS if m in by_metric})
        for key, by_metric in found.items()
    }


def with_ladder(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The scenarios of which the steps were measured too."""
    return tuple(part for part in parts if part.plan.ladder)


def headline_of(part: Part, cell: CellSummary) -> float:
    """What a cell came to in the metric that decides."""
    if part.headline == MEDIAN:
        return cell.latency_ms["p50"].value
    return cell.throughput_rps.value


def only_baseline(parts: Iterable[Part]) -> str:
    """The stack that every candidate is compared with; empty if there are several or none."""
    baselines = {pair.baseline for part in parts for pair in part.pairs}
    return baselines.pop() if len(baselines) == 1 else ""


def slices_per_point(part: Part) -> int:
    """How many neighbouring slices the timeline averages into one point."""
    most = max((len(cell.timeline) for cell in part.cells), default=0)
    return max(1, math.ceil(most / POINTS_PER_LINE))


def stacks(analysis: Analysis) -> dict[str, Stack]:
    """Label -> stack."""
    return {stack.label: stack for stack in analysis.run.plan.stacks}


def measured_stacks(analysis: Analysis) -> tuple[str, ...]:
    """Labels of the stacks that have a cell, in the plan's order."""
    seen = {cell.stack for cell in analysis.cells}
    planned = [stack.label for stack in analysis.run.plan.stacks if stack.label in seen]
    return (*planned, *sorted(seen.difference(planned)))


def metrics(analysis: Analysis) -> dict[str, str]:
    """Those of METRICS in which anything is compared; all where nothing is."""
    seen = {comparison.metric for comparison in analysis.comparisons}
    words = METRICS if answering(analysis) or not parts(analysis) else {**METRICS, **_OF_STARTS}
    return {name: words[name] for name in METRICS if name in seen or not seen}


def headlines(parts: Iterable[Part]) -> set[str]:
    """What decides in these scenarios: keys of HEADLINES."""
    return {part.decides for part in parts}


def workers(analysis: Analysis, stack: str) -> int | None:
    """Worker processes of a stack; None where they follow from cores that nobody wrote down."""
    of, cores = stacks(analysis)[stack], analysis.run.placement.servers
    if not cores and "n" in of.workers:
        return None
    return worker_count(of, analysis.run.plan.workers, cores)


def rounds_done(analysis: Analysis) -> int:
    """Rounds that were measured, the last maybe in part."""
    return len(analysis.run.rounds)


def fewest_rounds(analysis: Analysis) -> int:
    """Rounds of the scenario that has the fewest, of those that were measured at all."""
    return min((part.rounds for part in parts(analysis) if part.cells), default=0)


def rounds_words(analysis: Analysis) -> str:
    """As in `8 rounds`, `5 to 8 rounds` or, if there were to be more, `2 of 8 rounds`."""
    done, planned, precise = (
        rounds_done(analysis),
        analysis.run.plan.rounds,
        analysis.run.plan.precision is not None and analysis.run.ended is not None,
    )
    fewest = fewest_rounds(analysis) or done
    span = f"{fewest:,} to {done:,}" if fewest < done else f"{done:,}"
    if done < planned and not precise:
        return f"{span} of {formats.plural(planned, 'round')}"
    return f"{span}{formats.NBSP}round{'' if done == 1 else 's'}"


def stopped_early(analysis: Analysis) -> tuple[Part, ...]:
    """Scenarios that were measured no further because their intervals were narrow enough."""
    run = analysis.run
    if run.plan.precision is None:
        return ()
    whole = [one for one in run.rounds if one.complete]
    return tuple(
        part
        for part in parts(analysis)
        if part.cells
        and (
            part.rounds < run.plan.rounds
            if run.ended is not None
            else any(part.plan.key not in one.order for one in whole)
        )
    )


def has_interval(comparison: Comparison) -> bool:
    """Whether the comparison has both limits."""
    return math.isfinite(comparison.ci_low) and math.isfinite(comparison.ci_high)


def decided(comparison: Comparison) -> bool:
    """Whether the verdict names a winner."""
    return comparison.verdict in (Verdict.FASTER, Verdict.SLOWER)
