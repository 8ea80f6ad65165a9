"""Curves as a reader meets them: sentences, tables, charts, CSV files."""

import csv
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from harness import store
from harness.models import Analysis, Beyond, Failure, Family
from harness.report.charts.curves import METRICS, is_trusted, spread
from harness.report.charts.sheet import text_in
from harness.report.metrics import P99, THROUGHPUT
from harness.report.view import View
from harness.report.words.curves import said_of
from harness.report.words.method import method
from tests import analyses
from tests.report.reading import Page, caption, draw, folded, rows, shown, write

pytestmark = pytest.mark.busy


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return analyses.swept(invalid={("flask-gthread", 1000): Failure.TIMEOUT})


@pytest.fixture(scope="module")
def folder(analysis: Analysis, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("swept")
    store.write_tables(folder, analysis)
    return folder


def said(analysis: Analysis) -> dict[str, str]:
    """Stack -> what is said of its curve."""
    return dict(folded(words).split(": ", 1) for words in said_of(View(analysis)))


def test_each_stack_has_its_most_its_knee_and_what_comes_after(analysis: Analysis) -> None:
    words = said(analysis)
    assert list(words) == list(analyses.STACKS)
    assert words["fastapi-httpx2"].startswith("served at most 655 requests/s (")
    assert "at 100 users. Knee at 30 users. It holds at 1,000 users: 1.0" in words["fastapi-httpx2"]
    assert "Knee at 10 users. It falls by 6" in words["fastapi-uvicorn"]
    assert "at 1,000 users: 0.3" in words["fastapi-uvicorn"]
    assert words["flask-gthread"].endswith("its requests failed: 120 had no reply in time.")
    assert "Knee at 100 users. " in words["fastapi-aiohttp"]


def test_a_curve_that_has_not_bent_yet_says_so() -> None:
    words = said(analyses.swept((1, 2, 4, 8)))["fastapi-aiohttp"]
    assert "No knee up to 8 users. It still rises at 8 users: " in words


def test_one_round_claims_nothing_that_needs_intervals() -> None:
    analysis = analyses.swept(rounds=1)
    for words in said(analysis).values():
        assert "(no interval)" in words
        assert "is unclear" in words
    assert "no intervals" in caption(analysis, "curves").note
    draw(analysis, "curves")


def test_open_load_says_how_far_a_stack_kept_up() -> None:
    analysis = analyses.swept((100, 200, 400, 800), rate=True)
    assert "It kept up with every rate, up to 800 requests/s." in said(analysis)["flask-gthread"]
    (curve, *others) = analysis.curves
    points = tuple(replace(point, overloaded=point.value >= 400) for point in curve.points)
    slow = replace(analysis, curves=(replace(curve, points=points, kept_up=200.0), *others))
    words = said(slow)["flask-gthread"]
    assert (
        "It kept up with 200 requests/s. At 400 requests/s it fell behind and answered 398 requests/s."
        in words
    )
    trusted = [point.value for point in points if is_trusted(P99, point)]
    assert trusted == [100, 200]
    assert all(is_trusted(THROUGHPUT, point) for point in points)
    draw(slow, "curves")
    draw(slow, "tradeoff")


def test_a_terminal_shows_the_sentences(analysis: Analysis) -> None:
    for width in (80, 120):
        text = shown(analysis, width)
        assert max(map(len, text.splitlines())) <= width
        assert "fastapi-httpx2: served at most 655 requests/s" in folded(text)


def test_page_and_markdown_have_charts_and_tables(tmp_path: Path) -> None:
    write(analyses.swept((1, 10, 100)), tmp_path)
    page = Page((tmp_path / "index.html").read_text())
    assert "What more load brings" in page.text
    ids = [attributes.get("id") for _, attributes in page.elements]
    assert {"curves", "tradeoff"} <= set(ids)
    markdown = (tmp_path / "summary.md").read_text()
    assert "charts/curves.svg" in markdown
    assert "charts/tradeoff.svg" in markdown
    for name in ("curves", "tradeoff"):
        assert (tmp_path / "charts" / f"{name}.png").is_file()


def test_a_run_without_curves_has_no_trace_of_them(tmp_path: Path) -> None:
    usual = analyses.analysis(scenarios=["hello"])
    write(usual, tmp_path)
    store.write_tables(tmp_path, usual)
    assert "What more load brings" not in (tmp_path / "index.html").read_text()
    assert not list(tmp_path.rglob("curves*"))
    assert not list(tmp_path.rglob("knees*"))


def test_the_tables_figures_are_those_of_the_curves(analysis: Analysis) -> None:
    points = [point for curve in analysis.curves for point in curve.points]
    told = rows(analysis, "curves")
    assert len(told) == len(points) == 28
    for row, point in zip(told, points, strict=True):
        assert row["Load"].value == point.value
        assert row["Requests/s"].value == point.throughput_rps.value
        assert row["p99 ms"].value == point.latency_p99_ms.value
        assert row["CPU µs"].value == point.cpu_us_per_request.value
    knees = rows(analysis, "knees")
    assert [row["Knee"].value for row in knees] == [30, 10, 30, 100]


def test_a_law_that_does_not_fit_is_not_given(analysis: Analysis) -> None:
    laws = [curve.scaling for curve in analysis.curves]
    assert any(law and not law.fits for law in laws)
    written = store.knee_rows(analysis)
    for row, law, told in zip(rows(analysis, "knees"), laws, written, strict=True):
        assert law is not None
        assert (row["σ"].text != "–") == law.fits
        assert (told["usl_sigma"] is not None) == law.fits
        assert row["The law misses by"].value == told["usl_worst_miss"] == law.worst_miss


def test_the_files_have_a_row_for_each_point_and_each_curve(
    analysis: Analysis, folder: Path
) -> None:
    points = list(csv.DictReader((folder / "curves.csv").read_text().splitlines()))
    assert tuple(points[0]) == store.CURVE_COLUMNS
    assert len(points) == 28
    broken = next(
        row for row in points if (row["stack"], row["value"]) == ("flask-gthread", "1000")
    )
    assert broken["valid"] == "false"
    assert broken["failures"] == "timeout 120"
    knees = list(csv.DictReader((folder / "knees.csv").read_text().splitlines()))
    assert tuple(knees[0]) == store.KNEE_COLUMNS
    assert [row["knee"] for row in knees] == ["30", "10", "30", "100"]
    assert [row["largest_outcome"] for row in knees][1:] == [
        Beyond.FALLS, Beyond.HOLDS, Beyond.HOLDS,
    ]  # fmt: skip
    assert {row["kept_up"] for row in knees} == {""}
    assert len(store.analysis_as_json(analysis)["curves"]) == 28


def test_names_at_the_lines_ends_do_not_overlap_and_stay_on_the_sheet() -> None:
    stacks = {
        f"{name}-{copy}": replace(stack, label=f"{name}-{copy}")
        for name, stack in analyses.STACKS.items()
        for copy in ("a", "b", "c")
    }
    sheet = draw(
        analyses.swept(users=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512), stacks=stacks), "curves"
    )
    names = [text for text in sheet.texts if text.get_text() in stacks]
    assert len(names) == len(stacks) * len(METRICS)
    by_panel: dict[float, list[float]] = {}
    width, height = sheet.get_size_inches()
    for text in names:
        x, y = text.get_position()
        assert x * width + text_in(text.get_text()) <= width
        by_panel.setdefault((round(x, 4), y > 0.5), []).append(y * height)  # type: ignore[arg-type]
    for places in by_panel.values():
        places.sort()
        assert all(above - below > 0.14 for below, above in pairwise(places))


