"""What a calibration keeps and reports, without measuring anything."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from harness import store
from harness.analysis.spectrum import Ints
from harness.calibration import calibrate, ceiling, core_speed
from harness.cli.main import cli
from harness.machine import environment
from harness.machine import facts as machine
from harness.measuring import runner
from harness.models import (
    Analysis,
    BlockKey,
    CellSummary,
    Comparison,
    Estimate,
    Family,
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


def record(plan: Plan) -> RunRecord:
    rounds = tuple(
        Round(number, (BlockKey("hello", "closed-16"),), "", {}, (), ()) for number in range(1, 7)
    )
    placement = Placement((0,), (1,), (1,))
    return RunRecord("run", store.SCHEMA, plan, {}, placement, ("twinbench",), "", "", rounds)


def analysed(run: RunRecord, *, valid: bool) -> Analysis:
    gate = GateResult("settled", valid, "second ÷ first half 0.9", "within 5 %")
    estimate = Estimate(1.0, 0.9, 1.1)
    baseline, candidate = (stack.label for stack in run.plan.stacks)
    cells = tuple(
        CellSummary(
            scenario="hello", stack=label, twin="fastapi", load="closed-16", rounds=6,
            requests=1000, errors=0, throughput_rps=estimate, latency_ms={}, cpu_us_per_request=estimate,
            pss_mib=1.0, threads=1, switches_per_request=0.0, schedule=None, gates=(gate,),
            latency_curve_ms=(), timeline=(),
        )
        for label in (baseline, candidate)
    )  # fmt: skip
    comparisons = tuple(
        Comparison(
            "hello", "closed-16", metric, baseline, candidate, math.sqrt(low * high), low, high,
            6, 0.03, Verdict.INCONCLUSIVE, Family.ANSWERS,
        )
        for metric, (low, high) in INTERVALS.items()
    )  # fmt: skip
    return Analysis(run, cells, comparisons, 0.0, 0.0)


def steady(seconds: float) -> Ints:
    """When pieces of work ended that took 0.2 ms each, give or take what one knows nothing of."""
    noise = np.random.default_rng(1).normal(1, 0.1, round(seconds / 0.0002))
    return np.concatenate([[0], np.cumsum(200_000 * noise)]).astype(np.int64)


@pytest.fixture(params=[True, False], ids=["valid", "invalid"])
def valid(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Start nothing, and make up the run's analysis."""
    monkeypatch.setattr(machine, "read", lambda: CALM)
    monkeypatch.setattr(ceiling, "measure", lambda placement, seconds: dict(GOOD_RPS))
    monkeypatch.setattr(core_speed, "measure", lambda placement, seconds: steady(seconds))
    monkeypatch.setattr(runner, "run", lambda plan, *_, **__: record(plan))
    valid: bool = request.param
    monkeypatch.setattr(calibrate, "analyse", lambda run, _: analysed(run, valid=valid))
    return valid


def calibrated(out: Path, *options: str) -> Result:
    arguments = ["calibrate", "--seconds", "60", "--out", str(out), *options]
    return CliRunner().invoke(cli, arguments)


def test_a_calibration_is_kept_for_this_machine_if_it_is_valid(tmp_path: Path, valid: bool) -> None:
    result = calibrated(tmp_path, "--json")
    output = json.loads(result.stdout)
    assert output["valid"] is valid
    kept = store.read_calibration(tmp_path, environment.fingerprint())
    if not valid:
        assert result.exit_code == 1
        assert kept is None
        assert output["file"] is output["noise_floor"] is None
        assert "settled" in output["reasons"][0]
        return
    assert result.exit_code == 0
    assert kept is not None
    assert kept.noise_floor == output["noise_floors"]
    assert Path(output["file"]).is_file()
    assert output["noise_floor"] == pytest.approx(1 / 0.95 - 1)
    assert output["noise_floors"]["latency_p99_ms"] == pytest.approx(0.30)
    assert output["ratio"]["throughput_rps"]["ci_low"] == 0.95
    assert output["rounds"] == kept.rounds == 6
    assert output["ceiling_rps"] == GOOD_RPS
    assert {finding["level"] for finding in output["findings"]} == {"fine"}
    assert kept.spectrum is not None
    assert asdict(kept.spectrum) | {"windows": 0} == output["spectrum"] | {"windows": 0}
    assert [asdict(each) for each in kept.spectrum.windows] == output["spectrum"]["windows"]
    assert kept.slice_s == output["spectrum"]["slice_s"] == 0.1
    assert kept.spectrum.seconds == pytest.approx(6, rel=0.01)


