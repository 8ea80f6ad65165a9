"""What follows from servers that held many connections: memory for each, and who else was served."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

import numpy as np

from harness.analysis.stats import half_width, log_mean
from harness.models import (
    ConnectionsAnalysis,
    ConnectionsRecord,
    Estimate,
    Held,
    HeldMemory,
    HeldPoint,
    HeldSeries,
    HeldStep,
    Stack,
)

#: With fewer connections, what a process allocates anyway is as large as what they take.
LEAST_HELD = 20
_MIB = 1 << 20
_KIB = 1 << 10
_UNKNOWN = Estimate(math.nan, math.nan, math.nan)


def analyse_connections(record: ConnectionsRecord) -> ConnectionsAnalysis:
    """Derive everything that table, chart and page say."""
    points: list[HeldPoint] = []
    memory: list[HeldMemory] = []
    for held in record.plan.held:
        for stack in record.plan.stacks:
            series = [
                each for each in record.series if (each.held, each.stack) == (held, stack.label)
            ]
            if not series:
                continue
            points += _points(held, stack, series, (0, *record.plan.counts))
            memory.append(_memory(held, stack, series))
    problems = tuple(dict.fromkeys(_problem(each) for each in record.series if _problem(each)))
    return ConnectionsAnalysis(record, tuple(points), tuple(memory), problems)


def _problem(series: HeldSeries) -> str:
    """Why a series can't be used: it is no finding about held connections."""
    where = f"{series.stack}, {series.held}, round {series.round}"
    if series.died:
        return f"{where}: {series.died}"
    if not series.steps or not series.steps[0].all_served:
        return f"{where}: the server did not answer before any connection was held"
    return ""


def _points(
    held: Held, stack: Stack, series: Sequence[HeldSeries], counts: Sequence[int]
) -> list[HeldPoint]:
    points = []
    for asked in counts:
        steps = [step for each in series for step in each.steps if step.asked == asked]
        if steps:
            points.append(_point(held, stack, asked, steps))
    return points


def _point(held: Held, stack: Stack, asked: int, steps: Sequence[HeldStep]) -> HeldPoint:
    answered = [ms for step in steps for ms in step.visits_ms if ms is not None]
    medians = [
        median(ms for ms in step.visits_ms if ms is not None) for step in steps if step.all_served
    ]
    unique = [step.uss_bytes for step in steps if step.uss_bytes is not None]
    return HeldPoint(
        held=held,
        stack=stack.label,
        twin=stack.twin,
        asked=asked,
        rounds=len(steps),
        held_least=min(step.held for step in steps),
        closed_most=max(step.closed for step in steps),
        failed_most=max(step.failed for step in steps),
        pss_mib=median(step.pss_bytes for step in steps) / _MIB,
        uss_mib=median(unique) / _MIB if len(unique) == len(steps) else math.nan,
        threads_most=max(step.threads for step in steps),
        visits=sum(len(step.visits_ms) for step in steps),
        answered=len(answered),
        visit_ms=log_mean(medians) if len(medians) == len(steps) else _UNKNOWN,
        slowest_ms=max(answered, default=math.nan),
        example=next((step.example for step in steps if step.example), ""),
    )


def _memory(held: Held, stack: Stack, series: Sequence[HeldSeries]) -> HeldMemory:
    """Mean over rounds of how much memory grows with each connection."""
    up_to = min(max((step.held for step in each.steps), default=0) for each in series)
    kib, reason = _UNKNOWN, ""
    broken = any(map(_problem, series))
    if broken:
        reason = "a server ended or never answered"
    elif up_to < LEAST_HELD:
        reason = f"fewer than {LEAST_HELD} were held"
    else:
        slopes = [_slope_kib(each.steps) for each in series]
        mean, half = sum(slopes) / len(slopes), half_width(slopes)
        kib = Estimate(mean, mean - half, mean + half)
    return HeldMemory(held, stack.label, stack.twin, len(series), up_to, kib, reason, broken)


def _slope_kib(steps: Sequence[HeldStep]) -> float:
    """KiB per connection: the line of least squares through the steps of one server.

    The first connections take memory that is free already, or start threads. So the step without
    any is left out where two others remain.
    """
    holding = [step for step in steps if step.held]
    if len({step.held for step in holding}) > 1:
        steps = holding
    held = [step.held for step in steps]
    return float(np.polyfit(held, [step.pss_bytes / _KIB for step in steps], 1)[0])