def test_places_are_spread_within_limits_where_they_have_room() -> None:
    assert spread([1.0, 1.05, 1.1], 0.2, 0.0, 5.0) == pytest.approx([1.0, 1.2, 1.4])
    assert spread([4.9, 4.95, 5.0], 0.2, 0.0, 5.0) == pytest.approx([4.6, 4.8, 5.0])
    assert spread([0.0, 0.0], 0.2, 0.0, 0.1) == pytest.approx([0.0, 0.2])


def test_every_measured_load_has_its_place_on_the_axis(analysis: Analysis) -> None:
    for axes in draw(analysis, "curves").axes:
        assert axes.get_xscale() == "log"
        labels = [label.get_text() for label in axes.get_xticklabels()]
        assert labels == ["1", "3", "10", "30", "100", "300", "1,000"]


def test_the_throughput_begins_at_zero_and_an_invalid_point_stretches_nothing(
    analysis: Analysis,
) -> None:
    (curve, *others) = analysis.curves
    point = curve.points[-1]
    wild = replace(point, throughput_rps=replace(point.throughput_rps, value=1e6))
    stretched = replace(
        analysis, curves=(replace(curve, points=(*curve.points[:-1], wild)), *others)
    )
    low, high = draw(stretched, "curves").axes[0].get_ylim()
    assert low == 0
    assert high < 2_000


def test_a_scenario_with_a_curve_does_not_list_which_loads_left_stacks_idle(
    analysis: Analysis,
) -> None:
    idle = replace(
        analysis,
        cells=tuple(
            replace(cell, limited_by_users=True, core_share=0.1) for cell in analysis.cells
        ),
    )
    assert "Limited by users or threads" not in shown(idle, 120)
    assert "Limited by users or threads" in shown(replace(idle, curves=()), 120)


def test_the_method_says_that_no_load_is_the_headline(analysis: Analysis) -> None:
    blocks = tuple(replace(block, family=Family.LOADS) for block in analysis.run.plan.blocks)
    plan = replace(analysis.run.plan, blocks=blocks)
    swept = replace(analysis, run=replace(analysis.run, plan=plan))
    said_of_it = "None of the loads is the one that was asked about"
    assert said_of_it in " ".join(method(View(swept)))
    assert said_of_it not in " ".join(method(View(analysis)))


def test_an_invalid_point_is_a_cross_in_its_stacks_colour(analysis: Analysis) -> None:
    look = View(analysis).looks["flask-gthread"]
    for axes in draw(analysis, "curves").axes:
        (cross,) = (line for line in axes.lines if line.get_marker() == "x")
        assert list(cross.get_xdata()) == [1000]
        assert cross.get_markeredgecolor() == look.colour


def test_a_curve_without_a_valid_point_is_drawn_and_ranked_nowhere() -> None:
    loads = (1, 10, 100)
    everything = {(stack, users): Failure.CLOSED for stack in analyses.STACKS for users in loads}
    analysis = analyses.swept(loads, invalid=everything)
    for axes in draw(analysis, "curves").axes:
        crosses = [line for line in axes.lines if line.get_marker() == "x"]
        assert len(crosses) == len(loads) * len(analyses.STACKS)
    assert all(words.startswith("nothing valid was measured.") for words in said(analysis).values())
    assert {row["knee"] for row in store.knee_rows(analysis)} == {None}
