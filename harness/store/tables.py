"""summary.csv, comparisons.csv, tables of curves, capacity, cost and claims; the same rows for `--json`."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.models import (
    Analysis,
    CellSummary,
    Cost,
    Costing,
    Curve,
    CurvePoint,
    EndpointSummary,
    Estimate,
    FailSubject,
    JudgedClaim,
)
from harness.store.atomic import replacing

# Others read these files by column: new columns go to the end.
SUMMARY_COLUMNS = (
    "scenario", "stack", "load", "rounds", "requests", "errors", "throughput_rps",
    "latency_p50_ms", "latency_p90_ms", "latency_p99_ms", "latency_p999_ms",
    "cpu_us_per_request", "pss_mib", "valid", "reason", "overloaded",
    "core_share", "limited_by_users", "pauses_per_1000_requests", "pause_p50_ms", "pause_max_ms",
    "uss_mib", "workers", "endpoint",
)  # fmt: skip
COMPARISON_COLUMNS = (
    "scenario", "load", "metric", "baseline", "candidate", "ratio", "ci_low", "ci_high",
    "rounds", "same_within", "verdict", "family",
)  # fmt: skip
CURVE_COLUMNS = (
    "scenario", "axis", "held", "curve", "value", "stack", "load", "rounds", "requests", "errors",
    "throughput_rps", "throughput_rps_low", "throughput_rps_high",
    "latency_p50_ms", "latency_p50_ms_low", "latency_p50_ms_high",
    "latency_p99_ms", "latency_p99_ms_low", "latency_p99_ms_high",
    "cpu_us_per_request", "cpu_us_per_request_low", "cpu_us_per_request_high",
    "valid", "overloaded", "failures",
)  # fmt: skip
KNEE_COLUMNS = (
    "scenario", "axis", "held", "curve",
    "most_rps", "most_rps_low", "most_rps_high", "most_at",
    "knee", "knee_low", "knee_high", "knee_reached",
    "largest", "largest_outcome", "largest_ratio", "largest_ratio_low", "largest_ratio_high",
    "largest_beside", "kept_up",
    "usl_lambda", "usl_lambda_low", "usl_lambda_high",
    "usl_sigma", "usl_sigma_low", "usl_sigma_high",
    "usl_kappa", "usl_kappa_low", "usl_kappa_high",
    "usl_fits", "usl_worst_miss", "usl_worst_at",
)  # fmt: skip
MAP_COLUMNS = (
    "scenario", "baseline", "candidate", "held", "work", "users", "io_ms", "load", "rounds",
    "ratio", "ci_low", "ci_high", "cpu_ratio", "cpu_ratio_low", "cpu_ratio_high", "winner",
    "limited_by_users",
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
COST_COLUMNS = (
    "scenario", "stack", "slo", "rate_rps", "headroom", "vcpu_hour", "gib_hour",
    "containers", "containers_low", "containers_high", "workers", "cores", "pss_mib", "per_hour",
    "per_million", "per_million_low", "per_million_high",
    "baseline", "containers_ratio", "containers_ratio_low", "containers_ratio_high",
)  # fmt: skip
CLAIM_COLUMNS = (
    "claim", "verdict", "test", "kind", "scenario", "candidate", "baseline", "metric",
    "figure", "ci_low", "ci_high", "at_least", "at_most", "test_verdict", "reason", "run", "measure",
)  # fmt: skip
#: Of `--json` alone: what a run fails by is the choice of who judges it.
FAIL_IF_COLUMNS = (
    "condition", "outcome", "scenario", "load", "candidate", "baseline", "against", "metric",
    "figure", "ci_low", "ci_high", "bound", "rounds", "reason",
)  # fmt: skip


def summary_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """Rows of summary.csv: one per cell, and after it one for each of several endpoints.

    Figures are floats at full precision, None if unknown, and of an endpoint also where only the
    cell as a whole has them.
    """
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
        rows.append(_in_columns(SUMMARY_COLUMNS, {**values, "endpoint": None}))
        rows += [_of_endpoint(cell, each) for each in cell.endpoints]
    return rows


def _of_endpoint(cell: CellSummary, of: EndpointSummary) -> dict[str, Any]:
    return _in_columns(
        SUMMARY_COLUMNS,
        {
            **dict.fromkeys(SUMMARY_COLUMNS),
            "scenario": cell.scenario,
            "stack": cell.stack,
            "load": cell.load,
            "rounds": cell.rounds,
            "requests": of.requests,
            "errors": of.errors,
            "throughput_rps": of.throughput_rps.value,
            **{f"latency_{name}_ms": estimate.value for name, estimate in of.latency_ms.items()},
            "valid": cell.valid,
            "reason": cell.reason,
            "overloaded": cell.overloaded,
            "endpoint": of.endpoint,
        },
    )


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


def map_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """Rows of map.csv, one per tile."""
    return [
        _in_columns(
            MAP_COLUMNS,
            {
                "scenario": of.scenario,
                "baseline": of.baseline,
                "candidate": of.candidate,
                "held": of.held,
                "work": tile.work,
                "users": tile.users,
                "io_ms": tile.io_ms,
                "load": tile.load,
                "rounds": tile.rounds,
                "ratio": tile.ratio.value,
                "ci_low": tile.ratio.low,
                "ci_high": tile.ratio.high,
                **_estimate("cpu_ratio", tile.cpu_ratio),
                "winner": str(tile.winner),
                "limited_by_users": " ".join(tile.limited_by_users),
            },
        )
        for of in analysis.maps
        for tile in of.tiles
    ]


def curve_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """Rows of curves.csv, one per point of a curve."""
    return [
        _in_columns(CURVE_COLUMNS, {**_names(curve), **_of_point(point)})
        for curve in analysis.curves
        for point in curve.points
    ]


def _of_point(point: CurvePoint) -> dict[str, Any]:
    failures = (f"{reason.name.lower()} {count}" for reason, count in point.failures.items())
    return {
        "value": point.value,
        "stack": point.stack,
        "load": point.load,
        "rounds": point.rounds,
        "requests": point.requests,
        "errors": point.errors,
        **_estimate("throughput_rps", point.throughput_rps),
        **_estimate("latency_p50_ms", point.latency_p50_ms),
        **_estimate("latency_p99_ms", point.latency_p99_ms),
        **_estimate("cpu_us_per_request", point.cpu_us_per_request),
        "valid": point.valid,
        "overloaded": point.overloaded,
        "failures": "; ".join(failures),
    }


def knee_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """Rows of knees.csv, one per curve; what could not be found is None."""
    return [_in_columns(KNEE_COLUMNS, _of_curve(curve)) for curve in analysis.curves]


def _of_curve(curve: Curve) -> dict[str, Any]:
    values: dict[str, Any] = {**_names(curve), "kept_up": curve.kept_up}
    if curve.most:
        values |= _estimate("most_rps", curve.most.throughput_rps)
        values |= {"most_at": curve.most.value}
    if found := curve.knee:
        values |= _estimate("knee", Estimate(found.value, found.low, found.high))
        values |= {"knee_reached": found.reached}
    if largest := curve.largest:
        values |= {
            "largest": largest.value,
            "largest_outcome": str(largest.outcome),
            **_estimate("largest_ratio", largest.ratio),
            "largest_beside": largest.best,
        }
    if law := curve.scaling:
        values |= {
            "usl_fits": law.fits,
            "usl_worst_miss": law.worst_miss,
            "usl_worst_at": law.worst_at,
        }
        if law.fits:  # coefficients of another curve would say nothing of this one
            values |= _estimate("usl_lambda", law.rps_of_one)
            values |= _estimate("usl_sigma", law.contention)
            values |= _estimate("usl_kappa", law.crosstalk)
    return values


def _names(curve: Curve) -> dict[str, Any]:
    return {
        "scenario": curve.scenario,
        "axis": curve.axis,
        "held": curve.held,
        "curve": curve.line,
    }


def _estimate(column: str, estimate: Estimate) -> dict[str, float]:
    return {column: estimate.value, f"{column}_low": estimate.low, f"{column}_high": estimate.high}


def _in_columns(columns: Sequence[str], values: Mapping[str, Any]) -> dict[str, Any]:
    return {column: known(values.get(column)) for column in columns}


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
        rows.append({column: known(values[column]) for column in CAPACITY_COLUMNS})
    return rows


def cost_rows(costing: Costing) -> list[dict[str, Any]]:
    """Rows of costs.csv, one per stack that has a valid capacity: what it needs for a demand."""
    asked = {
        "rate_rps": costing.demand.rate_rps,
        "headroom": costing.demand.headroom,
        "vcpu_hour": costing.prices.vcpu_hour,
        "gib_hour": costing.prices.gib_hour,
    }
    return [_in_columns(COST_COLUMNS, {**asked, **_of_cost(made)}) for made in costing.costs]


def _of_cost(made: Cost) -> dict[str, Any]:
    return {
        "scenario": made.capacity.scenario,
        "stack": made.capacity.stack,
        "slo": made.capacity.slo,
        "containers": made.containers,
        "containers_low": made.fewest,
        "containers_high": made.most,
        "workers": made.workers,
        "cores": made.containers * made.capacity.cores,
        "pss_mib": made.pss_mib,
        "per_hour": made.per_hour,
        **_estimate("per_million", made.per_million),
        "baseline": made.capacity.baseline,
        **_estimate("containers_ratio", made.ratio),
    }


def _example_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """The examples of a run, search by search."""
    return [row for costing in analysis.costings for row in cost_rows(costing)]


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
            rows.append({column: known(values[column]) for column in CAPACITY_LATENCY_COLUMNS})
    return rows


def claim_rows(claims: Sequence[JudgedClaim]) -> list[dict[str, Any]]:
    """Rows of claims.csv, one per test of a claim; no figure where it was not measured."""
    return [
        _in_columns(
            CLAIM_COLUMNS,
            {
                "claim": judged.claim.id,
                "verdict": str(judged.verdict),
                "test": number,
                "kind": str(tested.test.kind),
                **{
                    name: getattr(tested.test, name) or None
                    for name in ("scenario", "candidate", "baseline", "metric", "measure")
                },
                "at_least": tested.test.at_least,
                "at_most": tested.test.at_most,
                **(
                    {
                        "figure": tested.figure.value,
                        "ci_low": tested.figure.low,
                        "ci_high": tested.figure.high,
                    }
                    if tested.figure
                    else {}
                ),
                "test_verdict": str(tested.verdict),
                "reason": tested.reason or None,
                "run": tested.source or None,
            },
        )
        for judged in claims
        for number, tested in enumerate(judged.tested, 1)
    ]


def claims_as_json(claims: Sequence[JudgedClaim]) -> list[dict[str, Any]]:
    """What `--json` says of claims: each with its verdict and its tests."""
    rows = claim_rows(claims)
    return [
        {
            "id": judged.claim.id,
            "claim": judged.claim.claim,
            "verdict": str(judged.verdict),
            "tests": [
                {key: value for key, value in row.items() if key not in ("claim", "verdict")}
                for row in rows
                if row["claim"] == judged.claim.id
            ],
        }
        for judged in claims
    ]


def fail_if_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """Promises between services: one for each condition, candidate, scenario and load."""
    return [
        {
            "condition": each.condition.text,
            "outcome": str(each.outcome),
            "scenario": each.scenario,
            "load": each.load,
            "candidate": each.candidate,
            "baseline": each.baseline or None,
            "against": each.against or None,
            "metric": each.condition.metric or str(each.condition.subject),
            "figure": known(each.figure.value) if each.figure else None,
            "ci_low": known(each.figure.low) if each.figure else None,
            "ci_high": known(each.figure.high) if each.figure else None,
            "bound": None if each.condition.subject is FailSubject.PARITY else each.condition.bound,
            "rounds": each.rounds,
            "reason": each.reason,
        }
        for each in analysis.fail_ifs
    ]


def analysis_as_json(analysis: Analysis) -> dict[str, Any]:
    """What `--json` says of a run: validity, what decided the run, and the rows of all tables."""
    return {
        "valid": analysis.valid,
        "seed": analysis.run.plan.seed,
        "profile": analysis.run.plan.profile,
        "summary": summary_rows(analysis),
        "comparisons": comparison_rows(analysis),
        "curves": curve_rows(analysis),
        "knees": knee_rows(analysis),
        "fail_if": fail_if_rows(analysis),
        **({"map": map_rows(analysis)} if analysis.maps else {}),
        **(
            {
                "capacity": capacity_rows(analysis),
                "capacity_latency": capacity_latency_rows(analysis),
                "costs": _example_rows(analysis),
            }
            if analysis.capacities
            else {}
        ),
        **({"claims": claims_as_json(analysis.claims)} if analysis.claims else {}),
    }


def known(value: Any) -> Any:
    """NaN says nothing in a CSV file and is not allowed in JSON."""
    return None if isinstance(value, float) and math.isnan(value) else value


def write_tables(run: Path, analysis: Analysis) -> None:
    """Write summary.csv, comparisons.csv and those of curves, maps, capacity, cost and claims, if any.

    Figures have six significant digits.

    Raises:
        ResultsUnwritable: A file can't be written.
    """
    tables = [
        ("summary.csv", SUMMARY_COLUMNS, summary_rows(analysis)),
        ("comparisons.csv", COMPARISON_COLUMNS, comparison_rows(analysis)),
    ]
    if analysis.curves:
        tables += [
            ("curves.csv", CURVE_COLUMNS, curve_rows(analysis)),
            ("knees.csv", KNEE_COLUMNS, knee_rows(analysis)),
        ]
    if analysis.maps:
        tables.append(("map.csv", MAP_COLUMNS, map_rows(analysis)))
    if analysis.capacities:
        tables += [
            ("capacity.csv", CAPACITY_COLUMNS, capacity_rows(analysis)),
            ("capacity-latency.csv", CAPACITY_LATENCY_COLUMNS, capacity_latency_rows(analysis)),
            ("costs.csv", COST_COLUMNS, _example_rows(analysis)),
        ]
    if analysis.claims:
        tables.append(("claims.csv", CLAIM_COLUMNS, claim_rows(analysis.claims)))
    for name, columns, rows in tables:
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
