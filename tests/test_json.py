"""What commands print with --json is what docs/schema/ says."""

import json
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from click.testing import CliRunner

from harness import report, store
from harness.analysis import analyse as analysing
from harness.analysis.connections import analyse_connections
from harness.cli import advise as advise_command
from harness.cli import cost as cost_command
from harness.cli import measured
from harness.cli.main import cli
from harness.cli.output import print_json
from harness.models import (
    Analysis,
    Beyond,
    Change,
    ClaimVerdict,
    Estimate,
    FailOutcome,
    Family,
    Held,
    Kind,
    LimitedBy,
    Outcome,
    Verdict,
    Winner,
)
from harness.planning.files import PROJECT
from harness.store import connections, tables
from tests import analyses, test_advice, test_between, test_connections, test_map
from tests.report.test_capacity import FAILED, FASTAPI, FLASK, searched

SCHEMAS = {path.stem: json.loads(path.read_text()) for path in PROJECT.glob("docs/schema/*.json")}
REFERENCE = PROJECT / "results" / "reference-bench"


def strict(schema: Any) -> Any:
    """The schema of an object that has nothing beside what is described."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(each) for key, each in schema.items()}
    if isinstance(closed.get("required"), list):
        closed.setdefault("additionalProperties", False)
    return closed


def problems(name: str, printed: str) -> list[str]:
    """What an output has that its schema does not describe, and the other way round."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    answer = json.loads(printed, parse_constant=refuse)
    found = jsonschema_rs.validator_for(strict(SCHEMAS[name])).iter_errors(answer)
    return [f"{'/'.join(map(str, each.instance_path))}: {each.message}"[:300] for each in found]


def printed(capsys: pytest.CaptureFixture[str], answer: Mapping[str, Any]) -> str:
    print_json(answer)
    return capsys.readouterr().out


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one_and_describes_everything_that_it_names(name: str) -> None:
    jsonschema_rs.meta.validate(SCHEMAS[name])

    def undescribed(schema: Any, path: str = "") -> list[str]:
        if not isinstance(schema, dict):
            return []
        found = []
        for key, value in schema.get("properties", {}).items():
            if "description" not in value and "$ref" not in value:
                found.append(f"{path}/{key}")
            found += undescribed(value, f"{path}/{key}")
        for each in (
            schema.get("items"),
            *schema.get("oneOf", ()),
            *schema.get("$defs", {}).values(),
        ):
            found += undescribed(each, path)
        return found

    assert undescribed(SCHEMAS[name]) == []


@pytest.mark.parametrize(
    ("name", "rows", "columns"),
    [
        ("run", "summary", tables.SUMMARY_COLUMNS),
        ("run", "comparisons", tables.COMPARISON_COLUMNS),
        ("run", "curves", tables.CURVE_COLUMNS),
        ("run", "knees", tables.KNEE_COLUMNS),
        ("run", "map", tables.MAP_COLUMNS),
        ("run", "capacity", tables.CAPACITY_COLUMNS),
        ("run", "capacity_latency", tables.CAPACITY_LATENCY_COLUMNS),
        ("run", "costs", tables.COST_COLUMNS),
        ("run", "fail_if", tables.FAIL_IF_COLUMNS),
        ("cost", "costs", tables.COST_COLUMNS),
        ("connections", "connections", connections.CONNECTIONS_COLUMNS),
    ],
)
def test_rows_are_described_column_by_column(name: str, rows: str, columns: Sequence[str]) -> None:
    assert tuple(SCHEMAS[name]["properties"][rows]["items"]["properties"]) == columns


@pytest.mark.parametrize(
    ("name", "path", "values"),
    [
        ("run", "comparisons/verdict", Verdict),
        ("run", "knees/largest_outcome", Beyond),
        ("run", "map/winner", Winner),
        ("run", "fail_if/outcome", FailOutcome),
        ("run", "claims/verdict", ClaimVerdict),
        ("run", "capacity/limited_by", LimitedBy),
        ("connections", "connections/held", Held),
        ("advise", "stacks/promise", Outcome),
    ],
)
def test_choices_are_those_of_the_code(name: str, path: str, values: type[StrEnum]) -> None:
    rows, column = path.split("/")
    choices = SCHEMAS[name]["properties"][rows]["items"]["properties"][column]["enum"]
    assert [each for each in choices if each is not None] == [str(each) for each in values]


def test_further_choices_are_those_of_the_code() -> None:
    moved = SCHEMAS["compare"]["$defs"]["moved"]["properties"]["change"]["enum"]
    assert moved == [str(each) for each in Change]
    (scenarios,) = [each for each in SCHEMAS["list"]["oneOf"] if "scenarios" in each["properties"]]
    kinds = scenarios["properties"]["scenarios"]["items"]["properties"]["kind"]["enum"]
    assert kinds == [str(each) for each in Kind]
    families = SCHEMAS["run"]["properties"]["comparisons"]["items"]["properties"]["family"]["enum"]
    assert families == [f"{of}{kind}" for of in Family for kind in ("", ": secondary")]


