"""summary.csv, comparisons.csv and the tables of capacity, and the same rows for `--json`."""

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
)  # fmt: skip
COMPARISON_COLUMNS = (
    "scenario", "load", "metric", "baseline", "candidate", "ratio", "ci_low", "ci_high",
    "rounds", "same_within", "verdict", "family",
)  # fmt: skip
CAPACITY_COLUMNS = (
    "scenario", "stack", "slo", "rate_rps", "ci_low", "ci_high", "per_core_rps", "rounds",
    "limited_by", "valid", "reason", "baseline", "ratio", "ratio_low", "ratio_high",
    "workers", "cores", "pss_mib", "cpu_us_per_request",
)  # fmt: skip
CAPACITY_LATENCY_COLUMNS = (
    "scenario", "stack", "slo", "share", "rate_rps", "requests",
    "latency_p50_ms", "latency_p50_low_ms", "latency_p50_high_ms",
    "latency_p99_ms", "latency_p99_low_ms", "latency_p99_high_ms", "overloaded",
)  # fmt: skip


def summary_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """Rows of summary.csv, one per cell; figures are floats at full precision, None if unknown."""
    rows = []
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
        }
        rows.append({column: _known(values[column]) for column in SUMMARY_COLUMNS})
    return rows


def comparison_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """Rows of comparisons.csv."""
    return [
        {
            column: comparison.family_name
            if column == "family"
            else _known(getattr(comparison, column))
            for column in COMPARISON_COLUMNS
        }
        for comparison in analysis.comparisons
    ]


def capacity_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """Rows of capacity.csv, one per stack and promise; no rate where none can be given."""
    rows = []
    for found in analysis.capacities:
        values = {
            "scenario": found.scenario,
            "stack": found.stack,
            "slo": found.slo,
            "rate_rps": found.rate_rps.value,
            "ci_low": found.rate_rps.low,
            "ci_high": found.rate_rps.high,
            "per_core_rps": found.per_core_rps,
            "rounds": found.rounds,
            "limited_by": str(found.limited_by) if found.limited_by else None,
            "valid": found.valid,
            "reason": found.reason,
            "baseline": found.baseline,
            "ratio": found.ratio.value,
            "ratio_low": found.ratio.low,
            "ratio_high": found.ratio.high,
            "workers": found.workers,
            "cores": found.cores,
            "pss_mib": found.pss_mib,
            "cpu_us_per_request": found.cpu_us_per_request,
        }
        rows.append({column: _known(values[column]) for column in CAPACITY_COLUMNS})
    return rows


def capacity_latency_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """Rows of capacity-latency.csv: a stack's latency at a share of its own capacity."""
    rows = []
    for found in analysis.capacities:
        for at in found.at_shares:
            values: dict[str, Any] = {
                "scenario": found.scenario,
                "stack": found.stack,
                "slo": found.slo,
                "share": at.share,
                "rate_rps": at.rate_rps,
                "requests": at.requests,
                "overloaded": at.overloaded,
            }
            for name, estimate in at.latency_ms.items():
                values[f"latency_{name}_ms"] = estimate.value
                values[f"latency_{name}_low_ms"] = estimate.low
                values[f"latency_{name}_high_ms"] = estimate.high
            rows.append({column: _known(values[column]) for column in CAPACITY_LATENCY_COLUMNS})
    return rows


def analysis_as_json(analysis: Analysis) -> dict[str, Any]:
    """What `--json` says of a run: validity, what decided the run, and the rows of both tables."""
    return {
        "valid": analysis.valid,
        "seed": analysis.run.plan.seed,
        "profile": analysis.run.plan.profile,
        "summary": summary_rows(analysis),
        "comparisons": comparison_rows(analysis),
        **(
            {
                "capacity": capacity_rows(analysis),
                "capacity_latency": capacity_latency_rows(analysis),
            }
            if analysis.capacities
            else {}
        ),
    }


def _known(value: Any) -> Any:
    """NaN says nothing in a CSV file and is not allowed in JSON."""
    return None if isinstance(value, float) and math.isnan(value) else value


def write_tables(run: Path, analysis: Analysis) -> None:
    """Write summary.csv, comparisons.csv and, of searches, the tables of capacity.

    Figures have six significant digits.

    Raises:
        ResultsUnwritable: A file can't be written.
    """
    for name, columns, rows in (
        ("summary.csv", SUMMARY_COLUMNS, summary_rows(analysis)),
        ("comparisons.csv", COMPARISON_COLUMNS, comparison_rows(analysis)),
        ("capacity.csv", CAPACITY_COLUMNS, capacity_rows(analysis)),
        ("capacity-latency.csv", CAPACITY_LATENCY_COLUMNS, capacity_latency_rows(analysis)),
    ):
        if name.startswith("capacity") and not analysis.capacities:
            continue
        with replacing(run / name) as file:
            file.write(_as_csv(columns, rows).encode())


def _as_csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
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
