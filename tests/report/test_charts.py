import math
from dataclasses import replace

import pytest

from harness.models import Analysis, Estimate
from harness.report import dark, palette
from harness.report.charts import CHARTS
from harness.report.view import View
from tests import analyses
from tests.report.odd import ODD, THOROUGHLY
from tests.report.reading import (
    caption,
    draw,
)

pytestmark = pytest.mark.busy


@pytest.mark.parametrize("case", ["usual", *THOROUGHLY])
def test_every_chart_asks_a_question(case: str, whole: Analysis) -> None:
    view = View(ODD.get(case, whole))
    for chart in CHARTS.values():
        if chart.has_something(view):
            words = chart.caption(view)
            assert words.title.endswith("?")
            assert words.title in [text.get_text() for text in chart.draw(view, words).texts]


def test_the_forests_title_names_who_is_compared(whole: Analysis) -> None:
    assert caption(whole, "ratios").title == "How does FastAPI compare with Flask?"
    itself = caption(analyses.against_itself(), "ratios").title
    assert itself == "How does fastapi-uvicorn compare with itself?"
    mixed = caption(analyses.many_stacks(4), "ratios").title
    assert mixed == "How do the other stacks compare with flask-variant-with-a-long-name-0?"


def test_an_estimate_without_limits_draws_no_whisker() -> None:
    def lines(rounds: int) -> int:
        drawn = draw(analyses.analysis(rounds=rounds, scenarios=["hello"]), "throughput")
        return len(drawn.axes[0].lines)

    assert lines(8) > 0
    assert lines(1) == 0
    note = caption(analyses.analysis(rounds=1), "throughput").note
    assert "no intervals" in note


def test_a_percentile_that_too_few_samples_support_is_not_drawn(whole: Analysis) -> None:
    def marks_at_p999(end: float) -> int:
        cells = tuple(
            replace(cell, latency_curve_ms=tuple(p for p in cell.latency_curve_ms if p[0] <= end))
            for cell in whole.cells
        )
        drawn = draw(replace(whole, cells=cells), "latency")
        places = [x for axes in drawn.axes for line in axes.lines for x in line.get_xdata()]
        return sum(1 for x in places if math.isclose(x, 3.0, abs_tol=0.1))

    assert marks_at_p999(1.0) > 0
    assert marks_at_p999(0.998) == 0


def test_throughput_axes_begin_at_zero_and_hold_every_valid_interval(whole: Analysis) -> None:
    panels = draw(whole, "throughput").axes
    for panel, cell in zip(panels, whole.run.plan.blocks, strict=True):
        low, high = panel.get_xlim()
        assert low == 0
        ends = [c.throughput_rps.high for c in whole.cells if c.scenario == cell.scenario.name]
        assert max(ends) < high


def test_a_long_timeline_is_thinned_and_says_so() -> None:
    analysis = analyses.analysis(rounds=60, scenarios=["hello"])
    assert len(analysis.cells[0].timeline) == 1500
    (panel,) = draw(analysis, "timeline").axes
    points = sum(len(line.get_xdata()) for line in panel.lines)
    assert points <= 2 * 300
    assert "mean of up to 7 neighbouring slices" in caption(analysis, "timeline").note


def test_rounds_are_not_joined_in_the_timeline(whole: Analysis) -> None:
    panel = draw(whole, "timeline").axes[0]
    assert len(panel.lines) == 2 * 8  # stacks × rounds


def test_a_line_of_the_timeline_is_dashed_as_its_legend_says() -> None:
    analysis = analyses.analysis(scenarios=["weather"])
    looks = palette.looks(analysis)
    dashed = {look.colour for look in looks.values() if look.dashes}
    (panel,) = draw(analysis, "timeline").axes
    drawn = {line.get_color() for line in panel.lines if line.get_linestyle() == "--"}
    assert len(dashed) == 2
    assert drawn == dashed


