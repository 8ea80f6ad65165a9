"""What is kept and told after a calibration, without measuring anything."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from harness import store
from harness.calibration import calibrate, ceiling
from harness.cli.main import cli
from harness.machine import environment
from harness.machine import facts as machine
from harness.measuring import runner
from harness.models import (
    Analysis,
    CellSummary,
    Comparison,
    Estimate,
    Finding,
    GateResult,
    Level,
    Placement,
    Plan,
    Round,
    RunRecord,
    Verdict,
)
from harness.report import checkup
from tests.test_disturbances import CALM, GOOD_RPS

INTERVALS = {
    "throughput_rps": (0.95, 1.02),
    "latency_p50_ms": (0.99, 1.01),
    "latency_p99_ms": (0.80, 1.30),
    "cpu_us_per_request": (0.98, 1.01),
}


def record(todo: Plan) -> RunRecord:
    rounds = tuple(Round(number, ("hello",), "", {}, (), ()) for number in range(1, 7))
    where = Placement((0,), (1,), (1,))
    return RunRecord("run", store.SCHEMA, todo, {}, where, ("twinbench",), "", "", rounds)


def analysed(run: RunRecord, *, valid: bool) -> Analysis:
    gate = GateResult("settled", valid, "second ÷ first half 0.9", "within 5 %")
    one = Estimate(1.0, 0.9, 1.1)
    baseline, candidate = (stack.label for stack in run.plan.stacks)
    cells = tuple(
        CellSummary(
            scenario="hello", stack=label, twin="fastapi", load="closed-16", rounds=6,
            requests=1000, errors=0, throughput_rps=one, latency_ms={}, cpu_us_per_request=one,
            pss_mib=1.0, threads=1, switches_per_request=0.0, schedule=None, gates=(gate,),
            latency_curve_ms=(), timeline=(),
        )
        for label in (baseline, candidate)
    )  # fmt: skip
    comparisons = tuple(
        Comparison(
            "hello", "closed-16", metric, baseline, candidate, math.sqrt(low * high), low, high,
            6, 0.03, Verdict.INCONCLUSIVE,
        )
        for metric, (low, high) in INTERVALS.items()
    )  # fmt: skip
    return Analysis(run, cells, comparisons, 0.03, 0.0, 0.0)


@pytest.fixture(params=[True, False], ids=["valid", "invalid"])
def valid(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Nothing is started; the run's analysis is made up."""
    monkeypatch.setattr(machine, "read", lambda: CALM)
    monkeypatch.setattr(ceiling, "measure", lambda where, seconds: dict(GOOD_RPS))
    monkeypatch.setattr(runner, "run", lambda todo, *_, **__: record(todo))
    valid: bool = request.param
    monkeypatch.setattr(calibrate, "analyse", lambda run, _: analysed(run, valid=valid))
    return valid


def calibrated(out: Path, *options: str) -> Result:
    arguments = ["calibrate", "--seconds", "60", "--out", str(out), *options]
    return CliRunner().invoke(cli, arguments)


def test_it_is_kept_for_this_machine_when_a_against_a_was_valid(
    tmp_path: Path, valid: bool
) -> None:
    result = calibrated(tmp_path, "--json")
    said = json.loads(result.stdout)
    assert said["valid"] is valid
    kept = store.read_calibration(tmp_path, environment.fingerprint())
    if not valid:
        assert result.exit_code == 1
        assert kept is None
        assert said["file"] is said["noise_floor"] is None
        assert "settled" in said["reasons"][0]
        return
    assert result.exit_code == 0
    assert kept is not None
    assert kept.noise_floor == said["noise_floors"]
    assert Path(said["file"]).is_file()
    assert said["noise_floor"] == pytest.approx(1 / 0.95 - 1)
    assert said["noise_floors"]["latency_p99_ms"] == pytest.approx(0.30)
    assert said["ratio"]["throughput_rps"]["ci_low"] == 0.95
    assert said["rounds"] == kept.rounds == 6
    assert said["ceiling_rps"] == GOOD_RPS
    assert {one["level"] for one in said["findings"]} == {"fine"}


def test_an_earlier_calibration_stays_when_a_later_one_is_not_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, valid: bool
) -> None:
    monkeypatch.setattr(calibrate, "analyse", lambda run, _: analysed(run, valid=True))
    assert calibrated(tmp_path).exit_code == 0
    before = store.read_calibration(tmp_path, environment.fingerprint())
    monkeypatch.setattr(calibrate, "analyse", lambda run, _: analysed(run, valid=False))
    assert calibrated(tmp_path).exit_code == 1
    assert store.read_calibration(tmp_path, environment.fingerprint()) == before is not None


def test_the_text_says_what_the_floor_means_or_why_there_is_none(
    tmp_path: Path, valid: bool
) -> None:
    result = calibrated(tmp_path)
    said = " ".join(result.stdout.replace("\u00a0", " ").split())
    if valid:
        assert "±5.3 % for requests per second and ±30 % for p99 latency" in said
        assert "'same' within ±10 % at most" in said
        assert f"Saved for this machine: {tmp_path}" in said
    else:
        assert "The measurement is invalid" in said
        assert "settled: second ÷ first half 0.9" in said
        assert "No calibration was saved." in said
    assert f"twinbench report {tmp_path}/calibration/" in said


def test_the_plan_is_given_the_time_that_is_left_and_no_earlier_calibration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, valid: bool
) -> None:
    asked: list[dict[str, float]] = []

    def run(todo: Plan, *_: object, **options: float) -> RunRecord:
        asked.append(options)
        return record(todo)

    monkeypatch.setattr(runner, "run", run)
    calibrated(tmp_path)
    (options,) = asked
    assert set(options) == {"within_s"}
    assert 40 < options["within_s"] < 60


def told(findings: list[Finding]) -> str:
    console = Console(width=100)
    with console.capture() as captured:
        console.print(checkup.diagnosis(findings))
    return captured.get()


def test_the_gravest_finding_comes_first_with_its_mend() -> None:
    said = told(
        [
            Finding("swap", Level.FINE, "none"),
            Finding("load", Level.NOTE, "1.5", "wait"),
            Finding("power", Level.DISTURBS, "on battery", "plug it in"),
        ]
    )
    assert said.index("power") < said.index("load") < said.index("swap")
    assert "→ plug it in" in said
    assert "1 thing would spoil a measurement" in said.replace("\u00a0", " ")


def test_where_all_is_fine_it_says_so() -> None:
    assert "Nothing on this machine disturbs a measurement." in told(
        [Finding("swap", Level.FINE, "none")]
    )
