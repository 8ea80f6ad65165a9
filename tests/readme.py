"""The README's figures, from the reference runs: `python -m tests.readme` writes them in."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from harness.planning.claims import load_claims
from harness.planning.files import SCENARIOS_FOLDER
from harness.planning.scenarios import load_scenarios

PROJECT = Path(__file__).resolve().parent.parent
README = PROJECT / "README.md"
#: A whole run, and a run of `make bench`, which has more rounds of less.
REFERENCE = PROJECT / "results" / "reference"
BENCH = PROJECT / "results" / "reference-bench"
#: A sweep of weather up to 1,000 users, which a whole run has no time for.
SWEEP = PROJECT / "results" / "reference-sweep"


def table() -> str:
    """What stands between the marks: throughput ratios, and what a request costs in CPU time."""
    own, limited = _own_pairs(), _limited()
    with (BENCH / "comparisons.csv").open() as file:
        rows = {
            (r["scenario"], r["candidate"], r["metric"]): r
            for r in csv.DictReader(file)
            if (r["scenario"], r["baseline"], r["candidate"]) in own
        }
    lines = [
        "| scenario | candidate ÷ baseline | requests/s | | CPU time per request |",
        "| --- | --- | --- | --- | --- |",
    ]
    for (scenario, candidate, metric), row in rows.items():
        if metric == "throughput_rps":
            cost = rows[scenario, candidate, "cpu_us_per_request"]
            mark = " ¹" if {(scenario, candidate), (scenario, row["baseline"])} & limited else ""
            lines.append(
                f"| {scenario} | {candidate} ÷ {row['baseline']} | {_figure(row)} "
                f"| {row['verdict']}{mark} | {_figure(cost)} |"
            )
    rounds = [int(row["rounds"]) for row in rows.values() if row["metric"] == "throughput_rps"]
    mark = (
        "¹ Of one side or both, the number of users or Flask's 40 threads limit the requests per second, and "
        "not its core: CPU time per request says more.\n\n"
    )
    return "\n".join(lines) + f"\n\n{mark if limited else ''}{_where(min(rounds), max(rounds))}\n"


def _limited() -> set[tuple[str, str]]:
    """Scenario and stack of the cells that users or threads limited."""
    with (BENCH / "summary.csv").open() as file:
        return {
            (row["scenario"], row["stack"])
            for row in csv.DictReader(file)
            if row["limited_by_users"] == "true"
        }


def _own_pairs() -> set[tuple[str, str, str]]:
    """Scenario, baseline and candidate of what `twinbench run` compares by itself.

    A whole run also compares what claims name.
    """
    return {
        (scenario.name, scenario.stacks[0], candidate)
        for scenario in load_scenarios(SCENARIOS_FOLDER).values()
        for candidate in scenario.stacks[1:]
        if scenario.core
    }


def _figure(row: dict[str, str]) -> str:
    value, low, high = (float(row[name]) for name in ("ratio", "ci_low", "ci_high"))
    return f"{value:.2f} × [{low:.2f}, {high:.2f}]"


def _where(fewest: int, most: int) -> str:
    run = json.loads((BENCH / "run.json").read_text())
    environment = run["environment"]
    packages = {name.lower(): version for name, version in environment["packages"].items()}
    versions = ", ".join(
        f"{name} {packages[name]}" for name in ("flask", "fastapi", "gunicorn", "uvicorn")
    )
    return (
        f"95 % intervals over {fewest} to {most} rounds of fresh processes, measured on "
        f"{run['started'][:10]}: {environment['cores']} cores of {environment['cpu']}, "
        f"{environment['python']}, {versions}."
    )


def curves() -> str:
    """The most that each stack served under any number of users, and its knee."""
    with (SWEEP / "knees.csv").open() as file:
        rows = list(csv.DictReader(file))
    lines = [
        "| weather | most requests/s | with users | knee at users |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row['curve']} | {float(row['most_rps']):,.0f} [{float(row['most_rps_low']):,.0f}, "
        f"{float(row['most_rps_high']):,.0f}] | {row['most_at']} | {row['knee'] or '–'} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def claims() -> str:
    """What became of each claim in the whole run."""
    with (REFERENCE / "claims.csv").open() as file:
        verdicts = {row["claim"]: row["verdict"] for row in csv.DictReader(file)}
    lines = ["| claim | |", "| --- | --- |"]
    lines += [f"| {claim.claim} | {verdicts[claim.id]} |" for claim in load_claims()]
    return "\n".join(lines) + "\n"


def with_tables(text: str) -> str:
    """The README with its tables in their places."""
    for name, made in (("reference", table), ("curves", curves), ("claims", claims)):
        before, rest = text.split(f"<!-- {name}: begin -->\n")
        _, after = rest.split(f"<!-- {name}: end -->")
        text = f"{before}<!-- {name}: begin -->\n{made()}<!-- {name}: end -->{after}"
    return text


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text()))
