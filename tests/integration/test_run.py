"""A smoke run, and what it leaves behind; `make test-all` measures all core scenarios."""

import csv
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest

from harness import store
from harness.planning.files import PROJECT
from tests.integration.conftest import Command, assert_sound, cpu_clocks

#: Beside other tests, which are foreign load, cells would be invalid.
pytestmark = pytest.mark.alone

FEW = ("hello", "users-lookup", "weather")
CORE = (*FEW, "cpu-native", "cpu-python", "users-validate")


class Smoke(NamedTuple):
    """A run that was measured once for all tests of this file."""

    scenarios: set[str]
    code: int
    said: dict[str, Any]  # its JSON object
    folder: Path


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(FEW, id="few"),
        pytest.param(CORE, id="core", marks=[pytest.mark.thorough, pytest.mark.timeout(240)]),
    ],
)
def smoke(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Smoke:
    """A smoke run; the core scenarios are those that a run without a name measures."""
    out = tmp_path_factory.mktemp("results")
    named = request.param if request.param is FEW else ()
    before = cpu_clocks()
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", *named, "--profile", "smoke", "--seed", "7",
         "--json", "--out", str(out)],
        cwd=PROJECT, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stderr
    said = json.loads(done.stdout)
    folder = Path(said["run"])
    assert_sound(done.returncode, folder, before)
    return Smoke(set(request.param), done.returncode, said, folder)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_every_cell_has_a_row_with_figures(smoke: Smoke) -> None:
    summary = rows(smoke.folder / "summary.csv")
    assert {row["scenario"] for row in summary} == smoke.scenarios
    assert len(summary) == 2 * len(smoke.scenarios) + 2  # weather has four stacks
    for row in summary:
        assert float(row["throughput_rps"]) > 0
        # So short a run may be too short for a percentile of the tail, but not in hello.
        if row["latency_p90_ms"] or row["scenario"] == "hello":
            assert float(row["latency_p50_ms"]) <= float(row["latency_p90_ms"])
        assert float(row["cpu_us_per_request"]) > 0
        assert float(row["pss_mib"]) > 10
        assert row["rounds"] == "2"
        assert row["errors"] == "0"


def test_every_scenario_has_a_ratio_with_interval_and_verdict(smoke: Smoke) -> None:
    comparisons = rows(smoke.folder / "comparisons.csv")
    summary = rows(smoke.folder / "summary.csv")
    invalid = {row["scenario"] for row in summary if row["valid"] == "false"}
    throughput = [row for row in comparisons if row["metric"] == "throughput_rps"]
    assert {row["scenario"] for row in throughput} == smoke.scenarios
    for row in comparisons:
        assert float(row["ci_low"]) <= float(row["ratio"]) <= float(row["ci_high"])
        assert row["verdict"] == (
            "invalid"
            if row["scenario"] in invalid
            else "inconclusive"  # two rounds are too few for more
        )


def test_the_json_says_what_the_files_say(smoke: Smoke) -> None:
    said, folder = smoke.said, smoke.folder
    assert said["valid"] is (smoke.code == 0)
    assert said["seed"] == 7
    summary = rows(folder / "summary.csv")
    assert [row["stack"] for row in said["summary"]] == [row["stack"] for row in summary]
    first = said["comparisons"][0]["ratio"]
    assert math.isclose(first, float(rows(folder / "comparisons.csv")[0]["ratio"]), rel_tol=1e-5)


def test_the_report_has_its_page_and_charts(smoke: Smoke) -> None:
    report = smoke.folder / "report"
    assert (report / "index.html").stat().st_size > 10_000
    assert (report / "summary.md").stat().st_size > 500
    svg = {path.stem for path in (report / "charts").glob("*.svg")}
    png = {path.stem for path in (report / "charts").glob("*.png")}
    assert svg == png
    assert {"throughput", "ratios", "latency", "cpu", "timeline"} <= svg


def test_the_run_says_where_and_with_what_it_was_measured(smoke: Smoke) -> None:
    record = store.read_run(smoke.folder)
    assert record.ended is not None
    assert record.plan.seed == 7
    assert record.environment["packages"]["fastapi"] == "0.165.0"
    assert record.environment["database"] == "embedded"
    assert {finished.number for finished in record.rounds} == {1, 2}
    assert [made.round for made in record.decisions] == [1, 2]
    for finished in record.rounds:
        assert {key.scenario for key in finished.order} == smoke.scenarios
        assert set(finished.ready_s) == {stack.label for stack in record.plan.stacks}
        assert all(seconds > 0 for seconds in finished.ready_s.values())


def test_servers_are_fresh_in_each_round_and_take_turns(smoke: Smoke) -> None:
    record = store.read_run(smoke.folder)
    for finished in record.rounds:
        for cell in finished.cells:
            others = [
                other
                for other in finished.cells
                if other.key.block == cell.key.block and other is not cell
            ]
            for own in cell.slices:
                for turn in (turn for other in others for turn in other.slices):
                    assert own.end_ns <= turn.begin_ns or turn.end_ns <= own.begin_ns


def test_every_request_is_in_the_samples(smoke: Smoke) -> None:
    record = store.read_run(smoke.folder)
    for finished in record.rounds:
        for cell in finished.cells:
            table = pq.read_table(smoke.folder / cell.samples_file)
            assert tuple(table.column_names) == store.SAMPLE_COLUMNS
            assert table.num_rows == cell.requests > 0
            assert set(table["status"].to_pylist()) == {200}


def test_the_report_can_be_made_again_without_any_server(
    smoke: Smoke, twinbench: Callable[..., Command]
) -> None:
    folder = smoke.folder
    before = (folder / "comparisons.csv").read_bytes()
    page = (folder / "report" / "index.html").read_bytes()
    (folder / "comparisons.csv").unlink()
    (folder / "report" / "index.html").unlink()
    code, out, err = twinbench("report", folder).finish()
    assert code == smoke.code, err
    assert "weather" in out
    assert (folder / "comparisons.csv").read_bytes() == before
    assert (folder / "report" / "index.html").read_bytes() == page
