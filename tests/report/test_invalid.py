from dataclasses import replace
from pathlib import Path

import pytest

from harness.models import Analysis, Verdict
from harness.report.view import View
from harness.report.words.answers import answers
from tests import analyses
from tests.report.reading import USUAL, WINNER, Page, caption, folded, rows, shown

pytestmark = pytest.mark.busy


def test_an_invalid_cell_shows_its_reason_everywhere(invalid: tuple[Analysis, Path]) -> None:
    analysis, folder = invalid
    reason = analyses.BROKEN.reason
    assert reason in Page((folder / "index.html").read_text()).text
    assert reason in (folder / "summary.md").read_text()
    assert reason in " ".join(shown(analysis, 100).split())
    for name in USUAL:
        alt = caption(analysis, name).alt
        assert "invalid" in alt
        assert reason in alt


def test_an_invalid_cell_is_never_ranked(invalid: tuple[Analysis, Path]) -> None:
    analysis, folder = invalid
    about = [
        finding
        for card in answers(View(analysis))
        for finding in card.findings
        if card.name == "weather" and "fastapi-uvicorn" in finding.text
    ]
    assert [finding.verdict for finding in about] == [Verdict.INVALID]
    assert not WINNER.search(about[0].text)
    (row,) = (
        row
        for row in rows(analysis, "comparisons")
        if (row["Scenario"].text, row["Candidate ÷ baseline"].text)
        == ("weather", "fastapi-uvicorn")
    )
    *_, reason = row.values()
    assert reason.text == "fastapi-uvicorn failed: errors"
    assert reason.verdict is Verdict.INVALID
    assert reason.value is None
    for line in (folder / "summary.md").read_text().splitlines():
        if line.startswith("| weather") and "fastapi-uvicorn" in line:
            assert not WINNER.search(line)
    in_weather = shown(analysis, 100).split("weather")[1]
    row = next(line for line in in_weather.splitlines() if "fastapi-uvicorn" in line)
    assert "invalid" in row
    assert "×" not in row


def test_an_invalid_baseline_leaves_no_winner_in_its_scenario() -> None:
    analysis = analyses.analysis(invalid={("weather", "flask-gthread"): analyses.BROKEN})
    (about,) = (card.findings for card in answers(View(analysis)) if card.name == "weather")
    assert len(about) == 3
    for finding in about:
        assert not WINNER.search(finding.text)
        assert "flask-gthread failed: errors" in finding.text


def test_what_to_try_is_said_where_a_gate_failed_and_not_in_its_bound() -> None:
    gate = replace(analyses.BROKEN, remedy="try something else")
    analysis = analyses.with_invalid_cell(gate)
    (cell,) = (cell for cell in analysis.cells if not cell.valid)
    assert "(at most 0.1 %: try something else)" in cell.reason
    assert cell.reason in folded(shown(analysis, 100))
    assert not any("try" in row["Bound"].text for row in rows(analysis, "gates"))