def test_an_earlier_calibration_stays_if_a_later_calibration_is_invalid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, valid: bool
) -> None:
    monkeypatch.setattr(calibrate, "analyse", lambda run, _: analysed(run, valid=True))
    assert calibrated(tmp_path).exit_code == 0
    before = store.read_calibration(tmp_path, environment.fingerprint())
    monkeypatch.setattr(calibrate, "analyse", lambda run, _: analysed(run, valid=False))
    assert calibrated(tmp_path).exit_code == 1
    assert store.read_calibration(tmp_path, environment.fingerprint()) == before is not None


def test_a_calibration_of_an_older_version_still_opens_and_knows_no_slices(tmp_path: Path) -> None:
    file = tmp_path / "calibration" / "mine.json"
    file.parent.mkdir()
    file.write_text(
        '{"machine": "mine", "made": "2026-01-01T00:00:00+00:00", "rounds": 9,'
        ' "noise_floor": {"throughput_rps": 0.03}, "ceiling_rps": {"16": 30000.0}}'
    )
    kept = store.read_calibration(tmp_path, "mine")
    assert kept is not None
    assert kept.spectrum is kept.slice_s is None


def test_the_text_says_whether_the_stack_equals_itself_or_why_that_is_unknown(
    tmp_path: Path, valid: bool
) -> None:
    result = calibrated(tmp_path)
    text = " ".join(result.stdout.replace("\u00a0", " ").split())
    if valid:
        assert "was not found to differ from itself" in text
        assert "differs by less than about ±30 %" in text
        assert f"Saved for this machine: {tmp_path}" in text
        assert "Later runs take turns in slices of 100 ms" in text
        assert "160 ms" in text
    else:
        assert "The measurement is invalid" in text
        assert "settled: second ÷ first half 0.9" in text
        assert "No calibration was saved." in text
    assert f"twinbench report {tmp_path}/calibration/" in text


def test_the_run_gets_the_time_that_is_left_and_no_earlier_calibration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, valid: bool
) -> None:
    calls: list[dict[str, float]] = []

    def run(plan: Plan, *_: object, **options: float) -> RunRecord:
        calls.append(options)
        return record(plan)

    monkeypatch.setattr(runner, "run", run)
    calibrated(tmp_path)
    (options,) = calls
    assert set(options) == {"pacing"}
    assert 40 < options["pacing"].within_s < 60


def printed(findings: list[Finding]) -> str:
    console = Console(width=100)
    with console.capture() as captured:
        console.print(checkup.diagnosis(findings))
    return captured.get()


def test_the_gravest_finding_comes_first_with_its_remedy() -> None:
    text = printed(
        [
            Finding("swap", Level.FINE, "none"),
            Finding("load", Level.NOTE, "1.5", "wait"),
            Finding("power", Level.DISTURBS, "on battery", "plug it in"),
        ]
    )
    assert text.index("power") < text.index("load") < text.index("swap")
    assert "→ plug it in" in text
    assert "1 thing would spoil a measurement" in text.replace("\u00a0", " ")


def test_where_all_is_fine_it_says_so() -> None:
    assert "Nothing on this machine disturbs a measurement." in printed(
        [Finding("swap", Level.FINE, "none")]
    )
