"""An analysis in the order in which a reader meets it: scenario by scenario, pair by pair."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.models import (
    Analysis,
    CellPlan,
    CellSummary,
    Comparison,
    Kind,
    Stack,
    Verdict,
)
from harness.report import formats

MIN_ROUNDS_FOR_VERDICT = 5  # docs/METHOD.md
MIN_ROUNDS_FOR_INTERVAL = 2

POINTS_PER_LINE = 240  # of a stack in the timeline, about; more could not be told apart

THROUGHPUT = "throughput_rps"
METRICS: Mapping[str, str] = {
    THROUGHPUT: "Requests/s",
    "latency_p50_ms": "Median latency",
    "latency_p99_ms": "p99 latency",
    "cpu_us_per_request": "CPU per request",
}
KINDS: Mapping[Kind, str] = {
    Kind.FRAMEWORK: "framework cost",
    Kind.IO: "I/O-bound",
    Kind.CPU: "CPU-bound",
}
TWINS: Mapping[str, str] = {"flask": "Flask", "fastapi": "FastAPI"}


@dataclass(frozen=True, slots=True)
class Pair:
    """One candidate beside its baseline, by metric, in the order of METRICS."""

    baseline: str
    candidate: str
    comparisons: Mapping[str, Comparison]


@dataclass(frozen=True, slots=True)
class Part:
    """One scenario under one load."""

    plan: CellPlan
    cells: tuple[CellSummary, ...]
    pairs: tuple[Pair, ...]

    @property
    def name(self) -> str:
        """The scenario's name."""
        return self.plan.scenario.name

    @property
    def kind(self) -> str:
        """What the scenario spends its time on, in words."""
        return KINDS[self.plan.scenario.kind]

    @property
    def users(self) -> str:
        """As in `16 users`."""
        return formats.plural(self.plan.load.users, "user")

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
            pairs=_pairs(analysis, plan),
        )
        for plan in analysis.run.plan.cells
    )


def _pairs(analysis: Analysis, plan: CellPlan) -> tuple[Pair, ...]:
    found: dict[tuple[str, str], dict[str, Comparison]] = {}
    for comparison in analysis.comparisons:
        if (comparison.scenario, comparison.load) == (plan.scenario.name, plan.load.label):
            key = (comparison.baseline, comparison.candidate)
            found.setdefault(key, {})[comparison.metric] = comparison
    return tuple(
        Pair(baseline, candidate, {m: by_metric[m] for m in METRICS if m in by_metric})
        for (baseline, candidate), by_metric in found.items()
    )


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


def rounds_done(analysis: Analysis) -> int:
    """Rounds that were finished."""
    return len(analysis.run.rounds)


def has_interval(comparison: Comparison) -> bool:
    """Whether the comparison has both limits."""
    return math.isfinite(comparison.ci_low) and math.isfinite(comparison.ci_high)


def decided(comparison: Comparison) -> bool:
    """Whether the verdict names a winner."""
    return comparison.verdict in (Verdict.FASTER, Verdict.SLOWER)