def test_whiskers_of_stacks_stand_beside_each_other(whole: Analysis) -> None:
    for axes in draw(whole, "latency").axes:
        places = [
            line.get_xdata()[0]
            for line in axes.lines
            if len(line.get_xdata()) == 2 and len(set(line.get_xdata())) == 1
        ]
        assert len(places) > 2
        assert len(set(places)) == len(places)


def test_every_colour_stands_out_from_light_and_from_dark_ground() -> None:
    for made in palette.variables():
        assert dark.contrast(made.light, palette.PAPER) >= 3, made
        assert dark.contrast(made.dark, "#1c2128") >= 3, made  # --card of the dark page


def test_looks_are_distinct_and_keep_to_their_family() -> None:
    looks = palette.looks(analyses.many_stacks(12))
    assert len(set(looks.values())) == 12
    warm = {look.colour for label, look in looks.items() if label.startswith("flask")}
    cold = {look.colour for label, look in looks.items() if label.startswith("fastapi")}
    assert not warm & cold


def test_a_well_known_stack_looks_the_same_beside_any_others() -> None:
    known = ("flask-gthread", "flask-gevent", "fastapi-uvicorn", "fastapi-aiohttp")
    twins = {label: label.partition("-")[0] for label in known}
    alone = palette.looks_of(twins)
    others = {"flask-x": "flask", "fastapi-x": "fastapi", "flask-y": "flask"}
    for beside in ({**others, **twins}, dict(reversed(twins.items())), {**twins, **others}):
        looks = palette.looks_of(beside)
        assert {label: looks[label] for label in known} == alone
        assert len(set(looks.values())) == len(beside)


def test_a_well_known_name_of_another_twin_takes_nobodys_look() -> None:
    looks = palette.looks_of({"flask-gthread": "fastapi", "fastapi-uvicorn": "fastapi"})
    assert looks["flask-gthread"] != looks["fastapi-uvicorn"]


@pytest.mark.parametrize("name", ["curves", "tradeoff", "timeline", "latency"])
def test_every_mark_of_a_stack_can_be_hidden_with_it(whole: Analysis, name: str) -> None:
    analysis = analyses.swept((1, 10, 100)) if name in {"curves", "tradeoff"} else whole
    sheet = draw(analysis, name)
    assert set(sheet.owners.values()) == {stack.label for stack in analysis.run.plan.stacks}
    drawn = [mark for axes in sheet.axes for mark in (*axes.lines, *axes.collections)]
    assert drawn
    assert all(sheet.owners.get(line.get_gid()) for line in drawn)


def test_every_colour_of_a_stack_is_seen_on_dark_paper_and_stays_its_own() -> None:
    looks = palette.looks(analyses.many_stacks(12)).values()
    shown = {look.colour: dark.on_dark(look.colour) for look in looks}
    paper = dark.on_dark(palette.PAPER)
    assert all(dark.contrast(colour, paper) >= 3 for colour in shown.values())
    assert len(set(shown.values())) == len(shown)
    assert dark.contrast(dark.on_dark(palette.INK), paper) > 7
    assert dark.contrast(dark.on_dark(palette.QUIET), paper) > 4.5


def test_an_interval_of_many_decades_does_not_flatten_the_latency_chart() -> None:
    usual = analyses.analysis(scenarios=["hello"])
    cells = tuple(
        replace(
            cell,
            latency_ms={
                key: Estimate(estimate.value, estimate.value / 1e5, estimate.value * 1e5)
                for key, estimate in cell.latency_ms.items()
            },
        )
        for cell in usual.cells
    )
    wide = replace(usual, cells=cells)
    (axes,) = draw(wide, "latency").axes
    low, high = axes.get_ylim()
    curve = [ms for cell in cells for quantile, ms in cell.latency_curve_ms if quantile >= 0.5]
    assert high / low < 1_000 * max(curve) / min(curve)
    assert low < min(curve) < max(curve) < high
    assert "goes on beyond it" in caption(wide, "latency").reading
    assert "goes on beyond it" not in caption(usual, "latency").reading
