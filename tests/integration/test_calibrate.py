"""A against A for a short time, and what later runs make of it."""

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import store
from harness.calibration import noise
from harness.planning.files import PROJECT
from tests.integration.conftest import Command, wait_for

#: Five rounds take long where other tests take the cores.
pytestmark = pytest.mark.timeout(180)

#: Beside other tests, which are foreign load, cells would be invalid.
alone = pytest.mark.alone

METRICS = {"throughput_rps", "latency_p50_ms", "latency_p99_ms", "cpu_us_per_request"}
#: gunicorn starts quickly.
SHORT = ("calibrate", "--seconds", noise.MIN_SECONDS, "--stack", "flask-gthread")


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Path]:
    """What it says in JSON, and its --out; measured once for all tests here."""
    out = tmp_path_factory.mktemp("results")
    command = [sys.executable, "-m", "harness", *map(str, SHORT), "--json", "--out", str(out)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stderr
    assert "round 5 measured" in done.stderr
    return json.loads(done.stdout), out


@alone
def test_there_is_a_noise_floor_for_every_metric(calibrated: tuple[dict, Path]) -> None:
    said, _ = calibrated
    assert said["valid"] is True
    assert set(said["noise_floors"]) == METRICS
    for metric, floor in said["noise_floors"].items():
        interval = said["ratio"][metric]
        assert interval["ci_low"] <= interval["ratio"] <= interval["ci_high"]
        assert floor > 0
        # No verdict that rests on this floor could call A faster or slower than A.
        assert 1 / (1 + floor) <= interval["ratio"] <= 1 + floor
    assert said["noise_floor"] == said["noise_floors"]["throughput_rps"]
    assert said["rounds"] >= 5


@alone
def test_the_ceiling_is_far_above_what_was_measured(calibrated: tuple[dict, Path]) -> None:
    said, _ = calibrated
    record = store.read_run(Path(said["run"]))
    requests = sum(cell.requests for one in record.rounds for cell in one.cells)
    seconds = sum(cell.wall_s for one in record.rounds for cell in one.cells)
    assert set(said["ceiling_rps"]) == {"16", "64"}
    assert min(said["ceiling_rps"].values()) > 1.5 * requests / seconds


@alone
def test_the_run_is_kept_apart_from_others_and_can_be_drawn(
    calibrated: tuple[dict, Path], twinbench: Callable[..., Command]
) -> None:
    said, out = calibrated
    assert Path(said["run"]).parent == out / "calibration"
    assert not any("calibrate" in name for name in store.list_runs(out))
    code, told, err = twinbench("report", said["run"]).finish()
    assert code == 0, err
    assert "flask-gthread#2" in told


@alone
def test_a_later_run_on_this_machine_takes_its_band_from_it(
    calibrated: tuple[dict, Path], twinbench: Callable[..., Command]
) -> None:
    said, out = calibrated
    code, told, err = twinbench(
        "run", "hello", "--stack", "flask-gthread", "--stack", "flask-gthread",
        "--profile", "smoke", "--json", "--out", out,
    ).finish()  # fmt: skip
    assert code == 0, err
    folder = Path(json.loads(told)["run"])
    kept = json.loads((folder / "run.json").read_text())["calibration"]
    assert kept["noise_floor"] == said["noise_floors"]
    assert kept["ceiling_rps"] == said["ceiling_rps"]
    with (folder / "comparisons.csv").open() as file:
        bands = {row["metric"]: float(row["noise_floor"]) for row in csv.DictReader(file)}
    for metric, floor in said["noise_floors"].items():
        assert bands[metric] == pytest.approx(max(0.03, floor), rel=1e-4)


@pytest.mark.parametrize("rounds", [0, 1])
def test_an_interrupted_calibration_leaves_nothing_running_and_no_noise_floor(
    twinbench: Callable[..., Command], tmp_path: Path, rounds: int
) -> None:
    command = twinbench(*SHORT, "--out", tmp_path)

    def lines() -> int:
        journals = tmp_path.glob("calibration/*/journal.jsonl")
        return sum(path.read_text().count("\n") for path in journals)

    if rounds:
        wait_for(lambda: lines() >= 2, 60, "a round")
    else:
        wait_for(lambda: any(tmp_path.glob("calibration/*")), 20, "its folder")
        time.sleep(1.5)  # the load process is being started, or its limit is being measured
    command.process.send_signal(signal.SIGINT)
    code, out, err = command.finish(timeout=10)
    assert code == 130, err
    assert out == ""
    assert command.all_gone_within(0.5) == []
    assert "Traceback" not in err
    assert not list(tmp_path.glob("calibration/*.json"))
    assert len(list(tmp_path.glob("calibration/*/run.json"))) == rounds
    assert ("kept what was measured" in err) == bool(rounds)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stack", "fastapi-uvicon"], "unknown stack 'fastapi-uvicon': did you mean fastapi-u"),
        (["--seconds", "5"], f"--seconds 5: give {noise.MIN_SECONDS} to "),
        (["--seconds", "1e9"], f"--seconds 1e+09: give {noise.MIN_SECONDS} to "),
        (["--seconds", "nan"], f"--seconds nan: give {noise.MIN_SECONDS} to "),
        (["--seconds", "long"], "'long' is not a valid float"),
    ],
)
def test_what_makes_no_sense_is_bad_input_and_leaves_nothing(
    twinbench: Callable[..., Command], tmp_path: Path, arguments: list[str], message: str
) -> None:
    command = twinbench("calibrate", *arguments, "--out", tmp_path)
    code, _, err = command.finish()
    assert code == 2
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_not_be_written_is_the_environments_fault(
    twinbench: Callable[..., Command],
) -> None:
    code, _, err = twinbench("calibrate", "--out", "/dev/null/results").finish()
    assert code == 3
    assert "can't write results to" in err


def test_the_doctor_says_figure_level_and_mend_of_each_thing(
    twinbench: Callable[..., Command],
) -> None:
    command = twinbench("doctor", "--json")
    code, out, err = command.finish(timeout=60)
    said = json.loads(out)
    levels = {one["level"] for one in said["findings"]}
    assert levels <= {"fine", "note", "disturbs"}
    assert code == (1 if "disturbs" in levels else 0), err
    assert (said["level"] == "disturbs") == (code == 1)
    for one in said["findings"]:
        assert one["what"]
        assert one["figure"]
        assert bool(one["mend"]) == (one["level"] != "fine")
    named = {one["what"] for one in said["findings"]}
    assert {"other work", "steal time", "CPU quota", "memory", "clock", "load process"} <= named
    assert set(said["ceiling_rps"]) == {"16", "64"}
    assert command.all_gone_within(0.5) == []
