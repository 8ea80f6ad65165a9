"""Whole commands, as a user types them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.planning.files import PROJECT
from tests.integration.conftest import Command, Ended

ASCII = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}


def test_a_run_ends_well_on_a_terminal_that_shows_ascii_alone(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    code, out, err = twinbench(
        "run", "hello", "--stack", "flask-gthread", "--stack", "flask-gthread",
        "--profile", "smoke", "--rounds", 1, "--out", tmp_path, environment=ASCII,
    ).finish()  # fmt: skip
    assert code in {0, 1}, err  # 1: a smoke run on a busy machine may be invalid
    assert "Traceback" not in err
    assert (out + err).isascii()
    assert "?" not in out.replace("? inconclusive", "") + err
    assert "flask-gthread#2" in out
    assert "x baseline" in out
    assert f" -> {tmp_path}" in err
    assert "Report: " in out


@pytest.mark.parametrize("command", ["run", "calibrate", "check"])
def test_help_is_shown_on_a_terminal_that_shows_ascii_alone(
    twinbench: Callable[..., Command], command: str
) -> None:
    code, out, err = twinbench(command, "--help", environment=ASCII).finish()
    assert (code, err) == (0, "")
    assert out.isascii()
    assert "Usage: " in out


@pytest.mark.thorough
def test_several_numbers_of_users_are_several_loads_of_the_scenario(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    code, out, err = twinbench(
        "run", "hello", "--users", "4,16", "--profile", "smoke", "--json", "--out", tmp_path
    ).finish()
    assert code in {0, 1}, err
    answer = json.loads(out)
    measured = {(row["stack"], row["load"]): row for row in answer["summary"]}
    assert list(dict.fromkeys(row["load"] for row in answer["summary"])) == [
        "closed-4",
        "closed-16",
    ]
    assert len(measured) == 4
    assert all(row["rounds"] == 2 for row in measured.values())
    rates = {row["throughput_rps"] for row in measured.values()}
    assert len(rates) == 4  # no cell is blended with another
    families = {(row["load"], row["family"]) for row in answer["comparisons"]}
    assert families == {
        ("closed-4", "answers"),
        ("closed-4", "answers: secondary"),
        ("closed-16", "loads"),
        ("closed-16", "loads: secondary"),
    }


def test_a_report_judges_a_finished_run_by_what_its_reader_calls_the_same(
    here: Callable[..., Ended], without_drawings: None, tmp_path: Path
) -> None:
    run = tmp_path / "finished"
    shutil.copytree(PROJECT / "results" / "reference-bench", run)

    def judged(same: str) -> dict[str, str]:
        code, out, err = here("report", run, "--json", "--same", same).finish()
        assert code == 0, err
        rows = [row for row in json.loads(out)["comparisons"] if row["metric"] == "throughput_rps"]
        share = float(same.removesuffix("%")) / 100
        assert all(row["same_within"] == pytest.approx(share) for row in rows)
        return {row["scenario"]: row["verdict"] for row in rows}

    # Where a handler computes, the frameworks differ by a few percent; in hello, by a factor.
    narrow, wide = judged("0.1%"), judged("50%")
    for scenario in ("cpu-native", "cpu-python"):
        assert narrow[scenario] != "same"
        assert wide[scenario] == "same"
    assert narrow["hello"] == wide["hello"] == "faster"
    said = (run / "report" / "summary.md").read_text()
    assert "as '--same' asked" in said
