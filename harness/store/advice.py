"""What `twinbench advise --json` says."""

from __future__ import annotations

import math
from typing import Any

from harness.models import Advice, Estimate, LeftOut, Prediction, StackChange


def advice_as_json(advice: Advice) -> dict[str, Any]:
    """An answer for programs; None where there is no figure, or no limit to it."""
    question = advice.question
    return {
        "run": advice.run,
        "other_machine": advice.other_machine,
        "scenario": advice.scenario,
        "question": {
            "rate_rps": question.demand.rate_rps,
            "headroom": question.demand.headroom,
            "io_ms": question.io_ms,
            "cpu_ms": question.cpu_ms,
            "queries": question.queries,
            "slo": question.slo.text,
            "connections": question.connections,
            "from": question.baseline,
        },
        "measured": {axis: list(values) for axis, values in advice.axes.items()},
        "unit_us": _estimate(advice.unit_us),
        "work": _finite(advice.work),
        "stacks": [_prediction(each) for each in advice.predictions],
        "changes": [_change(each) for each in advice.changes],
        "left_out": [_left_out(each) for each in advice.left_out],
        "unchecked": list(advice.unchecked),
        "cells_have_intervals": advice.has_noise,
        "connections_from": advice.held_run or None,
    }


def _prediction(made: Prediction) -> dict[str, Any]:
    need, held = made.need, made.held
    return {
        "stack": made.stack,
        "promise": str(made.outcome),
        "reason": made.reason,
        "rate_rps": _estimate(made.rate_rps),
        "at_least": made.is_least,
        "at_users": _finite(made.at_users),
        "containers": need.containers,
        "containers_low": need.fewest,
        "containers_high": need.most,
        "workers": need.workers,
        "pss_mib": _finite(need.memory_mib),
        "cost_per_hour": _finite(need.hour),
        "connections": None
        if held is None
        else {
            "mib": _finite(held.memory_mib),
            "per_container": held.each,
            "most_held": held.most_held,
            "reason": held.reason,
        },
    }


def _change(made: StackChange) -> dict[str, Any]:
    return {
        "before": made.before,
        "after": made.after,
        "differs": list(made.differs),
        "single": made.is_single,
        "ratio": _estimate(made.ratio),
        "containers": made.containers,
        "enables": made.enables,
        "helps": made.helps,
        "sure": made.is_sure,
    }


def _left_out(made: LeftOut) -> dict[str, Any]:
    return {
        "axis": made.axis,
        "cells": made.cells,
        "throughput_median_error": made.throughput_median,
        "throughput_worst_error": made.throughput_worst,
        "latency_median_error": _finite(made.latency_median),
        "latency_worst_error": _finite(made.latency_worst),
    }


def _estimate(value: Estimate) -> list[float | None]:
    return [_finite(each) for each in (value.value, value.low, value.high)]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
