"""An analysis in the order in which a reader meets it: made once, and then only read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from harness.analysis.axes import AXES, Axis, asked_words
from harness.analysis.saturation import threads_at_a_time
from harness.models import (
    Analysis,
    Arrivals,
    BlockPlan,
    CellSummary,
    Comparison,
    Curve,
    Kind,
    Load,
    Measures,
    Placement,
    Plan,
    RunRecord,
    Stack,
    Step,
    StepKind,
    upstream_s,
)
from harness.planning.stacks import worker_count
from harness.report import formats
from harness.report.metrics import (
    COMPARED,
    COMPARED_STARTS,
    MEDIAN,
    START,
    THROUGHPUT,
    Metric,
)
from harness.report.palette import Look, looks
from harness.report.verdicts import DECIDED, WITHOUT_RATIO

ROUNDS_FOR_AN_INTERVAL = 2
POINTS_PER_LINE = 240  # of a stack in the timeline, about; more could not be told apart

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
#: The applications that may be called by their framework's name; Flask inside FastAPI may not.
_TWIN_OF_APP: Mapping[str, str] = {"apps.flask_twin": "Flask", "apps.fastapi_twin": "FastAPI"}


@dataclass(frozen=True, slots=True)
class Pair:
    """A candidate and its baseline, with their comparisons by metric."""

    baseline: str
    candidate: str
    comparisons: Mapping[str, Comparison]  # by the metric's key, in the order of COMPARED


@dataclass(frozen=True, slots=True)
class Climb:
    """A step of a ladder, with the stack after it compared with the one before."""

    step: Step
    pair: Pair

    @property
    def words(self) -> str:
        """As in `server: gunicorn → granian`."""
        return f"{self.step.kind}: {self.step.change}"


@dataclass(frozen=True, slots=True)
class Fall:
    """A row of a waterfall: a step, or the total of the steps above it."""

    words: str
    pair: Pair
    is_total: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A scenario under a load."""

    plan: BlockPlan
    cells: tuple[CellSummary, ...]
    pairs: tuple[Pair, ...]  # the ordinary comparisons; steps of a ladder are kept apart
    climbs: tuple[Climb, ...]  # in the ladder's order; empty without a ladder
    load_name: (
        str  # what tells it from the scenario's other loads: "64 users"; empty if it is alone
    )
    names: Mapping[str, str]  # stack -> what sentences call it: "Flask" where there is only one
    #: Stack -> requests that its threads handle at a time, where they are fewer than the users.
    threads: Mapping[str, int] = field(default_factory=dict)
    round_s: float = math.nan  # how long a round of it alone takes, about; NaN if nobody noted it
    upstream_s: float = 0.0  # how long each request waits for the upstream, in the median

    @property
    def name(self) -> str:
        """The scenario's name."""
        return self.plan.scenario.name

    @property
    def slice_s(self) -> float:
        """Mean time of a slice, from its first request to its last reply; NaN without any."""
        count = sum(cell.slices for cell in self.cells)
        total_s = sum(cell.slices * cell.slice_s for cell in self.cells if cell.slices)
        return total_s / count if count else math.nan

    @property
    def slices_per_round(self) -> float:
        """Slices of a stack in a round, on average; 0 without any."""
        rounds = sum(cell.rounds for cell in self.cells)
        return sum(cell.slices for cell in self.cells) / rounds if rounds else 0.0

    @property
    def loaded_s(self) -> float:
        """Seconds under load, of all stacks and rounds, warm-up included."""
        return sum(
            cell.rounds * self.plan.mean_warmup_s + cell.slices * cell.slice_s
            for cell in self.cells
            if cell.slices
        )

    @property
    def title(self) -> str:
        """As in `hello`, or `hello, 64 users` where the scenario has several loads."""
        return f"{self.name}, {self.load_name}" if self.load_name else self.name

    @property
    def where(self) -> str:
        """As in `hello`, or `hello with 64 users` where the scenario has several loads."""
        if not self.load_name:
            return self.name
        return f"{self.name} {'at' if self.plan.load.is_open else 'with'} {self.load_name}"

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
        """Whether its samples are starts and not requests."""
        return self.plan.counts_starts

    @property
    def headline(self) -> Metric:
        """The metric that decides this part."""
        if self.counts_starts:
            return START
        return THROUGHPUT if self.plan.headline == THROUGHPUT.key else MEDIAN

    @property
    def compared(self) -> tuple[tuple[Pair, Comparison], ...]:
        """The pairs with their comparison in the metric that decides."""
        return tuple(
            (pair, pair.comparisons[self.headline.key])
            for pair in self.pairs
            if self.headline.key in pair.comparisons
        )

    def is_within(self, precision: float) -> bool:
        """Whether every interval of the metric that decides is narrower than ± this share."""
        pairs = (*self.pairs, *(climb.pair for climb in self.climbs))
        intervals = [
            (found.ratio, found.ci_high)
            for pair in pairs
            if (found := pair.comparisons.get(self.headline.key)) is not None
        ]
        if not pairs:
            figures = [self.headline.of(cell) for cell in self.cells]
            intervals = [(figure.value, figure.high) for figure in figures]
        return bool(intervals) and all(high <= (1 + precision) * value for value, high in intervals)

    @property
    def total(self) -> tuple[Pair, Comparison] | None:
        """All steps from Flask to FastAPI as it is commonly run; None without a ladder."""
        for pair, comparison in self.compared:
            if (pair.baseline, pair.candidate) == self.plan.total:
                return pair, comparison
        return None

    @property
    def falls(self) -> tuple[Fall, ...]:
        """The rows of the waterfall: the steps up to the goal, the total, the steps beyond it."""
        total = [Fall("Flask → FastAPI", self.total[0], is_total=True)] if self.total else []
        steps = [(climb.step.beyond, Fall(climb.words, climb.pair, False)) for climb in self.climbs]
        return (
            *(fall for beyond, fall in steps if not beyond),
            *total,
            *(fall for beyond, fall in steps if beyond),
        )

    @property
    def unused_steps(self) -> tuple[StepKind, ...]:
        """Kinds of step that are left out because no request would notice them."""
        return tuple(kind for kind in StepKind if kind not in self.plan.scenario.ladder)

    @property
    def rounds(self) -> int:
        """Rounds in which it was measured."""
        return max((cell.rounds for cell in self.cells), default=0)

    @property
    def slices_per_point(self) -> int:
        """How many neighbouring slices the timeline averages into one point."""
        most = max((len(cell.timeline) for cell in self.cells), default=0)
        return max(1, math.ceil(most / POINTS_PER_LINE))

    def cell(self, stack: str) -> CellSummary | None:
        """The cell of a stack; None where no round of it has finished."""
        return next((cell for cell in self.cells if cell.stack == stack), None)

    def why_not_compared(self, pair: Pair) -> str:
        """Which cell of a pair has no ratio, and why: it is invalid or overloaded."""
        cells = [self.cell(pair.baseline), self.cell(pair.candidate)]
        reasons = [
            f"{cell.stack}: {formats.clean(cell.reason)}"
            for cell in cells
            if cell is not None and not cell.valid
        ] or [
            f"{cell.stack} is {overload_words(cell)}"
            for cell in cells
            if cell is not None and cell.overloaded
        ]
        return "; ".join(reasons) or "too little was measured"

    def why_not_compared_in_short(self, pair: Pair) -> str:
        """The same with the names of the failed gates, whose figures stand with the measurement."""
        cells = [self.cell(pair.baseline), self.cell(pair.candidate)]
        failed = [
            f"{cell.stack} failed: {', '.join(gate.gate for gate in cell.gates if not gate.passed)}"
            for cell in cells
            if cell is not None and not cell.valid
        ]
        return "; ".join(failed) or self.why_not_compared(pair)


