"""summary.csv and comparisons.csv, and the same rows for `--json`."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.models import Analysis
from harness.store.atomic import replacing

# Others read these files by column: new columns go to the end.
SUMMARY_COLUMNS = (
    "scenario", "stack", "load", "rounds", "requests", "errors", "throughput_rps",
    "latency_p50_ms", "latency_p90_ms", "latency_p99_ms", "latency_p999_ms",
    "cpu_us_per_request", "pss_mib", "valid", "reason", "overloaded",
    "core_share", "limited_by_users", "pauses_per_1000_requests", "pause_p50_ms", "pause_max_ms",
    "uss_mib", "workers",
)  # fmt: skip
COMPARISON_COLUMNS = (
    "scenario", "load", "metric", "baseline", "candidate", "ratio", "ci_low", "ci_high",
    "rounds", "same_within", "verdict", "family",
)  # fmt: skip


def summary_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """Rows of summary.csv, one per cell; figures are floats at full precision, None if unknown."""
    rows = []
    run = analysis.run
    cores = len(run.placement.servers)
    workers = {
        stack.label: stack.worker_processes(run.plan.workers, cores)
        for stack in run.plan.stacks
        if cores or "n" not in stack.workers
    }
    for cell in analysis.cells:
        latency = {
            f"latency_{name}_ms": estimate.value for name, estimate in cell.latency_ms.items()
        }
        values = {
            "scenario": cell.scenario,
            "stack": cell.stack,
            "load": cell.load,
            "rounds": cell.rounds,
            "requests": cell.requests,
            "errors": cell.errors,
            "throughput_rps": cell.throughput_rps.value,
            **latency,
            "cpu_us_per_request": cell.cpu_us_per_request.value,
            "pss_mib": cell.pss_mib,
            "valid": cell.valid,
            "reason": cell.reason,
            "overloaded": cell.overloaded,
            "core_share": cell.core_share,
            "limited_by_users": cell.limited_by_users,
            "pauses_per_1000_requests": cell.pauses.per_1000_requests if cell.pauses else None,
            "pause_p50_ms": cell.pauses.p50_ms if cell.pauses else None,
            "pause_max_ms": cell.pauses.longest_ms if cell.pauses else None,
            "uss_mib": cell.uss_mib,
            "workers": workers.get(cell.stack),
        }
        rows.append({column: known(values[column]) for column in SUMMARY_COLUMNS})
    return rows


def comparison_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """Rows of comparisons.csv."""
    return [
        {
            column: comparison.family_name
            if column == "family"
            else known(getattr(comparison, column))
            for column in COMPARISON_COLUMNS
        }
        for comparison in analysis.comparisons
    ]


def analysis_as_json(analysis: Analysis) -> dict[str, Any]:
    """What `--json` says of a run: validity, what decided the run, and the rows of both tables."""
    return {
        "valid": analysis.valid,
        "seed": analysis.run.plan.seed,
        "profile": analysis.run.plan.profile,
        "summary": summary_rows(analysis),
        "comparisons": comparison_rows(analysis),
    }


def known(value: Any) -> Any:
    """NaN says nothing in a CSV file and is not allowed in JSON."""
    return None if isinstance(value, float) and math.isnan(value) else value


def write_tables(run: Path, analysis: Analysis) -> None:
    """Write summary.csv and comparisons.csv; figures with six significant digits.

    Raises:
        ResultsUnwritable: A file can't be written.
    """
    for name, columns, rows in (
        ("summary.csv", SUMMARY_COLUMNS, summary_rows(analysis)),
        ("comparisons.csv", COMPARISON_COLUMNS, comparison_rows(analysis)),
    ):
        with replacing(run / name) as file:
            file.write(as_csv(columns, rows).encode())


def as_csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV, with a heading."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows([_in_csv(row[column]) for column in columns] for row in rows)
    return text.getvalue()


def _in_csv(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)
