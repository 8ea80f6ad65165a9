import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from harness.models import Analysis, Verdict
from harness.report import formats
from harness.report.verdicts import MARKS
from harness.report.view import View
from harness.report.words.attribution import LADDER_NOTE
from harness.report.words.method import method
from harness.report.words.surprises import differences
from tests import analyses
from tests.report.reading import (
    WINNER,
    Page,
    caption,
    draw,
    findings,
    folded,
    rows,
    shown,
    steps,
    write,
)

pytestmark = pytest.mark.busy


def with_verdicts(
    analysis: Analysis, verdict: Verdict, only: tuple[str, str] | None = None
) -> Analysis:
    """The same with another verdict on its steps, or on one pair."""
    steps = analysis.run.plan.blocks[0].steps if only is None else (only,)
    return replace(
        analysis,
        comparisons=tuple(
            replace(c, verdict=verdict) if (c.baseline, c.candidate) in steps else c
            for c in analysis.comparisons
        ),
    )


def test_a_waterfall_is_written_only_where_a_ladder_was_measured_and_none_is_left_behind(
    climbed: tuple[Analysis, Path], tmp_path: Path
) -> None:
    _, folder = climbed
    assert (folder / "charts" / "waterfall.svg").is_file()
    assert (folder / "charts" / "waterfall.png").is_file()
    assert 'id="waterfall"' in (folder / "index.html").read_text()
    assert "charts/waterfall.svg" in (folder / "summary.md").read_text()
    (tmp_path / "charts").mkdir()
    for kind in ("svg", "png"):
        (tmp_path / "charts" / f"waterfall.{kind}").write_text("of an earlier report")
    write(analyses.analysis(scenarios=[]), tmp_path)
    assert not list(tmp_path.rglob("waterfall.*"))
    assert "waterfall" not in (tmp_path / "index.html").read_text()
    assert "waterfall" not in (tmp_path / "summary.md").read_text()


def test_every_step_appears_with_ratio_interval_and_verdict(
    climbed: tuple[Analysis, Path],
) -> None:
    analysis, folder = climbed
    page = Page((folder / "index.html").read_text()).text
    markdown = (folder / "summary.md").read_text()
    terminal = shown(analysis, 100)
    told = rows(analysis, "steps")
    assert [row["Step"].text for row in told] == [
        "server: gunicorn → granian",
        "framework: Flask → FastAPI",
        "server: granian → uvicorn",
        "client: requests → httpx",
        "handlers: def → async def",
        "Flask → FastAPI",
        "client: httpx → aiohttp",
    ]
    for row in told:
        step, pair, made = row["Step"], row["After ÷ before"].text, row["Requests/s"]
        assert made.verdict is not None
        assert f"| {step.text} | {pair} | {made.text} {made.detail}" in markdown
        sign = MARKS[made.verdict].sign
        assert folded(f"{made.text} {sign} {made.verdict} {made.detail}") in page
        (line,) = (line for line in terminal.splitlines() if f"  {step.text}  " in line)
        assert f"{made.text} {made.detail}" in line
        assert str(made.verdict) in line
        if not step.is_strong:
            assert step.text in caption(analysis, "waterfall").alt


def test_the_steps_stay_out_of_the_ordinary_comparisons(climbed: tuple[Analysis, Path]) -> None:
    analysis, _ = climbed
    plain = analyses.analysis(scenarios=["weather", "hello"])

    def pairs(of: Analysis) -> list[tuple[str, str, str]]:
        return [
            (
                row["Scenario"].text,
                row["Candidate ÷ baseline"].text,
                row["Candidate ÷ baseline"].detail,
            )
            for row in rows(of, "comparisons")
        ]

    assert pairs(analysis) == pairs(plain)
    assert caption(analysis, "ratios").title == caption(plain, "ratios").title
    drawn = [text.get_text() for text in draw(analysis, "ratios").texts]
    assert not {"flask-granian", "fastapi-def", "fastapi-def-httpx"} & set(drawn)
    told = list(findings(analysis))
    alone = [found for found in told if "framework only" in " ".join(found.labels)]
    assert len(alone) == 1
    # Rungs may be the best of their side, and no ordinary comparison.
    best = [found for found in told if found.verdict is None]
    assert len(told) == len(list(findings(plain))) + len(alone) + len(best)