@dataclass(frozen=True, slots=True)
class CurveSet:
    """The curves of a scenario along one axis, which share their charts."""

    scenario: str
    axis: Axis
    held: str  # what is the same for all points; empty where nothing needs saying
    curves: tuple[Curve, ...]

    @property
    def title(self) -> str:
        """As in `hello` or `hello, 16 users`."""
        return f"{self.scenario}, {self.held}" if self.held else self.scenario


def load_words(load: Load) -> str:
    """As in `16 users` or `open load, 500 requests/s, Poisson arrivals`."""
    if load.rate_rps is None:
        return f"{formats.plural(load.users, 'user')}{_asks(load)}"
    return f"open load, {_rate(load.rate_rps)}, {ARRIVALS[load.arrivals]}{_asks(load)}"


def _asks(load: Load) -> str:
    """What the load asks of each request, where that belongs to it."""
    words = asked_words(load, formats.NBSP)
    return f", {words}" if words else ""


def _load_name(load: Load) -> str:
    """As in `64 users`, `500 requests/s` or `64 users, upstream 200 ms`."""
    if load.rate_rps is None:
        return f"{formats.plural(load.users, 'user')}{_asks(load)}"
    return f"{_rate(load.rate_rps)}{_asks(load)}"


def _rate(rate_rps: float) -> str:
    return f"{formats.tick(rate_rps)}{formats.NBSP}requests/s"


