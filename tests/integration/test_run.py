"""One smoke run of everything, and what it leaves behind."""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from harness import plan, store
from tests.integration.conftest import Command

#: Beside other tests, which are foreign load, cells would be invalid.
pytestmark = pytest.mark.alone

SCENARIOS = {"hello", "users-lookup", "weather"}


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Path]:
    """The run's own JSON and its folder; measured once for all tests here."""
    import subprocess
    import sys

    out = tmp_path_factory.mktemp("results")
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", *sorted(SCENARIOS), "--profile", "smoke", "--seed", "7",
         "--json", "--out", str(out)],
        cwd=plan.PROJECT, capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    return said, Path(said["run"])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_every_cell_has_a_row_with_figures(smoke: tuple[dict, Path]) -> None:
    summary = rows(smoke[1] / "summary.csv")
    assert {row["scenario"] for row in summary} == SCENARIOS
    assert len(summary) == 2 * 2 + 4
    for row in summary:
        assert float(row["throughput_rps"]) > 0
        assert float(row["latency_p50_ms"]) <= float(row["latency_p99_ms"])
        assert float(row["cpu_us_per_request"]) > 0
        assert float(row["pss_mib"]) > 10
        assert row["rounds"] == "2"
        assert row["errors"] == "0"


def test_every_scenario_has_a_ratio_with_interval_and_verdict(smoke: tuple[dict, Path]) -> None:
    comparisons = rows(smoke[1] / "comparisons.csv")
    throughput = [row for row in comparisons if row["metric"] == "throughput_rps"]
    assert {row["scenario"] for row in throughput} == SCENARIOS
    for row in comparisons:
        assert float(row["ci_low"]) <= float(row["ratio"]) <= float(row["ci_high"])
        assert row["verdict"] == "inconclusive"  # two rounds are too few for more


def test_the_json_says_what_the_files_say(smoke: tuple[dict, Path]) -> None:
    said, folder = smoke
    assert said["valid"] is True
    assert said["seed"] == 7
    summary = rows(folder / "summary.csv")
    assert [row["stack"] for row in said["summary"]] == [row["stack"] for row in summary]
    first = said["comparisons"][0]["ratio"]
    assert math.isclose(first, float(rows(folder / "comparisons.csv")[0]["ratio"]), rel_tol=1e-5)


def test_the_report_has_its_page_and_charts(smoke: tuple[dict, Path]) -> None:
    report = smoke[1] / "report"
    assert (report / "index.html").stat().st_size > 10_000
    assert (report / "summary.md").stat().st_size > 500
    svg = {path.stem for path in (report / "charts").glob("*.svg")}
    png = {path.stem for path in (report / "charts").glob("*.png")}
    assert svg == png
    assert {"throughput", "ratios", "latency", "cpu", "timeline"} <= svg


def test_the_run_says_where_and_with_what_it_was_measured(smoke: tuple[dict, Path]) -> None:
    record = store.read_run(smoke[1])
    assert record.ended is not None
    assert record.plan.seed == 7
    assert record.environment["packages"]["fastapi"] == "0.165.0"
    assert record.environment["database"] == "embedded"
    assert {one.number for one in record.rounds} == {1, 2}
    for one in record.rounds:
        assert set(one.order) == SCENARIOS
        assert set(one.ready_s) == {stack.label for stack in record.plan.stacks}
        assert all(seconds > 0 for seconds in one.ready_s.values())


def test_servers_are_fresh_in_each_round_and_take_turns(smoke: tuple[dict, Path]) -> None:
    record = store.read_run(smoke[1])
    for one in record.rounds:
        for cell in one.cells:
            others = [o for o in one.cells if o.scenario == cell.scenario and o is not cell]
            for own in cell.slices:
                for slice_ in (s for other in others for s in other.slices):
                    assert own.end_ns <= slice_.begin_ns or slice_.end_ns <= own.begin_ns


def test_every_request_is_in_the_samples(smoke: tuple[dict, Path]) -> None:
    record = store.read_run(smoke[1])
    for one in record.rounds:
        for cell in one.cells:
            table = pq.read_table(smoke[1] / cell.samples_file)
            assert tuple(table.column_names) == store.SAMPLE_COLUMNS
            assert table.num_rows == cell.requests > 0
            assert set(table["status"].to_pylist()) == {200}


def test_the_report_can_be_made_again_without_any_server(
    smoke: tuple[dict, Path], twinbench: Callable[..., Command]
) -> None:
    folder = smoke[1]
    before = (folder / "comparisons.csv").read_bytes()
    page = (folder / "report" / "index.html").read_bytes()
    (folder / "comparisons.csv").unlink()
    (folder / "report" / "index.html").unlink()
    code, out, err = twinbench("report", folder).finish()
    assert code == 0, err
    assert "weather" in out
    assert (folder / "comparisons.csv").read_bytes() == before
    assert (folder / "report" / "index.html").read_bytes() == page
