"""Open load, several load processes and a wanted precision, from the command line to the files."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from harness import store
from harness.analysis.analyse import analyse
from tests.integration.conftest import Command, assert_sound, cpu_clocks

pytestmark = pytest.mark.alone  # on a busy machine a schedule is not kept


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def run(twinbench: Callable[..., Command], out: Path, *arguments: object) -> tuple[int, Path]:
    before = cpu_clocks()
    code, said, err = twinbench("run", *arguments, "--out", out, "--json").finish()
    assert code in {0, 1}, err
    folder = Path(json.loads(said)["run"])
    assert_sound(code, folder, before)
    return code, folder


def test_open_load_by_two_processes_is_one_schedule_and_one_file_of_samples(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    code, folder = run(
        twinbench, tmp_path, "hello", "--stack", "fastapi-uvicorn", "--rate", 150,
        "--arrivals", "constant", "--generators", 2, "--rounds", 2, "--slice", 0.5,
        "--profile", "smoke", "--seed", 3,
    )  # fmt: skip
    (row,) = rows(folder / "summary.csv")
    assert row["load"] == "open-constant-150"
    assert code == (row["valid"] != "true")
    record = store.read_run(folder)
    for cell in (cell for finished in record.rounds for cell in finished.cells):
        assert len(cell.load_cpu_s) == 2
        table = pq.read_table(folder / cell.samples_file)
        slices = len(cell.slices)
        assert table.num_rows == cell.requests == 75 * slices
        intended = table["intended_ns"].to_numpy()
        index = table["slice"].to_numpy()
        for number in range(slices):
            gaps = np.diff(np.sort(intended[index == number]))
            # Two processes begin within a moment of each other; each keeps every other time.
            assert np.median(gaps) == pytest.approx(1e9 / 150, rel=0.5)
            assert gaps.sum() == pytest.approx(74 / 150 * 1e9, rel=0.5)
    roles = record.rounds[0].blocks[0].roles
    assert set(roles) == {"load 1", "load 2", "harness"}
    for role in ("load 1", "load 2", "harness"):
        assert roles[role].pss_bytes > 1 << 20
        assert roles[role].threads >= 1
    assert roles["load 1"].cpu_s > 0
    assert roles["load 1"].context_switches > 0


@pytest.mark.thorough
def test_a_server_that_cannot_keep_up_is_a_finding_and_the_run_succeeds(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    code, folder = run(
        twinbench, tmp_path, "cpu-python", "--stack", "flask-gthread", "--rate", 1_000,
        "--users", 20, "--rounds", 2, "--slice", 0.5, "--profile", "smoke",
    )  # fmt: skip
    (row,) = rows(folder / "summary.csv")
    assert row["overloaded"] == "true"
    assert code == (row["valid"] != "true")
    record = store.read_run(folder)
    assert all(cell.starved > 100 for finished in record.rounds for cell in finished.cells)


@pytest.mark.thorough
@pytest.mark.timeout(400)  # what is still waiting when a slice ends is waited for, 10 s each time
def test_requests_that_an_overloaded_server_never_comes_to_are_counted_and_no_errors(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    code, folder = run(
        twinbench, tmp_path, "cpu-python", "--stack", "flask-gthread", "--rate", 20_000,
        "--users", 20, "--rounds", 2, "--slice", 0.5, "--profile", "smoke",
    )  # fmt: skip
    (row,) = rows(folder / "summary.csv")
    assert row["overloaded"] == "true"
    assert "errors" not in row["reason"]
    assert code == (row["valid"] != "true")
    record = store.read_run(folder)
    (cell,) = analyse(record, lambda measured: store.read_samples(folder, measured)).cells
    assert cell.overload is not None
    # 10,000 requests are due in each slice; 20 s at a few hundred a second leave most of them.
    slices = sum(len(part.slices) for finished in record.rounds for part in finished.cells)
    assert 0.2 * 10_000 * slices < cell.overload.never_sent < 10_000 * slices
    assert cell.overload.answered_rps < 2_000
    assert cell.overload.due_rps == pytest.approx(20_000, rel=0.05)
    assert cell.errors >= cell.overload.never_sent


@pytest.mark.thorough
def test_a_run_is_ended_early_by_the_width_of_its_intervals(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    _, folder = run(
        twinbench, tmp_path, "cpu-native", "--stack", "flask-gthread", "--stack", "flask-gthread",
        "--rounds", 12, "--profile", "smoke", "--precision", "50%",
    )  # fmt: skip
    record = store.read_run(folder)
    assert record.plan.precision == 0.5
    assert record.ended is not None
    assert 5 <= len(record.rounds) < 12
    for row in rows(folder / "comparisons.csv"):
        assert row["rounds"] == str(len(record.rounds))
