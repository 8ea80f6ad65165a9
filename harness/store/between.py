"""What `twinbench compare --json` says: rows of runs that were compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.models import Estimate, Moved, RunsCompared
from harness.store.tables import known


def between_as_json(compared: RunsCompared) -> dict[str, Any]:
    """Whether anything changed, what differs between the runs, and a row for each figure."""
    return {
        "changed": compared.changed,
        "comparable": compared.comparable,
        "same_within": compared.same_within,
        "runs": [
            {
                "label": run.label,
                "name": run.name,
                "run_id": run.run_id,
                "started": run.started,
                "machine": run.machine or None,
            }
            for run in compared.runs
        ],
        "differences": [
            {
                "what": each.what,
                "is_package": each.is_package,
                "values": {
                    run.label: value or None
                    for run, value in zip(compared.runs, each.values, strict=True)
                },
            }
            for each in compared.differences
        ],
        "ratios": _rows(compared.ratios),
        "figures": _rows(compared.figures),
    }


def _rows(moves: Sequence[Moved]) -> list[dict[str, Any]]:
    return [
        {
            "scenario": moved.block.scenario,
            "load": moved.block.load,
            "metric": moved.metric,
            "stack": moved.stack,
            "baseline": moved.baseline or None,
            "before": moved.before,
            "after": moved.after,
            **_limits("earlier", moved.earlier),
            **_limits("later", moved.later),
            **_limits("quotient", moved.quotient),
            "rounds": moved.rounds,
            "change": str(moved.change),
            "reason": moved.reason or None,
            "is_secondary": moved.is_secondary,
        }
        for moved in moves
    ]


def _limits(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    if estimate is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {
        name: known(estimate.value),
        f"{name}_low": known(estimate.low),
        f"{name}_high": known(estimate.high),
    }