# ------------------------------------------------------------------------- runs

RUNS: Mapping[str, Analysis] = {
    "usual": analyses.analysis(),
    "an invalid cell": analyses.with_invalid_cell(),
    "one round": analyses.analysis(rounds=1, scenarios=["hello"]),
    "open load": analyses.open_load(scenarios=["hello"]),
    "a ladder": analyses.analysis(scenarios=["weather"], ladder=["weather"]),
    "a sweep": analyses.swept((1, 3, 10), rounds=2),
    "a map": test_map.analysed(test_map.slower_with_wait),
    "a search": searched(FLASK, FASTAPI, FAILED),
}


@pytest.mark.parametrize("case", RUNS)
def test_report_prints_a_run(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measured, "write_run_report", lambda *_: RUNS[case])
    ends = nullcontext() if RUNS[case].valid else pytest.raises(SystemExit)
    with ends:
        measured.write_and_print_report(tmp_path, as_json=True)
    out = capsys.readouterr().out
    assert problems("run", out) == []
    assert json.loads(out)["summary"] or RUNS[case].capacities


def test_a_real_run_is_printed_as_described(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = store.read_run(REFERENCE)
    analysis = analysing.analyse(record, lambda cell: store.read_samples(REFERENCE, cell))
    out = printed(capsys, {"run": "x", "report": "y", **store.analysis_as_json(analysis)})
    assert problems("run", out) == []


def test_an_interval_without_an_end_is_still_json(capsys: pytest.CaptureFixture[str]) -> None:
    endless = replace(FLASK, rate_rps=Estimate(2_310.0, -math.inf, math.inf))
    out = printed(
        capsys, {"run": "x", "report": "y", **store.analysis_as_json(searched(endless, FASTAPI))}
    )
    assert problems("run", out) == []
    assert json.loads(out)["capacity"][0]["ci_high"] is None


def test_what_is_not_described_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    made = {"run": "x", "report": "y", **store.analysis_as_json(RUNS["usual"])}
    assert problems("run", printed(capsys, {**made, "more": 1}))
    assert problems("run", printed(capsys, {**made, "valid": "yes"}))
    del made["summary"][0]["stack"]
    assert problems("run", printed(capsys, made))


# ------------------------------------------------------------------------- other commands


@pytest.mark.parametrize("what", ["stacks", "scenarios", "runs"])
def test_list_prints_what_there_is(what: str) -> None:
    arguments = ["list", what, "--json", "--out", str(REFERENCE.parent)]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert problems("list", done.stdout) == []
    assert json.loads(done.stdout)[what]


def test_compare_prints_what_changed(capsys: pytest.CaptureFixture[str]) -> None:
    one, other = test_between.run("one"), test_between.run("other", ratio=(3.0, 2.9, 3.1))
    elsewhere = test_between.run("elsewhere", environment={}, rounds=1)
    compared = test_between.compared(one, other, elsewhere)
    out = printed(capsys, {"report": None, **store.between_as_json(compared)})
    assert problems("compare", out) == []
    assert {row["change"] for row in json.loads(out)["ratios"]} > {"up"}


def test_cost_prints_what_a_traffic_takes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(store, "find_run", lambda *_: tmp_path)
    monkeypatch.setattr(store, "read_run", lambda *_: None)
    monkeypatch.setattr(analysing, "analyse", lambda *_: searched(FLASK, FASTAPI, FAILED))
    done = CliRunner().invoke(cost_command.command, ["--rate", "2000", "--json"])
    assert done.exit_code == 1, done.output  # one of them has no capacity
    assert problems("cost", done.stdout) == []
    assert len(json.loads(done.stdout)["costs"]) == 2


def test_advise_prints_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    of = test_advice.analysis(users=(1, 2, 4))
    monkeypatch.setattr(advise_command, "_find", lambda *_: (Path("results/fake"), of.run))
    monkeypatch.setattr(analysing, "analyse", lambda *_: of)
    held = analyse_connections(test_advice.held(1_000))
    monkeypatch.setattr(advise_command, "_connections", lambda *_: ("results/held", held))
    for more in ([], ["--connections", "500", "--openapi"], ["--slo", "p99<1ms"]):
        arguments = ["--rate", "800", *test_advice.ASK, *more, "--json"]
        done = CliRunner().invoke(advise_command.command, arguments)
        assert problems("advise", done.stdout) == []


def test_connections_prints_what_was_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "render_connections", lambda _: {"index.html": b""})
    record = test_connections.record(
        test_connections.growing(1, 10), test_connections.served_nobody(1)
    )
    store.write_connections(tmp_path, record)
    done = CliRunner().invoke(cli, ["report", str(tmp_path), "--json"])
    assert problems("connections", done.stdout) == []
    assert len(json.loads(done.stdout)["connections"]) > 1


def test_a_command_that_fails_prints_an_error() -> None:
    command = [sys.executable, "-m", "harness", "report", "no-such-run", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert problems("error", done.stdout) == []
