import math
import re
from dataclasses import replace

import pytest

from harness.models import Analysis, Placement, SliceSource, Verdict
from harness.report import formats
from harness.report.content import Output
from harness.report.view import View
from harness.report.words.answers import answers, names_note
from harness.report.words.limits import limits
from harness.report.words.method import method
from harness.report.words.pairs import BEST
from harness.report.words.ratios import why_inconclusive
from harness.report.words.surprises import surprises
from tests import analyses
from tests.report.reading import (
    WINNER,
    caption,
    comparison,
    findings,
    folded,
    rows,
)

pytestmark = pytest.mark.busy


def test_a_winner_is_named_with_ratio_interval_and_verdict() -> None:
    analysis = analyses.analysis(
        scenarios=["hello"], ratios={("hello", "fastapi-uvicorn"): (2.34, 2.27, 2.42)}
    )
    (finding,) = findings(analysis)
    assert finding.text.replace(formats.NBSP, " ") == (
        "FastAPI served 2.34 × as many requests per second as Flask (2.27 to 2.42): 4,080 against "
        "1,740."
    )


@pytest.mark.parametrize(
    "ratio",
    [(1.01, 0.99, 1.02), (1.02, 0.95, 1.10), (1.30, 0.98, 1.70), (0.90, 0.80, 1.01)],
)
@pytest.mark.parametrize("rounds", [2, 8])
def test_without_a_verdict_no_sentence_names_a_winner(
    ratio: tuple[float, float, float], rounds: int
) -> None:
    analysis = analyses.analysis(
        scenarios=["hello"], rounds=rounds, ratios={("hello", "fastapi-uvicorn"): ratio}
    )
    (finding,) = findings(analysis)
    assert finding.verdict in (Verdict.SAME, Verdict.INCONCLUSIVE)
    assert not WINNER.search(finding.text)
    assert f"({formats.ratio_limits(*ratio)})" in finding.text


@pytest.mark.parametrize("verdict", [Verdict.SAME, Verdict.INCONCLUSIVE])
def test_many_candidates_without_a_verdict_name_no_winner(verdict: Verdict) -> None:
    analysis = analyses.many_stacks(6)
    undecided = tuple(replace(made, verdict=verdict) for made in analysis.comparisons)
    found = list(findings(replace(analysis, comparisons=undecided)))
    best = [finding for finding in found if finding.labels]
    grouped = [finding for finding in found if not finding.labels]
    assert len(grouped) == 2  # one for each scenario
    for finding in found:
        assert not WINNER.search(finding.text)
    assert sum(finding.text.count("×") for finding in found) == 2 * 5
    assert all(finding.labels == (BEST,) for finding in best)


def test_many_candidates_are_grouped_by_verdict_and_none_is_lost() -> None:
    analysis = analyses.many_stacks(12)
    for card in answers(View(analysis)):
        text = " ".join(finding.text for finding in card.findings)
        for cell in analysis.cells:
            assert cell.scenario != card.name or cell.stack in text


def test_inconclusive_says_what_would_help() -> None:
    wide = comparison(1.06, 0.99, 1.13, Verdict.INCONCLUSIVE)
    words = why_inconclusive(wide).replace(formats.NBSP, " ")
    assert "partly within ±3 %" in words
    needed = int(re.findall(r"about (\d+) rounds", words)[0])
    assert 8 < needed < 30
    timed = why_inconclusive(wide, round_s=10.0).replace(formats.NBSP, " ")
    assert f"about {needed} rounds (about {math.ceil(needed / 6)} min of it alone) would" in timed

    few = comparison(2.3, 2.2, 2.4, Verdict.INCONCLUSIVE, rounds=2)
    assert "at least 5" in why_inconclusive(few)

    on_the_edge = comparison(1.0299, 1.01, 1.05, Verdict.INCONCLUSIVE)
    assert "even 200 rounds would not settle it" in why_inconclusive(on_the_edge)

    corrected = comparison(1.10, 1.04, 1.16, Verdict.INCONCLUSIVE)
    assert "corrected" in why_inconclusive(corrected)

    unknown = comparison(1.10, math.nan, math.nan, Verdict.INCONCLUSIVE)
    assert "no interval" in why_inconclusive(unknown)


def test_opposite_verdicts_within_a_twin_show_that_the_variant_decides(whole: Analysis) -> None:
    (surprise,) = surprises(View(whole))
    words = surprise.replace(formats.NBSP, " ")
    assert words == (
        "In weather, the HTTP client matters more than the framework: FastAPI is slower than Flask "
        "with httpx (0.22 ×), but faster with httpx2 (1.47 ×) and aiohttp (1.55 ×)."
    )