def test_a_bar_begins_where_the_one_above_it_ends(climbed: tuple[Analysis, Path]) -> None:
    (panel,) = draw(climbed[0], "waterfall").axes
    assert panel.get_xscale() == "log"
    ends = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in panel.patches]
    *steps, total, beyond = ends
    for (_, end), (begin, _) in pairwise(steps):
        assert begin == pytest.approx(end)
    assert total == pytest.approx((steps[0][0], steps[-1][1]))
    assert beyond[0] == pytest.approx(total[1])
    low, high = panel.get_xlim()
    assert all(low < value < high for pair in ends for value in pair)


def test_the_bars_of_steps_that_lead_on_from_the_goal_all_begin_where_the_total_ends() -> None:
    analysis = analyses.analysis(scenarios=["users-lookup"], ladder=["users-lookup"])
    assert [climb.words for climb in View(analysis).climbing[0].climbs if climb.step.beyond] == [
        "driver: psycopg → asyncpg",
        "collector: default → gc.freeze()",
    ]
    (panel,) = draw(analysis, "waterfall").axes
    *steps, total, driver, collector = panel.patches
    ends = total.get_x() + total.get_width()
    assert [bar.get_x() for bar in (driver, collector)] == pytest.approx([ends, ends])
    joined = [line for line in panel.lines if len(set(line.get_xdata())) == 1]
    joints = [line for line in joined if np.ptp(line.get_ydata()) == 1]
    assert len(joints) == len(steps) - 1


@pytest.mark.parametrize("verdict", [Verdict.SAME, Verdict.INCONCLUSIVE])
def test_a_step_without_a_verdict_is_muted_and_said_to_be_so(
    climbed: tuple[Analysis, Path], verdict: Verdict
) -> None:
    analysis = with_verdicts(climbed[0], verdict)
    (panel,) = draw(analysis, "waterfall").axes
    *steps, total, beyond = [mpl.colors.to_hex(bar.get_facecolor()) for bar in panel.patches]
    assert {*steps, beyond} == {MARKS[verdict].bar}
    assert total == MARKS[Verdict.SLOWER].bar
    assert MARKS[verdict].bar not in (
        MARKS[Verdict.SLOWER].bar,
        MARKS[Verdict.FASTER].bar,
    )
    words = MARKS[verdict].step
    assert ("too small to matter" in words) == (verdict is Verdict.SAME)
    assert ("too uncertain" in words) == (verdict is Verdict.INCONCLUSIVE)
    assert caption(analysis, "waterfall").alt.count(words) == 6


def test_only_steps_with_a_verdict_account_for_the_total(climbed: tuple[Analysis, Path]) -> None:
    analysis = with_verdicts(climbed[0], Verdict.INCONCLUSIVE, ("fastapi-def", "fastapi-def-httpx"))
    total, noise, unknown, beyond, unused = steps(analysis)
    assert "fastapi-uvicorn served 0.22\N{NO-BREAK SPACE}×" in total.text
    assert "handlers (def → async def)" in total.text
    assert "client" not in total.text
    assert noise.text.startswith("Too small to matter: server (granian → uvicorn)")
    assert unknown.text.startswith("Too uncertain to attribute: client (requests")
    assert beyond.text.startswith("Beyond fastapi-uvicorn: client (httpx → aiohttp)")
    assert unused.text.startswith(
        "No step of its own in this scenario: validation, driver and collector."
    )
    assert not WINNER.search(noise.text + unknown.text + unused.text)


def test_each_scenarios_steps_are_told_in_one_paragraph_of_the_summary(
    climbed: tuple[Analysis, Path],
) -> None:
    _, folder = climbed
    section = (folder / "summary.md").read_text().split("step by step")[1].split("## ")[0]
    (told,) = (line for line in section.splitlines() if line.startswith("- "))
    assert told.startswith("- In weather, ")
    assert "Too small to matter: " in told
    assert "No step of its own in this scenario" in told


def test_the_shares_are_those_of_the_logarithms_and_some_may_go_against_it(
    climbed: tuple[Analysis, Path],
) -> None:
    text = steps(climbed[0])[0].text.replace(formats.NBSP, " ")
    by_pair = {
        (c.baseline, c.candidate): c.ratio
        for c in climbed[0].comparisons
        if (c.scenario, c.metric) == ("weather", "throughput_rps")
    }
    whole = math.log(by_pair["flask-gthread", "fastapi-uvicorn"])
    client = math.log(by_pair["fastapi-def", "fastapi-def-httpx"]) / whole
    server = math.log(by_pair["flask-gthread", "flask-granian"]) / whole
    assert f"client (requests → httpx) 0.45 × accounts for {100 * client:.0f} %" in text
    assert server < 0
    assert f"server (gunicorn → granian) 1.20 × goes against it by {-100 * server:.0f} %" in text


