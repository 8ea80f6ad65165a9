"""The cards: each scenario's answer with both figures, its tail, its CPU time and what pair it is."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from harness import report
from harness.models import Analysis, StepKind, Verdict
from harness.planning.files import LADDER_FILE, STACKS_FILE
from harness.planning.ladder import ends, load_ladder
from harness.planning.stacks import load_stacks
from harness.report.content import Card, Finding
from harness.report.view import View
from harness.report.words.answers import answers, groups
from harness.report.words.heading import heading
from harness.report.words.pairs import BEST, DEFAULT
from tests import analyses
from tests.report.reading import folded, shown

pytestmark = pytest.mark.busy

P99, CPU = "latency_p99_ms", "cpu_us_per_request"


def card(analysis: Analysis, name: str = "hello") -> Card:
    return next(card for card in answers(View(analysis)) if card.name == name)


def with_verdicts(analysis: Analysis, verdicts: Mapping[str, Verdict]) -> Analysis:
    """The same ratios, judged otherwise."""
    made = tuple(
        replace(made, verdict=verdicts.get(made.metric, made.verdict))
        for made in analysis.comparisons
    )
    return replace(analysis, comparisons=made)


def hello() -> Analysis:
    return analyses.analysis(
        scenarios=["hello"], ratios={("hello", "fastapi-uvicorn"): (2.34, 2.27, 2.42)}
    )


def test_an_answer_has_the_ratio_its_interval_and_both_figures() -> None:
    found = card(hello())
    (finding,) = found.findings
    assert (found.name, folded(found.about)) == ("hello", "framework cost · 16 users · 8 rounds")
    assert folded(finding.text) == (
        "FastAPI served 2.34 × as many requests per second as Flask (2.27 to 2.42): 4,080 against "
        "1,740."
    )


def test_the_tail_and_cpu_time_are_answers_with_verdicts_of_their_own() -> None:
    analysis = with_verdicts(hello(), {P99: Verdict.SLOWER, CPU: Verdict.FASTER})
    (finding,) = card(analysis).findings
    tail, cpu = finding.also
    cells = {cell.stack: cell for cell in analysis.cells}
    p99 = [cells[name].latency_ms["p99"].value for name in ("fastapi-uvicorn", "flask-gthread")]
    assert folded(tail.text).startswith(f"p99 {p99[0]:.3g} against {p99[1]:.3g} ms (")
    assert (tail.verdict, cpu.verdict) == (Verdict.SLOWER, Verdict.FASTER)
    assert tail.text.endswith("): worse.")
    assert folded(cpu.text).startswith("CPU per request 238 against 561 µs (0.42 ×, ")
    assert cpu.text.endswith("): better.")


@pytest.mark.parametrize("headline", [Verdict.INCONCLUSIVE, Verdict.SAME])
def test_a_card_without_a_winner_says_what_tail_and_cpu_time_decide(headline: Verdict) -> None:
    judged = {
        "throughput_rps": headline,
        P99: Verdict.SLOWER,
        CPU: Verdict.INCONCLUSIVE,
    }
    (finding,) = card(with_verdicts(hello(), judged)).findings
    tail, cpu = finding.also
    assert tail.text.startswith("But p99 ")
    assert not cpu.text.startswith("But ")
    assert cpu.text.endswith(": no clear difference.")


def test_where_too_few_samples_were_measured_for_a_p99_the_answer_says_so() -> None:
    analysis = hello()
    few = replace(
        analysis, comparisons=tuple(made for made in analysis.comparisons if made.metric != P99)
    )
    (finding,) = card(few).findings
    assert finding.also[0] == Finding("p99: too few samples.")


@pytest.mark.parametrize("rounds", [2, 4])
def test_too_few_rounds_for_a_verdict_are_no_inconclusive_finding(rounds: int) -> None:
    analysis = analyses.analysis(scenarios=["hello"], rounds=rounds)
    words = f"not judged: {rounds} of 5 rounds"
    (finding,) = card(analysis).findings
    assert finding.not_judged == words
    assert all(each.not_judged == words for each in finding.also)
    text = report.render(analysis)["summary.md"].decode()
    assert f"**Not judged: {rounds} of 5 rounds**" in text
    assert "**Inconclusive" not in text
    terminal = shown(analysis, 120)
    assert "… not judged" in terminal
    assert "inconclusive" not in terminal


def test_with_rounds_enough_a_comparison_is_judged() -> None:
    (finding,) = card(analyses.analysis(scenarios=["hello"], rounds=5)).findings
    assert finding.not_judged == ""


def test_scenarios_that_wait_and_scenarios_that_compute_stand_apart(whole: Analysis) -> None:
    waiting, computing = groups(View(whole))
    assert waiting.heading.startswith("I/O-bound: ")
    assert [card.name for card in waiting.cards] == ["weather", "users-lookup"]
    assert computing.heading.startswith("CPU-bound: ")
    assert [card.name for card in computing.cards] == [
        "hello", "users-validate", "cpu-python", "cpu-native",
    ]  # fmt: skip
    assert [group.heading[:9] for group in groups(View(hello()))] == ["CPU-bound"]


def labels(analysis: Analysis, name: str) -> dict[str, tuple[str, ...]]:
    """Words of a card's findings -> their labels."""
    return {finding.text.split()[0]: finding.labels for finding in card(analysis, name).findings}


