import re
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness import report, store
from harness.cli import measured
from harness.cli.main import cli
from harness.errors import BadInput
from harness.models import Analysis
from harness.report import formats
from tests import analyses
from tests.report.conftest import HOSTILE
from tests.report.odd import ODD
from tests.report.test_capacity import FASTAPI, FLASK, searched

pytestmark = pytest.mark.busy


def test_the_text_has_ratios_verdicts_validity_and_machine(whole: Analysis) -> None:
    text = report.pull_request(whole)
    shown, folded = text.split("<details>")
    for made in whole.comparisons:
        assert f"{formats.ratio(made.ratio)} " in shown
        assert str(made.verdict) in shown
    count = len(whole.cells)
    assert f"- {count} of {count}\N{NO-BREAK SPACE}measurements valid" in shown
    assert "Example CPU @ 2.50 GHz" in shown
    assert "fastapi 0.165.0" in shown
    assert whole.run.run_id in shown
    assert all(cell.stack in folded for cell in whole.cells)
    assert len(shown.splitlines()) < 25


def test_the_text_needs_no_file_beside_it(whole: Analysis) -> None:
    assert not re.search(r"\]\(", report.pull_request(whole))


def test_what_is_invalid_is_named_with_its_reason_and_stays_text() -> None:
    shown = report.pull_request(analyses.with_invalid_cell(HOSTILE)).split("<details>")[0]
    assert "**Invalid" in shown
    assert r"\<script\>" in shown
    assert not re.search(r"(?<!\\)<script", shown)


@pytest.mark.parametrize("case", ["no finished round", "one stack", "open load", "two loads"])
def test_odd_runs_have_a_text_too(case: str) -> None:
    lines = report.pull_request(ODD[case]).splitlines()
    assert lines[0].startswith("### ")
    for header, rule in pairwise(lines):
        if rule.startswith("| ---"):
            assert header.count("|") == rule.count("|")


def test_a_search_shows_its_capacities() -> None:
    text = report.pull_request(searched(FLASK, FASTAPI))
    assert "5,480" in text
    assert "2.37" in text


def test_report_prints_the_text_alone(
    whole: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "find_run", lambda *_: tmp_path)
    monkeypatch.setattr(measured, "write_run_report", lambda *_: whole)
    done = CliRunner().invoke(cli, ["report", "--markdown"])
    assert done.exit_code == 0
    assert done.stdout == report.pull_request(whole)


def test_two_forms_at_once_are_refused() -> None:
    done = CliRunner().invoke(cli, ["report", "--markdown", "--json"])
    assert isinstance(done.exception, BadInput)
    assert "--json and --markdown" in str(done.exception)