@pytest.mark.parametrize(
    ("ratio", "rounds", "words"),
    [
        ((1.01, 0.99, 1.02), 8, "So no step has a share in it."),
        ((0.5, 0.2, 1.3), 8, "So no step has a share in it."),
        ((0.5, 0.4, 0.6), 2, "So no step has a share in it."),
        ((1.08, 1.06, 1.10), 8, "That is too little to be shared out."),
        ((0.93, 0.91, 0.95), 8, "That is too little to be shared out."),
    ],
)
def test_a_total_that_is_small_or_not_resolved_is_not_shared_out(
    ratio: tuple[float, float, float], rounds: int, words: str
) -> None:
    analysis = analyses.analysis(
        scenarios=["weather"],
        ladder=["weather"],
        rounds=rounds,
        ratios={("weather", "fastapi-uvicorn"): ratio},
    )
    first = steps(analysis)[0].text
    assert words in first
    assert "accounts for" not in first


def test_a_broken_rung_is_named_and_its_steps_are_not_drawn() -> None:
    analysis = analyses.analysis(
        scenarios=["weather"],
        ladder=["weather"],
        invalid={("weather", "fastapi-def"): analyses.BROKEN},
    )
    sheet = draw(analysis, "waterfall")
    assert len(sheet.axes[0].patches) == 5  # of seven
    reasons = [text.get_text() for text in sheet.texts if "fastapi-def: errors" in text.get_text()]
    assert len(reasons) == 2
    (invalid,) = (step for step in steps(analysis) if step.verdict is Verdict.INVALID)
    assert analyses.BROKEN.reason in invalid.text
    assert analyses.BROKEN.reason in caption(analysis, "waterfall").alt
    assert "client" not in steps(analysis)[0].text
    broken = [
        row for row in rows(analysis, "steps") if row["Requests/s"].verdict is Verdict.INVALID
    ]
    assert [row["Step"].text for row in broken] == [
        "server: granian → uvicorn",
        "client: requests → httpx",
    ]


def test_two_rounds_make_a_waterfall_without_verdicts() -> None:
    analysis = analyses.analysis(scenarios=["weather"], ladder=["weather"], rounds=2)
    (panel,) = draw(analysis, "waterfall").axes
    colours = {mpl.colors.to_hex(bar.get_facecolor()) for bar in panel.patches}
    assert colours == {MARKS[Verdict.INCONCLUSIVE].bar}
    assert not any(WINNER.search(step.text) for step in steps(analysis))


def test_an_interval_beyond_the_drawing_ends_in_an_arrowhead_and_leaves_the_bars_wide() -> None:
    analysis = analyses.analysis(
        scenarios=["weather"],
        ladder=["weather"],
        rounds=2,
        ratios={("weather", "fastapi-uvicorn"): (0.221, 0.0001, 400.0)},
    )
    (panel,) = draw(analysis, "waterfall").axes
    low, high = panel.get_xlim()
    assert high / low < 100
    assert {"<", ">"} <= {line.get_marker() for line in panel.lines}


def test_a_ladder_under_open_load_is_one_of_median_latency() -> None:
    analysis = analyses.open_load(scenarios=["weather"], ladder=["weather"])
    (panel,) = draw(analysis, "waterfall").axes
    medians = {cell.stack: cell.latency_ms["p50"].value for cell in analysis.cells}
    assert panel.patches[0].get_x() == pytest.approx(medians["flask-gthread"])
    assert caption(analysis, "waterfall").note.startswith("Median latency from rung to rung")
    assert "as long for the median request as flask-gthread" in steps(analysis)[0].text


def test_the_report_says_how_steps_are_corrected_only_where_there_are_any(
    whole: Analysis, climbed: tuple[Analysis, Path]
) -> None:
    assert any(
        "all steps of a metric are corrected" in sentence for sentence in method(View(climbed[0]))
    )
    assert not any("all steps of a metric" in sentence for sentence in method(View(whole)))
    assert LADDER_NOTE in Page((climbed[1] / "index.html").read_text()).text


def test_stacks_that_differ_in_their_number_of_workers_are_said_to() -> None:
    stack = analyses.STACKS["flask-gthread"]
    other = replace(stack, label="other", workers="2n+1")
    assert differences([stack, other]) == {"workers": {stack.label: "the default", "other": "2n+1"}}
    assert differences([stack, stack]) == {}
