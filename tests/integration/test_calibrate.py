"""Short calibrations (A against A), and later runs that use them."""

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
from tests.integration.conftest import Command, Ended, assert_sound, cpu_clocks, wait_for

#: Five rounds take long while other tests use the cores.
pytestmark = pytest.mark.timeout(180)

#: Beside other tests, which are foreign load, cells would be invalid.
alone = pytest.mark.alone
thorough = pytest.mark.thorough

METRICS = {"throughput_rps", "latency_p50_ms", "latency_p99_ms", "cpu_us_per_request"}
#: A short calibration; gunicorn starts quickly.
SHORT = ("calibrate", "--seconds", noise.MIN_SECONDS, "--stack", "flask-gthread")


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Path]:
    """The answer in JSON and the --out of one calibration, for all tests of this module."""
    out = tmp_path_factory.mktemp("results")
    before = cpu_clocks()
    command = [sys.executable, "-m", "harness", *map(str, SHORT), "--json", "--out", str(out)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=170)
    assert done.returncode in {0, 1}, done.stderr
    assert "round 5 measured" in done.stderr
    answer = json.loads(done.stdout)
    assert_sound(done.returncode, Path(answer["run"]), before)
    assert answer["valid"] is (done.returncode == 0)
    return answer, out


@alone
@thorough
def test_there_is_a_noise_floor_for_every_metric(calibrated: tuple[dict, Path]) -> None:
    answer, _ = calibrated
    assert answer["rounds"] >= 5
    if not answer["valid"]:  # others used this machine at the same time
        assert answer["reasons"]
        assert answer["noise_floor"] is answer["file"] is None
        assert answer["noise_floors"] == {}
        return
    assert set(answer["noise_floors"]) == METRICS
    for metric, floor in answer["noise_floors"].items():
        interval = answer["ratio"][metric]
        assert interval["ci_low"] <= interval["ratio"] <= interval["ci_high"]
        assert floor > 0
        # No verdict that uses this floor can call A faster or slower than A.
        assert 1 / (1 + floor) <= interval["ratio"] <= 1 + floor
    assert answer["noise_floor"] == answer["noise_floors"]["throughput_rps"]


@alone
@thorough
def test_the_ceiling_is_above_what_was_measured(calibrated: tuple[dict, Path]) -> None:
    answer, _ = calibrated
    record = store.read_run(Path(answer["run"]))
    cells = [cell for finished in record.rounds for cell in finished.cells]
    requests = sum(cell.requests for cell in cells)
    seconds = sum(cell.wall_s for cell in cells)
    assert set(answer["ceiling_rps"]) == {"16", "64"}
    # A server that does nothing answers more than one that does something.
    assert min(answer["ceiling_rps"].values()) > requests / seconds


@alone
@thorough
def test_the_run_is_kept_apart_from_other_runs_and_can_be_reported(
    calibrated: tuple[dict, Path], twinbench: Callable[..., Command]
) -> None:
    answer, out = calibrated
    assert Path(answer["run"]).parent == out / "calibration"
    assert not any("calibrate" in name for name in store.list_runs(out))
    code, output, err = twinbench("report", answer["run"]).finish()
    assert code == (0 if answer["valid"] else 1), err
    assert "flask-gthread#2" in output


@alone
@thorough
def test_a_later_run_on_this_machine_quotes_the_calibration_and_takes_its_slices_but_keeps_its_own_band(
    calibrated: tuple[dict, Path], twinbench: Callable[..., Command]
) -> None:
    answer, out = calibrated
    code, output, err = twinbench(
        "run", "hello", "--stack", "flask-gthread", "--stack", "flask-gthread",
        "--profile", "smoke", "--json", "--out", out,
    ).finish()  # fmt: skip
    assert code in {0, 1}, err
    folder = Path(json.loads(output)["run"])
    record = json.loads((folder / "run.json").read_text())
    kept, plan = record["calibration"], record["plan"]
    if not answer["valid"]:
        assert kept is None
        assert (plan["slice_source"], plan["usual_slice_s"]) == ("default", 0.04)
        return
    asked_s = answer["spectrum"]["slice_s"]
    assert 0.04 <= asked_s <= 0.1
    assert (plan["slice_source"], plan["usual_slice_s"]) == ("calibration", asked_s)
    assert f"slices of {1e3 * asked_s:g} ms as calibrate found" in err
    assert kept["spectrum"] == answer["spectrum"]
    assert kept["noise_floor"] == answer["noise_floors"]
    assert kept["ceiling_rps"] == answer["ceiling_rps"]
    with (folder / "comparisons.csv").open() as file:
        assert {row["same_within"] for row in csv.DictReader(file)} == {"0.03"}


@pytest.mark.thorough
@pytest.mark.parametrize("rounds", [0, 1])
def test_an_interrupted_calibration_leaves_nothing_running_and_no_noise_floor(
    twinbench: Callable[..., Command], tmp_path: Path, rounds: int
) -> None:
    command = twinbench(*SHORT, "--out", tmp_path)

    def lines() -> int:
        journals = tmp_path.glob("calibration/*/journal.jsonl")
        return sum(path.read_text().count("\n") for path in journals)

    if rounds:
        wait_for(lambda: lines() >= 2, "a round")
    else:
        wait_for(lambda: any(tmp_path.glob("calibration/*")), "its folder")
        time.sleep(1.5)  # by now the load process starts, or its limit is being measured
    command.process.send_signal(signal.SIGINT)
    code, out, err = command.finish()
    assert code == 130, err
    assert out == ""
    assert command.left_running() == []
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
def test_a_wrong_option_is_bad_input_and_leaves_no_files(
    here: Callable[..., Ended], tmp_path: Path, arguments: list[str], message: str
) -> None:
    command = here("calibrate", *arguments, "--out", tmp_path)
    code, _, err = command.finish()
    assert code == 2
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_not_be_written_is_a_failure_of_the_environment(
    twinbench: Callable[..., Command],
) -> None:
    code, _, err = twinbench("calibrate", "--out", "/dev/null/results").finish()
    assert code == 3
    assert "can't write results to" in err


def test_the_doctor_gives_a_figure_a_level_and_a_remedy_for_each_finding(
    twinbench: Callable[..., Command],
) -> None:
    command = twinbench("doctor", "--json")
    code, out, err = command.finish()
    answer = json.loads(out)
    levels = {finding["level"] for finding in answer["findings"]}
    assert levels <= {"fine", "note", "disturbs"}
    assert code == (1 if "disturbs" in levels else 0), err
    assert (answer["level"] == "disturbs") == (code == 1)
    for finding in answer["findings"]:
        assert finding["what"]
        assert finding["figure"]
        assert bool(finding["mend"]) == (finding["level"] != "fine")
    named = {finding["what"] for finding in answer["findings"]}
    assert {"other work", "steal time", "CPU quota", "memory", "clock", "load process"} <= named
    assert set(answer["ceiling_rps"]) == {"16", "64"}
    assert command.left_running() == []
