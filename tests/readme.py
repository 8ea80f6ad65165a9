"""The README's figures, from the reference run: `python -m tests.readme` writes them in."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from harness.planning.files import SCENARIOS_FOLDER
from harness.planning.scenarios import load_scenarios

PROJECT = Path(__file__).resolve().parent.parent
README = PROJECT / "README.md"
REFERENCE = PROJECT / "results" / "reference"
BEGIN, END = "<!-- reference: begin -->\n", "<!-- reference: end -->"


def table() -> str:
    """What stands between the marks: throughput ratios, and what a request costs in CPU time."""
    own = _own_pairs()
    with (REFERENCE / "comparisons.csv").open() as file:
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
            lines.append(
                f"| {scenario} | {candidate} ÷ {row['baseline']} | {_figure(row)} "
                f"| {row['verdict']} | {_figure(cost)} |"
            )
    rounds = [int(row["rounds"]) for row in rows.values() if row["metric"] == "throughput_rps"]
    return "\n".join(lines) + f"\n\n{_where(min(rounds), max(rounds))}\n"


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
    run = json.loads((REFERENCE / "run.json").read_text())
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


def with_table(text: str) -> str:
    """The README with the table in its place."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + table() + END + after


if __name__ == "__main__":
    README.write_text(with_table(README.read_text()))