def test_stacks_that_differ_in_several_things_are_called_variants(whole: Analysis) -> None:
    stacks = tuple(
        replace(stack, workers="n", settings={**stack.settings, "database_driver": "asyncpg"})
        if stack.label == "fastapi-aiohttp"
        else stack
        for stack in whole.run.plan.stacks
    )
    run = replace(whole.run, plan=replace(whole.run.plan, stacks=stacks))
    (surprise,) = surprises(View(replace(whole, run=run)))
    words = folded(surprise)
    assert "In weather, the variant matters more than the framework: compared with Flask," in words
    assert "fastapi-uvicorn (0.22 ×) is slower" in words
    assert "fastapi-httpx2 (1.47 ×) and fastapi-aiohttp (1.55 ×) are faster" in words
    assert "number of workers (the default, n)" in words
    assert "HTTP client (httpx, httpx2, aiohttp)" in words
    assert "database driver (the default, asyncpg)" in words


def test_no_surprise_where_a_twin_is_of_one_mind() -> None:
    assert surprises(View(analyses.analysis(scenarios=["hello", "cpu-python"]))) == ()


def test_more_requests_at_a_longer_tail_is_a_surprise() -> None:
    analysis = analyses.analysis(scenarios=["hello"])
    turned = tuple(
        replace(made, ratio=1.8, verdict=Verdict.SLOWER)
        if made.metric in ("latency_p99_ms", "cpu_us_per_request")
        else made
        for made in analysis.comparisons
    )
    tail, cpu = surprises(View(replace(analysis, comparisons=turned)))
    assert folded(tail).endswith(
        "yet it took 1.80 × as long for the slowest of a hundred requests (p99)."
    )
    assert "yet it used 1.80 × as much CPU time per request: it gains by waiting less" in folded(
        cpu
    )


def test_a_stack_that_differs_from_itself_discredits_the_run() -> None:
    analysis = analyses.against_itself()
    assert surprises(View(analysis)) == ()
    made = tuple(replace(made, verdict=Verdict.FASTER) for made in analysis.comparisons)
    found = surprises(View(replace(analysis, comparisons=made)))
    assert "fastapi-uvicorn differs from itself" in found[0]


def test_limits_follow_from_the_run(whole: Analysis) -> None:
    def told(analysis: Analysis) -> str:
        return " ".join(limits(View(analysis))).replace(formats.NBSP, " ")

    assert "cut off after 2 of 8 rounds" in told(analyses.analysis(rounds=2, cut_off=True))
    assert "there is no verdict" in told(analyses.analysis(rounds=4))
    assert "there are no intervals" in told(analyses.analysis(rounds=1))
    assert "there are no intervals" not in told(analyses.analysis(rounds=2))
    some = analyses.analysis(rounds=6, fewer={"hello": 4}, cut_off=True)
    assert "In hello, with 4 rounds at most, there is no verdict" in told(some)
    assert "there is no verdict" not in told(whole)
    assert "was not checked before" in told(whole)
    assert "up to 6 % of a core" in told(replace(whole, idle_core_share=0.06))
    assert "1 of 14 measurements is invalid" in told(analyses.with_invalid_cell())
    shared = replace(whole.run, placement=Placement((0,), (0,), (0,), "one core only"))
    assert "Placement: one core only." in told(replace(whole, run=shared))
    noted = replace(whole.run, notes=("resumed at 2026-04-01T11:00:00+00:00", "r.part: set aside"))
    assert "Noted in the run: resumed at 2026-04-01T11:00:00+00:00." in told(
        replace(whole, run=noted)
    )
    assert "r.part: set aside." in told(replace(whole, run=noted))


def test_services_of_somebody_else_and_limits_are_told(whole: Analysis) -> None:
    def told(**facts: object) -> str:
        run = replace(
            whole.run,
            environment={**whole.run.environment, **facts},
            placement=Placement((0,), (1,), (1,)),
        )
        analysis = replace(whole, run=run)
        words = (*method(View(analysis)), *limits(View(analysis)))
        return " ".join(words).replace(formats.NBSP, " ")

    ours = told()
    assert "The load shared its core with PostgreSQL and the upstream" in ours
    assert "Not started by twinbench" not in ours
    assert "were allowed" not in ours
    theirs = told(database="127.0.0.1:5432/mine")
    assert "Not started by twinbench: PostgreSQL (127.0.0.1:5432/mine)." in theirs
    assert "The load shared its core with the upstream" in theirs
    both = told(database="db:5432/mine", upstream="here:8100")
    assert "PostgreSQL (db:5432/mine) and upstream (here:8100)" in both
    assert "shared its core" not in both
    assert "PostgreSQL on core" not in both
    limited = told(container={"cpu_cores": 1.5, "memory_bytes": 2 << 30})
    assert "allowed 1.5 cores of CPU time and 2,048 MiB of memory" in limited
    assert "servers and load stood still" in limited
    assert "stood still" not in told(container={"cpu_cores": 2.0, "memory_bytes": None})


