"""That a server can't keep up is a finding, and no fault of the measurement."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.models import OTHER_CORES, SERVER_CORES, Analysis, Verdict
from harness.report import palette
from harness.report.content import Bullets
from tests import analyses
from tests.report.reading import (
    WINNER,
    Page,
    caption,
    draw,
    findings,
    folded,
    rows,
    section,
    shown,
    write,
)

pytestmark = pytest.mark.busy


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return analyses.two_rates()


def test_an_overloaded_stack_is_named_as_that_everywhere(
    analysis: Analysis, tmp_path: Path
) -> None:
    write(analysis, tmp_path)
    for text in (
        Page((tmp_path / "index.html").read_text()).text,
        (tmp_path / "summary.md").read_text(),
        shown(analysis, 120),
    ):
        assert "overloaded" in text
        assert "it answered 1,707 of 5,000 requests/s" in folded(text)
    for name in ("throughput", "latency", "timeline"):
        assert analyses.OVERLOAD.text in caption(analysis, name).alt


def test_its_latency_is_not_ranked_and_its_cpu_time_is(analysis: Analysis) -> None:
    lower, higher = findings(analysis)
    assert lower.verdict is Verdict.FASTER
    assert higher.verdict is Verdict.OVERLOADED
    assert higher.text.endswith(
        "the latency of FastAPI and Flask is not compared, because Flask is overloaded: it "
        "answered 1,707 of 5,000 requests/s."
    )
    assert not WINNER.search(higher.text)
    row = rows(analysis, "comparisons")[1]
    assert row["Median latency"].verdict is Verdict.OVERLOADED
    assert row["Median latency"].value is None
    assert row["CPU per request"].verdict is Verdict.FASTER
    assert row["CPU per request"].value is not None


def test_a_stack_without_a_comparison_is_called_overloaded_too() -> None:
    alone = analyses.open_load(
        5000,
        scenarios=["hello"],
        figures={"hello": {"flask-gthread": analyses.SCENARIOS["hello"][4]["flask-gthread"]}},
    )
    (finding,) = findings(analyses.overloaded(alone))
    assert finding.verdict is Verdict.OVERLOADED
    assert finding.text.endswith(f"Flask is {analyses.OVERLOAD.text}.")


def test_a_terminal_has_its_own_word_for_it(analysis: Analysis) -> None:
    lines = shown(analysis, 100).splitlines()
    flask, fastapi = (
        next(line for line in lines[5:] if name in line) for name in ("flask-", "fastapi-")
    )
    assert "! overloaded" in flask
    assert "not compared" in fastapi
    assert "×" not in fastapi
    assert analysis.valid


def test_its_bar_keeps_its_colour_and_says_so(analysis: Analysis) -> None:
    sheet = draw(analysis, "throughput")
    words = [text.get_text() for axes in sheet.axes for text in axes.texts]
    assert "1,710 overloaded" in words
    colours = {bar.get_facecolor() for axes in sheet.axes for bar in axes.patches}
    assert len(colours) == 2
    assert palette.BAND not in colours


def test_a_cell_may_be_overloaded_and_invalid(analysis: Analysis) -> None:
    cells = tuple(
        replace(cell, gates=(analyses.LATE,)) if cell.overloaded else cell
        for cell in analysis.cells
    )
    (row,) = (
        row
        for row in rows(replace(analysis, cells=cells), "measurements")
        if row["Stack"].verdict is not None
    )
    assert row["Stack"].verdict is Verdict.INVALID


def test_who_else_used_the_servers_cores_is_said_from_one_percent_on() -> None:
    whole = analyses.analysis(scenarios=["hello"])
    flask, fastapi = whole.cells
    loud_share = {SERVER_CORES: 0.48, OTHER_CORES: 0.07}
    quiet = replace(
        whole,
        cells=(replace(flask, foreign_share={SERVER_CORES: 0.01}, steal_share={}), fastapi),
    )
    loud = replace(
        whole,
        cells=(
            replace(flask, foreign_share=loud_share, steal_share={SERVER_CORES: 0.021}),
            fastapi,
        ),
    )
    sentence = (
        "While flask-gthread was measured in hello, other processes used 48 % of the servers' "
        "cores, the host took away 2.1 % of the servers' cores and other processes used 7 % of the "
        "cores of load and services."
    )
    for width in (80, 120):
        assert sentence in folded(shown(loud, width))
        assert "other processes" not in shown(quiet, width)
    (told,) = (block for block in section(loud, "resources").blocks if isinstance(block, Bullets))
    assert folded(told.items[0]) == sentence
    assert not [b for b in section(quiet, "resources").blocks if isinstance(b, Bullets)]


def test_where_many_cells_shared_their_cores_one_sentence_says_how_much_at_most() -> None:
    whole = analyses.analysis()
    cells = [
        replace(cell, foreign_share={SERVER_CORES: 0.02 + 0.001 * position}, steal_share={})
        for position, cell in enumerate(whole.cells)
    ]
    count = len(cells)
    assert count > 6
    text = folded(shown(replace(whole, cells=(*cells[:-1], whole.cells[-1])), 120))
    worst = cells[-2]
    assert (
        f"In {count - 1} of {count} cells, the cores were shared with others. At most, other"
        in text
    )
    assert f"(while {worst.stack} was measured in {worst.scenario})." in text
    assert text.count("other processes used") == 1
