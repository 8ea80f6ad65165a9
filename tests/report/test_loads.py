"""Several loads of one scenario in one run are told apart wherever a reader looks."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.models import Analysis, Arrivals, Load, Verdict
from harness.report import formats
from harness.report.content import Cell, Output
from harness.report.view import View
from harness.report.words.limits import limits
from tests import analyses
from tests.report.reading import (
    USUAL,
    Page,
    caption,
    draw,
    findings,
    folded,
    rows,
    shown,
    write,
)

pytestmark = pytest.mark.busy


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return analyses.two_loads()


@pytest.fixture(scope="module")
def folder(analysis: Analysis, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loads")
    write(analysis, folder)
    return folder


def test_a_load_is_named_only_where_a_scenario_has_several(analysis: Analysis) -> None:
    titles = [folded(part.title) for part in View(analysis).parts]
    assert titles == ["hello, 4 users", "hello, 64 users", "weather"]
    assert [part.title for part in View(analyses.analysis()).parts] == list(analyses.SCENARIOS)


def test_rates_that_are_alike_are_told_apart_by_their_arrivals() -> None:
    run = analyses.two_rates((200, 200)).run
    first, second = run.plan.blocks
    even = replace(second, load=Load(1000, 200, Arrivals.CONSTANT))
    made = replace(
        analyses.two_rates((200, 200)),
        run=replace(run, plan=replace(run.plan, blocks=(first, even))),
    )
    assert [folded(part.load_name) for part in View(made).parts] == [
        "200 requests/s, Poisson arrivals",
        "200 requests/s, evenly spaced",
    ]


def test_each_load_has_its_own_answer_in_the_order_of_the_plan(analysis: Analysis) -> None:
    texts = [folded(finding.text) for finding in findings(analysis)]
    ratios = [
        formats.ratio(made.ratio).replace(formats.NBSP, " ")
        for made in analysis.comparisons
        if (made.scenario, made.metric) == ("hello", "throughput_rps")
    ]
    assert ratios[0] != ratios[1]
    assert texts[0].startswith(f"With 4 users, FastAPI served {ratios[0]} as many requests")
    assert texts[1].startswith(f"With 64 users, FastAPI served {ratios[1]} as many requests")
    assert not texts[2].startswith("With ")  # weather has one load, which its card names


def is_fastapi(row: dict[str, Cell]) -> bool:
    return any(cell.text == "fastapi-uvicorn" for cell in row.values())


@pytest.mark.parametrize("name", ["comparisons", "measurements", "resources"])
def test_both_figures_stand_apart_in_every_table(
    analysis: Analysis, folder: Path, name: str
) -> None:
    of_hello = [row for row in rows(analysis, name) if row["Scenario"].text.startswith("hello")]
    loads = {
        folded(row["Load"].text if "Load" in row else row["Scenario"].text) for row in of_hello
    }
    assert loads in ({"4 users", "64 users"}, {"hello, 4 users", "hello, 64 users"})
    half = len(of_hello) // 2
    assert len(of_hello) == 2 * half
    heading = "Memory MiB" if name == "resources" else "Requests/s"
    (fast_at_4,), (fast_at_64,) = (
        [row[heading].value for row in group if is_fastapi(row)]
        for group in (of_hello[:half], of_hello[half:])
    )
    assert fast_at_4 is not None
    assert fast_at_64 is not None
    assert fast_at_64 > 1.2 * fast_at_4
    markdown = folded((folder / "summary.md").read_text())
    for row in of_hello:
        start = [row["Scenario"].text, *([row["Load"].text] if name == "comparisons" else [])]
        assert folded(f"| {' | '.join(start)} |") in markdown


def test_figures_of_the_tables_are_those_of_their_cell(analysis: Analysis) -> None:
    told = rows(analysis, "measurements")
    for row, cell in zip(told, analysis.cells, strict=True):
        assert row["Requests/s"].value == cell.throughput_rps.value
        assert row["Requests"].value == cell.requests
        assert row["p99 ms"].value == cell.latency_ms["p99"].value
        assert (row["Scenario"].text, row["Stack"].text) == (cell.scenario, cell.stack)
        assert folded(row["Load"].text) == f"{cell.load.removeprefix('closed-')} users"
    efforts = rows(analysis, "measuring time", Output.PAGE)
    assert [folded(row["Load"].text) for row in efforts] == ["4 users", "64 users", "64 users"]


def test_a_terminal_tells_them_apart(analysis: Analysis) -> None:
    for width in (80, 120):
        lines = shown(analysis, width).replace(formats.NBSP, " ").splitlines()
        assert max(map(len, lines)) <= width
        (small,) = (
            place for place, line in enumerate(lines) if "4 users" in line and "64" not in line
        )
        (large,) = (place for place, line in enumerate(lines) if "64 users" in line)
        assert small < large
        rates = [lines[place + 1].split()[1] for place in (small, large)]
        expected = [
            formats.number(cell.throughput_rps.value)
            for cell in analysis.cells
            if (cell.scenario, cell.stack) == ("hello", "fastapi-uvicorn")
        ]
        assert rates == expected


def test_every_chart_has_a_place_for_each(analysis: Analysis) -> None:
    for name in USUAL:
        alt = folded(caption(analysis, name).alt)
        assert "hello, 4 users: " in alt
        assert "hello, 64 users: " in alt
        assert "weather: " in alt
    drawn = [folded(text.get_text()) for text in draw(analysis, "ratios").texts]
    assert drawn.index("hello, 4 users") < drawn.index("hello, 64 users") < drawn.index("weather")
    for name in ("throughput", "latency", "cpu", "timeline"):
        sheet = draw(analysis, name)
        assert len(sheet.axes) == 3
        heads = [folded(text.get_text()) for text in sheet.texts]
        assert "framework cost · 4 users" in heads
        assert "framework cost · 64 users" in heads


def test_bars_have_the_length_of_their_own_load(analysis: Analysis) -> None:
    small, large, _ = draw(analysis, "throughput").axes
    expected = [cell.throughput_rps.value for cell in analysis.cells]
    lengths = [bar.get_width() for axes in (small, large) for bar in axes.patches]
    assert lengths == pytest.approx(expected[:4])


def test_what_is_invalid_under_one_load_is_not_so_under_the_other() -> None:
    analysis = analyses.two_loads()
    (broken, *_) = analysis.cells
    cells = tuple(
        replace(cell, gates=(analyses.BROKEN,)) if cell is broken else cell
        for cell in analysis.cells
    )
    comparisons = tuple(
        replace(made, verdict=Verdict.INVALID) if made.block == broken.key.block else made
        for made in analysis.comparisons
    )
    first, second, *_ = findings(replace(analysis, cells=cells, comparisons=comparisons))
    assert first.verdict is Verdict.INVALID
    assert second.verdict is Verdict.FASTER
    told = folded(" ".join(limits(View(replace(analysis, cells=cells)))))
    assert "flask-gthread in hello with 4 users" in told


def test_the_page_groups_both_loads_below_one_question(analysis: Analysis, folder: Path) -> None:
    page = Page((folder / "index.html").read_text())
    question = analyses.SCENARIOS["hello"][1]
    assert page.text.count(question) == 1
    assert page.text.index(question) < page.text.index("With 4 users, FastAPI")
    other = page.text.index(analyses.SCENARIOS["weather"][1])
    assert other < page.text.index(question)  # weather is I/O-bound, and stands before
    assert page.text.index("With 4 users, FastAPI") < page.text.index("With 64 users, FastAPI")