def test_services_that_no_scenario_needs_are_not_mentioned(whole: Analysis) -> None:
    blocks = tuple(
        replace(block, scenario=replace(block.scenario, needs=()))
        for block in whole.run.plan.blocks
    )
    run = replace(
        whole.run,
        plan=replace(whole.run.plan, blocks=blocks),
        environment={**whole.run.environment, "database": "127.0.0.1:5432/mine"},
        placement=Placement((0,), (1,), (1,)),
    )
    view = View(replace(whole, run=run))
    words = " ".join((*method(view), *limits(view)))
    assert "load on core 1" in words
    assert "PostgreSQL" not in words
    assert "shared its core" not in words


def test_a_calibrated_run_says_how_equal_a_stack_was_to_itself_and_when(whole: Analysis) -> None:
    words = " ".join(limits(View(analyses.calibrated(whole)))).replace(formats.NBSP, " ")
    assert "found it equal to itself within" in words
    assert "±4.5 % (requests per second)" in words
    assert "±21 % (p99 latency)" in words
    assert "on 12 March 2026 in 9 rounds" in words
    without = " ".join(limits(View(whole))).replace(formats.NBSP, " ")
    assert "was not checked before" in without
    assert "twinbench calibrate" in without


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (SliceSource.CALIBRATION, "20 ms, which is what the noise of this machine asks for"),
        (SliceSource.DEFAULT, "20 ms, the length for machines whose noise"),
        (SliceSource.OPTION, "20 ms, as --slice said."),
    ],
)
def test_the_report_says_how_long_slices_were_to_be_and_why(
    whole: Analysis, source: SliceSource, words: str
) -> None:
    plan = replace(whole.run.plan, slice_source=source, usual_slice_s=0.02)
    said = " ".join(method(View(replace(whole, run=replace(whole.run, plan=plan)))))
    assert f"Slices were planned to last {words}" in said.replace(formats.NBSP, " ")
    assert "were planned to last" not in " ".join(method(View(whole)))  # an older run


def test_the_report_says_what_the_reader_calls_too_small_to_matter(whole: Analysis) -> None:
    plan = replace(whole.run.plan, same_within=0.01)
    words = " ".join(method(View(replace(whole, run=replace(whole.run, plan=plan)))))
    assert "lies within ±1 %" in words.replace(formats.NBSP, " ")


def test_scenarios_that_were_precise_enough_are_told_and_not_called_cut_off() -> None:
    analysis = analyses.analysis(precision=0.05, fewer={"hello": 5, "weather": 6})
    words = " ".join(method(View(analysis))).replace(formats.NBSP, " ")
    assert "narrower than ±5 %" in words
    assert "the width alone decides that, never who leads" in words
    assert "hello after 5 rounds, weather after 6 rounds" in words
    assert "cut off" not in " ".join((*limits(View(analysis)), *method(View(analysis))))
    assert "5 to 8 rounds" in caption(analysis, "ratios").note.replace(formats.NBSP, " ")


def test_of_a_run_that_was_cut_off_only_what_a_later_round_left_out_had_stopped() -> None:
    analysis = analyses.analysis(rounds=6, precision=0.05, fewer={"hello": 5}, cut_off=True)
    words = " ".join(method(View(analysis))).replace(formats.NBSP, " ")
    assert "These stopped early: hello after 5 rounds." in words
    nothing = analyses.analysis(rounds=6, precision=0.05, cut_off=True)
    assert "None stopped before its last round." in " ".join(method(View(nothing)))


def test_time_under_load_counts_each_scenarios_own_rounds() -> None:
    analysis = analyses.analysis(scenarios=["hello", "weather"], fewer={"hello": 5})
    hello, weather = analysis.run.plan.blocks
    seconds = 5 * hello.seconds_per_round + 8 * weather.seconds_per_round
    assert formats.duration(seconds) in " ".join(method(View(analysis)))
    efforts = rows(analysis, "measuring time", Output.PAGE)
    assert [row["Rounds"].value for row in efforts] == [5, 8]
    assert [row["Under load, all rounds"].value for row in efforts] == [
        pytest.approx(5 * hello.seconds_per_round),
        pytest.approx(8 * weather.seconds_per_round),
    ]


def test_a_framework_stands_for_one_stack_in_the_whole_run() -> None:
    own = analyses.SCENARIOS["hello"][4]
    weather = analyses.SCENARIOS["weather"][4]
    both = {
        "hello": dict(own),
        "weather": {name: weather[name] for name in ("flask-gthread", "fastapi-aiohttp")},
    }
    analysis = analyses.analysis(scenarios=["hello", "weather"], figures=both)
    view = View(analysis)
    assert [part.names["flask-gthread"] for part in view.parts] == ["Flask", "Flask"]
    assert view.parts[0].names["fastapi-uvicorn"] == "fastapi-uvicorn"
    assert view.parts[1].names["fastapi-aiohttp"] == "fastapi-aiohttp"
    assert names_note(view) == "In these sentences, Flask is flask-gthread."
    assert names_note(View(analyses.many_stacks())) == ""