class View:
    """What charts, sentences and tables are made from.

    Attributes:
        analysis: what everything follows from.
        parts: every planned block with what was measured of it, in the order of the plan; without
            those that search for a capacity, which are `analysis.capacities`.
        looks: stack -> how it is drawn.
        stacks: label -> stack, in the order of the plan.
    """

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.stacks: Mapping[str, Stack] = {
            stack.label: stack for stack in analysis.run.plan.stacks
        }
        self.looks: Mapping[str, Look] = looks(analysis)
        self.parts: tuple[Part, ...] = tuple(
            self._part(plan) for plan in analysis.run.blocks if plan.search is None
        )

    @property
    def run(self) -> RunRecord:
        """The run that was analysed."""
        return self.analysis.run

    @property
    def plan(self) -> Plan:
        """What the run was going to do."""
        return self.run.plan

    @property
    def placement(self) -> Placement:
        """Which role had which cores."""
        return self.run.placement

    @property
    def only_searches(self) -> bool:
        """Whether the run measured nothing but capacities."""
        return bool(self.run.blocks) and not self.parts

    @cached_property
    def measured_parts(self) -> tuple[Part, ...]:
        """The parts of which a round has finished."""
        return tuple(part for part in self.parts if part.cells)

    @cached_property
    def answering(self) -> tuple[Part, ...]:
        """The parts whose samples are requests, and not starts."""
        return tuple(part for part in self.parts if not part.counts_starts)

    @cached_property
    def climbing(self) -> tuple[Part, ...]:
        """The parts of which the steps were measured too."""
        return tuple(part for part in self.parts if part.plan.ladder)

    @cached_property
    def curve_sets(self) -> tuple[CurveSet, ...]:
        """The curves that share a chart, in the order in which they were derived."""
        found: dict[tuple[str, str, str], list[Curve]] = {}
        for curve in self.analysis.curves:
            found.setdefault((curve.scenario, curve.axis, curve.held), []).append(curve)
        return tuple(
            CurveSet(scenario, AXES[axis], held, tuple(curves))
            for (scenario, axis, held), curves in found.items()
        )

    def look(self, curve: Curve) -> Look:
        """How a curve is drawn: as its stack, or as the first of its stacks."""
        return self.looks.get(curve.line) or self.looks[curve.points[0].stack]

    @cached_property
    def headlines(self) -> frozenset[Metric]:
        """The metrics that decide the parts."""
        return frozenset(part.headline for part in self.parts)

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that anything is compared by; all where nothing is compared."""
        seen = {comparison.metric for comparison in self.analysis.comparisons}
        known = COMPARED if self.answering or not self.parts else COMPARED_STARTS
        return tuple(metric for key, metric in known.items() if key in seen or not seen)

    @cached_property
    def only_baseline(self) -> str:
        """The stack that every candidate is compared with; empty if there are several or none."""
        baselines = {pair.baseline for part in self.parts for pair in part.pairs}
        return baselines.pop() if len(baselines) == 1 else ""

    @cached_property
    def measured_stacks(self) -> tuple[str, ...]:
        """Labels of the stacks that have a cell, in the order of the plan."""
        seen = {cell.stack for cell in self.analysis.cells}
        planned = [label for label in self.stacks if label in seen]
        return (*planned, *sorted(seen.difference(planned)))

    @property
    def rounds(self) -> int:
        """Rounds that were measured, the last maybe in part."""
        return len(self.run.rounds)

    @cached_property
    def fewest_rounds(self) -> int:
        """Rounds of the part that has the fewest, of those that were measured at all."""
        return min((part.rounds for part in self.measured_parts), default=0)

    @property
    def has_planned_rounds(self) -> bool:
        """Whether a run that may go on as long as its time lasts has the rounds that it must have."""
        return self.plan.budget_s is not None and self.rounds >= self.plan.rounds

    @cached_property
    def rounds_words(self) -> str:
        """As in `8 rounds`, `5 to 8 rounds` or, if there were to be more, `2 of 8 rounds`."""
        done, planned = self.rounds, self.plan.rounds
        precise = self.plan.precision is not None and self.run.ended is not None
        precise = precise or self.has_planned_rounds
        fewest = self.fewest_rounds or done
        span = f"{fewest:,} to {done:,}" if fewest < done else f"{done:,}"
        if done < planned and not precise:
            return f"{span} of {formats.plural(planned, 'round')}"
        return f"{span}{formats.NBSP}round{'' if done == 1 else 's'}"

    @cached_property
    def stopped_early(self) -> tuple[Part, ...]:
        """The parts that were measured no further because their intervals were narrow enough."""
        precision = self.plan.precision
        if precision is None:
            return ()
        if self.plan.budget_s is not None:
            return tuple(part for part in self.measured_parts if part.is_within(precision))
        whole = [finished for finished in self.run.rounds if finished.complete]
        return tuple(
            part
            for part in self.measured_parts
            if (
                part.rounds < self.plan.rounds
                if self.run.ended is not None
                else any(part.plan.key not in finished.order for finished in whole)
            )
        )

    def part_of(self, cell: CellSummary) -> Part:
        """The part that a cell belongs to."""
        return next(part for part in self.parts if part.plan.key == cell.key.block)

    def workers(self, stack: str) -> int | None:
        """Worker processes of a stack; None where they follow from cores that nobody recorded."""
        cores = self.placement.servers
        if not cores and "n" in self.stacks[stack].workers:
            return None
        return worker_count(self.stacks[stack], self.plan.workers, cores)

    def _part(self, plan: BlockPlan) -> Part:
        pairs = self._pairs(plan)
        return Part(
            plan=plan,
            cells=tuple(cell for cell in self.analysis.cells if cell.key.block == plan.key),
            pairs=tuple(pair for key, pair in pairs.items() if key not in plan.steps),
            climbs=tuple(
                Climb(step, pairs[step.before, step.after])
                for step in plan.ladder
                if (step.before, step.after) in pairs
            ),
            load_name=self._distinct_load(plan),
            names={
                label: name
                if (name := self._frameworks.get(label)) and self._is_alone(label, plan)
                else label
                for label in plan.stacks
            },
            threads={
                stack: threads
                for stack in plan.stacks
                if (threads := threads_at_a_time(self.run, self.stacks[stack]))
                and threads < plan.load.users
            },
            round_s=self._round_s(plan),
            upstream_s=(
                upstream_s(self.run.plan.upstream_latency, plan.load)
                if "upstream" in plan.scenario.needs
                else 0.0
            ),
        )

    def _round_s(self, plan: BlockPlan) -> float:
        """How long a round with nothing but this block takes, as far as the rounds show."""
        own_s = [
            finished.took_s - sum(usage.took_s for usage in finished.blocks)
            for finished in self.run.rounds
            if finished.took_s
        ]
        block_s = [
            usage.took_s
            for finished in self.run.rounds
            for usage in finished.blocks
            if usage.key == plan.key and usage.took_s
        ]
        if not own_s or not block_s:
            return math.nan
        return sum(own_s) / len(own_s) + sum(block_s) / len(block_s)

    def _pairs(self, plan: BlockPlan) -> dict[tuple[str, str], Pair]:
        """Baseline and candidate -> their comparisons, steps among them."""
        found: dict[tuple[str, str], dict[str, Comparison]] = {}
        for comparison in self.analysis.comparisons:
            if comparison.block == plan.key:
                key = (comparison.baseline, comparison.candidate)
                found.setdefault(key, {})[comparison.metric] = comparison
        return {
            key: Pair(*key, {m: by_metric[m] for m in COMPARED if m in by_metric})
            for key, by_metric in found.items()
        }

    def _distinct_load(self, plan: BlockPlan) -> str:
        """What tells a load from the others of the same scenario; empty if there are none."""
        same_scenario = [
            block for block in self.run.blocks if block.scenario.name == plan.scenario.name
        ]
        if len(same_scenario) == 1:
            return ""
        names = [_load_name(block.load) for block in same_scenario]
        name = _load_name(plan.load)
        if names.count(name) == 1:
            return name
        return f"{name}, {ARRIVALS[plan.load.arrivals]}"

    @cached_property
    def _frameworks(self) -> dict[str, str]:
        """Stack -> its framework, for the stacks that may be called by its name.

        That is a stack which is the only one of its framework in some part, unless another stack
        is so in another part.
        """
        alone = {
            label: _framework(self.stacks[label])
            for plan in self.run.blocks
            for label in plan.stacks
            if self._is_alone(label, plan)
        }
        frameworks = list(alone.values())
        return {label: name for label, name in alone.items() if frameworks.count(name) == 1}

    def _is_alone(self, label: str, plan: BlockPlan) -> bool:
        """Whether no other stack of a block has the same framework."""
        frameworks = [_framework(self.stacks[other]) for other in plan.stacks]
        name = _framework(self.stacks[label])
        return bool(name) and frameworks.count(name) == 1


def _framework(stack: Stack) -> str:
    """The framework that a stack stands for; empty where it is none of the twins."""
    return _TWIN_OF_APP.get(stack.app.partition(":")[0], "")


def by_scenario(parts: Iterable[Part]) -> dict[str, list[Part]]:
    """Scenario -> its parts, one for each load."""
    grouped: dict[str, list[Part]] = {}
    for part in parts:
        grouped.setdefault(part.name, []).append(part)
    return grouped


def overload_words(cell: CellSummary) -> str:
    """As in `overloaded: it answered 1,707 of 5,000 requests/s`; empty where it kept up."""
    return cell.overload.text if cell.overload else ""


def has_interval(comparison: Comparison) -> bool:
    """Whether the comparison has both limits."""
    return math.isfinite(comparison.ci_low) and math.isfinite(comparison.ci_high)


def has_ratio(comparison: Comparison) -> bool:
    """Whether the comparison has a ratio that can be shown."""
    return comparison.verdict not in WITHOUT_RATIO


def is_decided(comparison: Comparison) -> bool:
    """Whether the verdict names a winner."""
    return comparison.verdict in DECIDED