def test_the_default_pair_and_the_best_of_each_side_are_named(whole: Analysis) -> None:
    assert labels(whole, "hello") == {"FastAPI": (DEFAULT,)}
    assert labels(whole, "weather") == {
        "fastapi-uvicorn": (DEFAULT,), "fastapi-httpx2": (), "fastapi-aiohttp": (BEST,),
    }  # fmt: skip


def test_an_invalid_stack_is_never_the_best_of_its_side() -> None:
    analysis = analyses.analysis(invalid={("weather", "fastapi-aiohttp"): analyses.BROKEN})
    found = [finding for finding in card(analysis, "weather").findings if BEST in finding.labels]
    assert ["fastapi-httpx2" in finding.text for finding in found] == [True]


def test_a_best_pair_that_the_run_does_not_compare_has_figures_and_no_ratio(
    whole: Analysis,
) -> None:
    without = tuple(
        made
        for made in whole.comparisons
        if (made.scenario, made.candidate) != ("weather", "fastapi-aiohttp")
    )
    *_, last = card(replace(whole, comparisons=without), "weather").findings
    assert last.labels == (BEST,)
    assert last.verdict is None
    assert folded(last.text) == (
        "flask-gthread served 596 requests/s and fastapi-aiohttp served 926 requests/s; this run "
        "does not compare these two."
    )


def test_a_ladder_has_the_framework_alone_in_its_card() -> None:
    analysis = analyses.analysis(scenarios=["hello"], ladder=["hello"])
    (climb,) = (
        climb
        for climb in View(analysis).climbing[0].climbs
        if climb.step.kind is StepKind.FRAMEWORK
    )
    (alone,) = (
        finding
        for finding in card(analysis).findings
        if any(label.startswith("framework only") for label in finding.labels)
    )
    assert alone.text.startswith(f"{climb.pair.candidate} served ")
    assert f"as {climb.pair.baseline} (" in alone.text
    assert alone.labels == ("framework only: same server, granian",)


def test_two_stacks_on_the_same_server_are_named_as_such() -> None:
    known = load_stacks(STACKS_FILE)
    names = ("flask-granian", "fastapi-granian")
    own = analyses.SCENARIOS["hello"][4]
    analysis = analyses.analysis(
        scenarios=["hello"],
        stacks={name: known[name] for name in names},
        figures={"hello": dict(zip(names, own.values(), strict=True))},
    )
    assert list(labels(analysis, "hello").values()) == [("same server: granian",)]


def test_the_ends_of_the_ladder_are_the_stacks_that_say_they_are_commonly_run() -> None:
    usual = [
        name
        for name, stack in load_stacks(STACKS_FILE).items()
        if "as it is commonly run" in stack.isolates
    ]
    assert usual == list(ends(load_ladder(LADDER_FILE)))


def test_the_strip_names_machine_versions_validity_and_calibration(whole: Analysis) -> None:
    facts = dict(heading(View(whole)).facts)
    assert facts["Processor"] == "Example CPU @ 2.50 GHz"
    assert facts["Python"] == whole.run.environment["python"]
    assert "flask 3.1.3" in facts["Versions"]
    assert folded(facts["Valid"]) == "14 of 14 measurements"
    assert facts["Calibrated"] == "no"
    calibrated = dict(heading(View(analyses.calibrated(whole))).facts)
    assert calibrated["Calibrated"] == "yes, 12 March 2026"
    broken = dict(heading(View(analyses.with_invalid_cell())).facts)
    assert folded(broken["Valid"]) == "13 of 14 measurements"
