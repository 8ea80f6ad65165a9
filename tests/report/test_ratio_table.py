"""The ratios as a table of the page: every mark has its place, its figures and its verdict."""

from pathlib import Path

import pytest

from harness.models import Analysis, Verdict
from harness.report import formats
from harness.report.charts.ratios import ratio_ticks
from harness.report.sections.ratios import ratios
from harness.report.view import View
from tests import analyses
from tests.report.reading import Page, folded

pytestmark = pytest.mark.busy


def test_every_comparison_has_a_line_in_the_order_of_its_ratio(whole: Analysis) -> None:
    table = ratios(View(whole))
    found = [line for _, group in table.groups for line in group]
    made = {
        (each.scenario, each.candidate): each
        for each in whole.comparisons
        if each.metric == "throughput_rps"
    }
    assert {(line.scenario, line.pair) for line in found} == made.keys()
    for line in found:
        comparison = made[line.scenario, line.pair]
        assert line.mark is not None
        assert line.figure == formats.ratio(comparison.ratio)
        assert line.verdict is comparison.verdict
        assert 0 <= line.mark.low <= line.mark.at <= line.mark.high <= 1
        # The mark is right of 1 exactly where more was served.
        parity = sum(line.band) / 2
        assert (line.mark.at > parity) == (comparison.ratio > 1)
        assert line.mark.is_filled == (comparison.verdict in (Verdict.FASTER, Verdict.SLOWER))
    by_ratio = sorted(found, key=lambda line: made[line.scenario, line.pair].ratio)
    places = [line.mark.at for line in by_ratio if line.mark]
    assert places == sorted(places)


def test_a_pair_without_a_ratio_has_the_name_of_the_failed_gate_and_no_mark() -> None:
    table = ratios(View(analyses.with_invalid_cell()))
    found = [line for _, group in table.groups for line in group]
    (broken,) = (line for line in found if line.mark is None)
    assert broken.figure == "fastapi-uvicorn failed: errors"
    assert broken.verdict is Verdict.INVALID


def test_the_page_shows_the_table_in_place_of_the_drawing(
    whole: Analysis, folder: Path, page: Page
) -> None:
    marks = [
        attributes
        for tag, attributes in page.elements
        if tag == "span" and attributes.get("class") == "mark"
    ]
    assert len(marks) == sum(made.metric == "throughput_rps" for made in whole.comparisons)
    drawn = [str(attributes["aria-label"]) for tag, attributes in page.elements if tag == "svg"]
    assert not any("÷" in words for words in drawn)
    assert (folder / "charts" / "ratios.svg").is_file()
    for line in (line for _, group in ratios(View(whole)).groups for line in group):
        assert folded(f"{line.scenario} {line.pair} {line.figure} {line.interval}") in page.text


@pytest.mark.parametrize(
    ("low", "high"),
    [(0.08, 1.1), (0.02, 9), (0.09, 1.2), (0.005, 3), (0.9, 1.1), (0.5, 20), (0.0001, 5)],
)
def test_an_axis_of_ratios_has_three_ticks_or_more_and_one_of_them_is_1(
    low: float, high: float
) -> None:
    ticks = ratio_ticks(low, high)
    assert 3 <= len(ticks) <= 7
    assert 1 in ticks
