"""Promises between services: read, judged, decided round by round, and told to pipelines."""

from __future__ import annotations

import json
import math
import re
import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness import report, store
from harness.analysis import looks
from harness.analysis.analyse import analyse
from harness.analysis.fail_ifs import SavedRun, judge
from harness.cli import measuring
from harness.cli import run as run_command
from harness.cli.main import cli
from harness.errors import BadInput
from harness.measuring.pacing import UntilDecided, WhereWidest, pacing_of
from harness.models import (
    Analysis,
    CellRound,
    FailIf,
    FailIfJudged,
    FailOutcome,
    FailSubject,
    GateResult,
    Inconclusive,
    Overload,
    Verdict,
)
from harness.planning.fail_if import parse_fail_ifs
from harness.planning.files import PROJECT
from harness.planning.options import PROFILES, RunOptions
from harness.planning.plan import load_catalogue, make_plan
from tests import analyses, test_between
from tests.runs import FakeRun, hello_plan
from tests.test_json import problems
from tests.test_pacing import Shared

REFERENCE = PROJECT / "results" / "reference-bench"
A, B = "flask-gthread", "fastapi-uvicorn"
KEPT, BROKEN, INCONCLUSIVE = FailOutcome
SLOWER = "throughput<0.95"


def conditions(*texts: str) -> tuple[FailIf, ...]:
    return parse_fail_ifs(texts)


# ------------------------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("text", "subject", "bound", "said"),
    [
        ("throughput<0.95", FailSubject.THROUGHPUT, 0.95, "throughput<0.95"),
        ("throughput < 95%", FailSubject.THROUGHPUT, 0.95, "throughput<0.95"),
        ("P99>1.10", FailSubject.P99, 1.1, "p99>1.1"),
        ("p50>110%", FailSubject.P50, 1.1, "p50>1.1"),
        ("cpu>1.2", FailSubject.CPU, 1.2, "cpu>1.2"),
        ("errors>0", FailSubject.ERRORS, 0, "errors>0"),
        ("errors>0%", FailSubject.ERRORS, 0, "errors>0"),
        ("errors>0.1%", FailSubject.ERRORS, 0.001, "errors>0.1%"),
        ("errors>12", FailSubject.ERRORS, 12, "errors>12"),
        ("parity", FailSubject.PARITY, 0, "parity"),
    ],
)
def test_a_condition_is_read(text: str, subject: FailSubject, bound: float, said: str) -> None:
    (found,) = conditions(text)
    assert (found.subject, found.bound, found.text) == (subject, pytest.approx(bound), said)
    assert conditions(found.text) == (found,)


def test_conditions_may_be_repeated_and_stand_in_one_text() -> None:
    found = conditions("throughput<0.95, p99>1.1", "parity")
    assert [each.text for each in found] == ["throughput<0.95", "p99>1.1", "parity"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "'' is no bound on throughput, p50, p99, cpu, errors, and not 'parity'"),
        ("speed<1", "'speed<1' is no bound"),
        ("throughput", "'throughput' is no bound"),
        ("parity>0", "'parity>0' is no bound"),
        ("throughput>0.95", "it is the condition that fails the run, so throughput needs '<'"),
        ("p99<1.1", "so p99 needs '>'"),
        ("p99>=1.1", "so p99 needs '>'"),
        ("errors<1%", "so errors needs '>'"),
        ("p99>100ms", "not in milliseconds"),
        ("throughput<95", "a ratio, candidate ÷ baseline, is 0.05 to 20"),
        ("throughput<0", "a ratio, candidate ÷ baseline, is 0.05 to 20"),
        ("throughput<-1", "'-1' is no number"),
        ("throughput<nan", "'nan' is no number"),
        ("throughput<1e0", "'1e0' is no number"),
        ("throughput<0,95", "'95' is no bound"),
        ("errors>0.5", "a number of errors is a whole one"),
        ("errors>100%", "a share of errors is 0% or more and less than 100%"),
        ("p99>1.1,p99>1.2", "p99 is given twice"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line_with_an_example(text: str, why: str) -> None:
    with pytest.raises(BadInput) as refused:
        conditions(text)
    message = str(refused.value)
    assert message.startswith(f"--fail-if '{text}': ")
    assert "\n" not in message
    if text != "throughput<0,95":
        assert why in message
    example = re.search(r"write it like --fail-if '(.*)'$", message)
    assert example is not None
    assert len(conditions(example[1])) > 1


def test_a_condition_that_is_given_twice_is_refused_wherever_it_stands() -> None:
    with pytest.raises(BadInput, match="throughput is given twice"):
        conditions("throughput<0.95", "parity,throughput<0.9")


# ------------------------------------------------------------------------------ judging


def headline(low: float, high: float, *, rounds: int = 8) -> Analysis:
    """A run of hello whose ratio of throughputs has these limits."""
    return test_between.run(ratio=(math.sqrt(low * high), low, high), rounds=rounds)


def only(analysis: Analysis, *texts: str, saved: SavedRun | None = None) -> FailIfJudged:
    judged = judge(conditions(*texts), analysis, saved)
    (found,) = (each for each in judged if each.candidate == B)
    return found


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (0.96, 1.02, KEPT),
        (0.95, 0.99, KEPT),  # at the bound is not below it
        (0.94, 0.9499, BROKEN),
        (0.90, 0.95, INCONCLUSIVE),
        (0.949, 1.02, INCONCLUSIVE),
        (0.80, 0.952, INCONCLUSIVE),  # its point is far below
    ],
)
def test_the_interval_decides_and_not_the_point(
    low: float, high: float, outcome: FailOutcome
) -> None:
    found = only(headline(low, high), SLOWER)
    assert found.outcome is outcome
    assert found.figure is not None
    assert (found.figure.low, found.figure.high) == (low, high)
    assert bool(found.reason) == found.is_open == (outcome is INCONCLUSIVE)


def test_what_takes_longer_is_worse_in_latency_and_cpu_time() -> None:
    made = headline(1, 1)
    for metric, text in (
        ("latency_p50_ms", "p50>1.1"),
        ("latency_p99_ms", "p99>1.1"),
        ("cpu_us_per_request", "cpu>1.1"),
    ):
        for low, high, outcome in ((1.0, 1.1, KEPT), (1.11, 1.2, BROKEN), (1.0, 1.2, INCONCLUSIVE)):
            changed = replace(
                made,
                comparisons=tuple(
                    replace(each, ratio=math.sqrt(low * high), ci_low=low, ci_high=high)
                    if each.metric == metric and each.candidate == B
                    else each
                    for each in made.comparisons
                ),
            )
            assert only(changed, text).outcome is outcome


def test_fewer_than_five_rounds_decide_nothing() -> None:
    found = only(headline(0.5, 0.6, rounds=4), SLOWER)
    assert (found.outcome, found.reason) == (INCONCLUSIVE, "4 of 5 rounds")


def test_an_invalid_cell_decides_no_ratio_and_says_why() -> None:
    failed = GateResult("errors", passed=False, figure="errors 2 %", bound="at most 0.1 %")
    made = analyses.analysis(
        scenarios=["hello"], ratios={("hello", B): (0.5, 0.4, 0.6)}, invalid={("hello", B): failed}
    )
    found = only(made, SLOWER)
    assert found.outcome is INCONCLUSIVE
    assert found.reason == f"invalid ({B}: errors: errors 2 % (at most 0.1 %))"


def test_a_metric_without_samples_enough_is_inconclusive() -> None:
    made = headline(1, 1)
    without = [each for each in made.comparisons if each.metric != "latency_p99_ms"]
    found = only(replace(made, comparisons=tuple(without)), "p99>1.1")
    assert (found.outcome, found.reason) == (INCONCLUSIVE, "too few requests for a p99")
    assert found.is_open  # further rounds bring more of them


@pytest.mark.parametrize(
    ("late", "outcome"), [((B,), BROKEN), ((A,), INCONCLUSIVE), ((A, B), INCONCLUSIVE)]
)
def test_a_candidate_that_alone_cannot_keep_up_breaks_a_promise_of_latency(
    late: tuple[str, ...], outcome: FailOutcome
) -> None:
    made = analyses.analysis(scenarios=["hello"], rate_rps=300)
    made = replace(
        made,
        cells=tuple(
            replace(cell, overload=Overload(200, 300, 0, 10)) if cell.stack in late else cell
            for cell in made.cells
        ),
        comparisons=tuple(
            replace(each, verdict=Verdict.OVERLOADED) if each.metric.startswith("latency") else each
            for each in made.comparisons
        ),
    )
    found = only(made, "p99>1.1")
    assert found.outcome is outcome
    assert "could not keep up with the rate" in found.reason
    assert found.figure is None


def test_steps_of_a_ladder_are_no_promises() -> None:
    made = analyses.analysis(scenarios=["weather"], ladder=["weather"])
    (block,) = made.run.blocks
    judged = judge(conditions(SLOWER), made)
    assert [(each.baseline, each.candidate) for each in judged] == list(block.pairs)


def test_broken_promises_are_corrected_for_how_many_ratios_are_judged() -> None:
    """An interval that only just misses the bound is what chance does to one of many."""
    just_beyond = headline(0.90, 0.9495)
    assert only(just_beyond, SLOWER).outcome is BROKEN
    others = "p50>20", "p99>20", "cpu>20"
    found = judge(conditions(SLOWER, *others), just_beyond)[0]
    assert found.outcome is INCONCLUSIVE
    assert found.reason == (
        "the interval lies beyond the bound, but among 4 ratios one may by chance"
    )
    clearly = judge(conditions(SLOWER, *others), headline(0.7, 0.75))[0]
    assert clearly.outcome is BROKEN


# ---------------------------------------------------------------- errors and differences


def failing(errors: list[int], requests: int = 1000) -> Analysis:
    """A run of hello in whose rounds so many requests of the candidate failed."""
    made = headline(0.99, 1.01, rounds=len(errors))

    def changed(cell: CellRound) -> CellRound:
        if cell.stack != B:
            return replace(cell, errors=7)  # the baseline's do not matter
        return replace(cell, requests=requests, errors=errors[cell.round - 1])

    return with_cells(made, changed)


def with_cells(made: Analysis, change: object) -> Analysis:
    assert callable(change)
    rounds = tuple(
        replace(each, cells=tuple(change(cell) for cell in each.cells)) for each in made.run.rounds
    )
    return replace(made, run=replace(made.run, rounds=rounds))


@pytest.mark.parametrize(
    ("errors", "text", "outcome"),
    [
        ([0] * 8, "errors>0", KEPT),
        ([0, 0, 1, 0, 0, 0, 0, 0], "errors>0", BROKEN),
        ([1, 1], "errors>2", KEPT),
        ([2, 1], "errors>2", BROKEN),
        ([0] * 8, "errors>0.1%", KEPT),  # none of 8,000: at most 0.055 %
        ([0] * 2, "errors>0.1%", INCONCLUSIVE),  # none of 2,000 may be 0.18 %
        ([20] * 8, "errors>0.1%", BROKEN),
        ([1] * 8, "errors>0.1%", INCONCLUSIVE),
        ([160, 0, 0, 0, 0, 0, 0, 0], "errors>0.1%", INCONCLUSIVE),  # one bad round of eight
        ([160], "errors>0.1%", INCONCLUSIVE),  # one round can't tell a bunch from a habit
        ([160], "errors>0", BROKEN),
    ],
)
def test_errors_of_the_candidate(errors: list[int], text: str, outcome: FailOutcome) -> None:
    found = only(failing(errors), text)
    assert found.outcome is outcome
    assert found.figure is not None
    assert found.figure.low <= found.figure.value <= found.figure.high
    if sum(errors):
        assert f"{sum(errors)} of {len(errors) * 1000:,} requests failed" in found.reason


def test_errors_and_differences_break_a_promise_even_where_they_make_the_cell_invalid() -> None:
    failed = GateResult("errors", passed=False, figure="errors 2 %", bound="at most 0.1 %")
    made = analyses.analysis(scenarios=["hello"], invalid={("hello", B): failed})
    made = with_cells(
        made, lambda cell: replace(cell, errors=3, parity=("GET /hello: status 500",))
    )
    judged = judge(conditions("errors>0", "parity"), made)
    assert {each.outcome for each in judged} == {BROKEN}
    (parity,) = [each for each in judged if each.condition.text == "parity" and each.candidate == B]
    assert parity.reason == f"{A}: GET /hello: status 500 (and 1 more)"


def test_replies_without_a_difference_keep_parity() -> None:
    assert only(headline(0.5, 0.6), "parity").outcome is KEPT


# ------------------------------------------------------------------------- a saved run


def saved(low: float, high: float, **settings: object) -> SavedRun:
    made = test_between.run("main", ratio=(math.sqrt(low * high), low, high), **settings)  # type: ignore[arg-type]
    return SavedRun("main", made)


def test_a_saved_run_is_compared_by_the_ratio_to_the_baseline_that_both_have() -> None:
    now = headline(0.99, 1.01)
    assert only(now, SLOWER, saved=saved(0.99, 1.01)).outcome is KEPT
    assert only(now, SLOWER, saved=saved(1.98, 2.02)).outcome is BROKEN
    found = only(now, SLOWER, saved=saved(1.0, 1.1))
    assert found.outcome is INCONCLUSIVE
    assert (found.against, found.baseline) == ("main", A)
    assert found.figure is not None
    assert found.figure.value == pytest.approx(1 / math.sqrt(1.1), rel=0.01)


def test_without_a_common_baseline_own_figures_are_compared_on_the_same_machine_only() -> None:
    both = test_between.run("now")
    blocks = tuple(replace(block, stacks=(B,)) for block in both.run.plan.blocks)
    alone = replace(
        both,
        run=replace(both.run, plan=replace(both.run.plan, blocks=blocks)),
        cells=tuple(cell for cell in both.cells if cell.stack == B),
        comparisons=(),
    )
    found = only(alone, SLOWER, saved=saved(0.99, 1.01))
    assert (found.baseline, found.against) == ("", "main")
    assert found.figure is not None
    elsewhere = saved(0.99, 1.01, environment={"machine": "other"})
    found = only(alone, SLOWER, saved=elsewhere)
    assert found.outcome is INCONCLUSIVE
    assert "another machine" in found.reason
    assert not found.is_open  # more rounds change nothing about that


@pytest.mark.parametrize("text", [SLOWER, "cpu>1.2"])
def test_what_the_saved_run_lacks_is_inconclusive_with_the_reason(text: str) -> None:
    other = SavedRun("main", analyses.analysis(scenarios=["weather"]))
    found = only(headline(0.99, 1.01), text, saved=other)
    assert (found.outcome, found.is_open) == (INCONCLUSIVE, False)
    assert "did not measure hello" in found.reason


def test_a_saved_run_of_few_rounds_is_inconclusive_however_long_this_one_goes_on() -> None:
    found = only(headline(0.99, 1.01), SLOWER, saved=saved(0.99, 1.01, rounds=4))
    assert (found.outcome, found.is_open) == (INCONCLUSIVE, False)
    assert found.reason == "main has 4 of 5 rounds"


def test_a_saved_run_that_is_gone_is_inconclusive_with_the_reason() -> None:
    found = only(headline(0.99, 1.01), SLOWER, saved=SavedRun("main", None, "main can't be read"))
    assert (found.outcome, found.reason) == (INCONCLUSIVE, "main can't be read")


# ------------------------------------------------------------------------------- planning


def options(*texts: str, **more: object) -> RunOptions:
    return RunOptions(
        profile=PROFILES["quick"], scenarios=("hello",), fail_ifs=conditions(*texts), **more
    )  # type: ignore[arg-type]


def test_a_plan_keeps_its_conditions_and_goes_on_until_they_are_decided() -> None:
    plan = make_plan(load_catalogue(), options(SLOWER))
    assert plan.fail_ifs == conditions(SLOWER)
    assert (plan.precision, plan.budget_s) == (None, 300)
    assert isinstance(pacing_of(plan, lambda cell: None), UntilDecided)  # type: ignore[arg-type, return-value]
    usual = make_plan(load_catalogue(), options())
    assert isinstance(pacing_of(usual, lambda cell: None), WhereWidest)  # type: ignore[arg-type, return-value]
    counted = make_plan(load_catalogue(), options(SLOWER, rounds=6))
    assert not looks.looks_again(counted)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"texts": (SLOWER,), "stacks": (A,)}, r"this run has one stack: name two \(--stack\), or"),
        ({"texts": (SLOWER,), "rates_rps": (100.0,)}, "nothing in this run has a throughput"),
        ({"texts": (), "against": "main"}, "give a --fail-if too"),
        ({"texts": (SLOWER,), "precision": 0.02}, "leave out --precision, or give --rounds"),
    ],
)
def test_what_can_never_be_decided_is_refused_before_anything_is_measured(
    given: dict[str, object], why: str
) -> None:
    texts = given.pop("texts")
    assert isinstance(texts, tuple)
    with pytest.raises(BadInput, match=why):
        make_plan(load_catalogue(), options(*texts, **given))


def test_one_stack_alone_can_be_held_to_errors_and_parity() -> None:
    plan = make_plan(load_catalogue(), options("errors>0", "parity", stacks=(A,)))
    run = FakeRun(plan, {A: [1000.0] * 6})
    judged = judge(plan.fail_ifs, analyse(run.record, run.read))
    assert [(each.candidate, each.baseline, each.outcome) for each in judged] == [(A, "", KEPT)] * 2


def test_a_run_keeps_its_conditions_on_disk_and_an_older_one_has_none(tmp_path: Path) -> None:
    made = FakeRun(hello_plan(rounds=1), {A: [1000.0], B: [2000.0]}).record
    plan = replace(made.plan, fail_ifs=conditions(SLOWER, "errors>0.1%"), against="results/main")
    folder = store.create_run(tmp_path, "test", datetime(2026, 4, 1, tzinfo=UTC))
    store.write_run(folder, replace(made, plan=plan))
    read = store.read_run(folder).plan
    assert (read.fail_ifs, read.against) == (plan.fail_ifs, "results/main")
    value = json.loads((folder / "run.json").read_text())
    del value["plan"]["fail_ifs"], value["plan"]["against"]
    (folder / "run.json").write_text(json.dumps(value))
    read = store.read_run(folder).plan
    assert (read.fail_ifs, read.against) == ((), "")


# --------------------------------------------------------------------------------- looks


def test_a_run_looks_whenever_the_number_of_rounds_has_doubled() -> None:
    assert [rounds for rounds in range(1, 100) if looks.is_look(rounds, 5)] == [5, 10, 20, 40, 80]
    assert [looks.look_of(rounds, 5) for rounds in (1, 5, 6, 10, 11, 20, 21)] == [
        *(1, 1, 2, 2, 3, 3, 4)
    ]  # fmt: skip


def test_all_looks_together_have_the_error_of_one() -> None:
    errors = [1 - looks.confidence_at(look) for look in range(1, 30)]
    assert sum(errors) == pytest.approx(0.05)
    assert looks.confidence_at(1) == 0.975


class Deciding(Shared):
    """A made-up run with a budget and promises."""

    def with_conditions(self, *texts: str) -> Deciding:
        self.plan = replace(self.plan, precision=None, fail_ifs=conditions(*texts))
        self.record = replace(self.record, plan=self.plan)
        self.pacing = UntilDecided(self.read, self.within_s)  # type: ignore[assignment]
        return self


def deciding(spread: dict[str, float], *texts: str, within_s: float = 400.0) -> Deciding:
    took_s = dict.fromkeys(spread, 4.0)
    return Deciding(spread, took_s, within_s=within_s).with_conditions(*texts)


def test_a_run_ends_when_its_promises_are_decided() -> None:
    run = deciding({"closed-4": 0.01, "closed-8": 0.01}, SLOWER, "errors>0")
    assert run.play() == {"closed-4": 5, "closed-8": 5}


def test_blocks_that_are_not_decided_are_measured_until_the_next_look() -> None:
    # The true ratio is about 1.5: closed-8 varies so much that 5 rounds can't tell it from 1.4.
    run = deciding({"closed-4": 0.01, "closed-8": 0.12}, "throughput<1.4")
    counts = run.play()
    assert counts["closed-4"] == 5
    assert counts["closed-8"] in (10, 20, 40)
    assert run.used_s <= 400
    assert "at look 1; " in run.record.decisions[5].reason


def test_what_cannot_be_decided_uses_the_time_and_no_more() -> None:
    run = deciding({"closed-4": 0.1}, "throughput<1.5", within_s=200)
    assert run.play() == {"closed-4": 25}  # 8 s each
    assert run.used_s == 200
    assert judge(run.plan.fail_ifs, analyse(run.record, run.read))[0].outcome is INCONCLUSIVE


def test_more_rounds_are_not_spent_on_what_they_cannot_decide() -> None:
    run = Deciding({"closed-4": 0.01}, {"closed-4": 4.0}, dead="closed-4").with_conditions(SLOWER)
    assert run.play() == {"closed-4": 5}


def test_a_run_with_promises_that_is_resumed_decides_as_if_it_had_not_been_cut_off() -> None:
    run = deciding({"closed-4": 0.01, "closed-8": 0.12}, "throughput<1.4")
    run.play()
    for number in range(1, len(run.record.rounds)):
        before = replace(
            run.record, rounds=run.record.rounds[:number], decisions=run.record.decisions[:number]
        )
        anew = UntilDecided(run.read, run.within_s)
        assert anew.next(before) == run.record.decisions[number]


def test_intervals_are_as_wide_as_their_look_asks_for() -> None:
    run = deciding({"closed-4": 0.1}, "throughput<1.5")
    while len(run.record.rounds) < 12:
        decision = run.pacing.next(run.record)
        assert decision is not None
        run.measure(decision)
    of_look = analyse(run.record, run.read).comparisons[0]
    fixed = replace(run.record, plan=replace(run.plan, fail_ifs=()))
    of_fixed = analyse(fixed, run.read).comparisons[0]
    assert of_look.ratio == of_fixed.ratio
    width = math.log(of_look.ci_high / of_look.ratio) / math.log(of_fixed.ci_high / of_fixed.ratio)
    assert width == pytest.approx(3.370 / 2.201, rel=0.01)  # Student's t at 99.375 % and 95 %


# ----------------------------------------------------------------------------- pipelines


def judged_run(**changes: FailOutcome) -> Analysis:
    made = headline(0.90, 0.94)
    made = replace(made, fail_ifs=judge(conditions(SLOWER, "p99>1.1", "errors>0", "parity"), made))
    return replace(
        made,
        fail_ifs=tuple(
            replace(each, outcome=changes.get(str(each.condition.subject), each.outcome))
            for each in made.fail_ifs
            if each.candidate == B
        ),
    )


BOTH = judged_run(throughput=BROKEN, p99=INCONCLUSIVE)


@pytest.mark.parametrize("inconclusive", Inconclusive)
def test_junit_has_a_case_for_each_promise(inconclusive: Inconclusive) -> None:
    root = ET.fromstring(report.junit(BOTH, inconclusive))
    (suite,) = root
    cases = suite.findall("testcase")
    fails = inconclusive is Inconclusive.FAIL
    assert suite.get("skipped") == ("0" if fails else "1")
    for element in (root, suite):
        counts = [element.get(name) for name in ("tests", "failures", "errors")]
        assert counts == ["4", "2" if fails else "1", "0"]
        assert float(element.get("time") or "") >= 0
    assert len({(case.get("classname"), case.get("name")) for case in cases}) == 4
    broken, open_one, *kept = cases
    assert broken.get("name") == f"throughput<0.95: {B} ÷ {A}"
    failure = broken.find("failure")
    assert failure is not None
    assert "0.920 × [0.900, 0.940], 8 rounds" in (failure.get("message") or "")
    assert open_one.find("failure" if fails else "skipped") is not None
    assert all(case.find("failure") is None and case.find("skipped") is None for case in kept)


def test_junit_has_an_error_for_each_invalid_measurement() -> None:
    made = analyses.with_invalid_cell()
    suite = ET.fromstring(report.junit(made, Inconclusive.PASS))[0]
    invalid = [cell for cell in made.cells if not cell.valid]
    assert suite.get("errors") == suite.get("tests") == str(len(invalid))
    (first, *_) = suite.iter("error")
    assert invalid[0].reason.replace("\u00a0", " ").split()[0] in (first.get("message") or "")


#: The attributes that all readers of such files know, as their schemas have them.
_KNOWN = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "time", "skipped", "timestamp"},
    "testcase": {"name", "time", "classname"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": {"type", "message"},
    "system-out": set(),
}


def test_junit_has_nothing_that_its_readers_do_not_know() -> None:
    odd = replace(BOTH.fail_ifs[0], reason="a reply with \x00, \x1b[31m, <b> & “quotes”")
    text = report.junit(replace(BOTH, fail_ifs=(odd, *BOTH.fail_ifs[1:])), Inconclusive.PASS)
    root = ET.fromstring(text)
    for element in root.iter():
        assert set(element.attrib) <= _KNOWN[element.tag]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", root[0].get("timestamp") or "")


def test_the_sections_of_a_run_say_what_became_of_its_promises() -> None:
    markdown = report.pull_request(BOTH)
    assert "#### Promises: 1 broken, 1 inconclusive, 2 kept" in markdown
    assert re.search(r"\| throughput\\<0\.95 \| broken \| hello \(closed-\d+\) \|", markdown)
    assert "Promises" not in report.pull_request(headline(0.9, 0.94))
    files = report.render(BOTH)
    page = files["index.html"].decode()
    assert re.search(r'<span class="verdict broken"><span aria-hidden="true">✗</span> broken', page)
    assert "--kept:" in page
    assert "**broken**" not in files["summary.md"].decode()
    assert "## Promises: 1 broken" in files["summary.md"].decode()


def test_a_log_names_the_broken_promise_with_figure_interval_and_bound() -> None:
    first, second, last = report.promise_lines(BOTH.fail_ifs)
    assert re.fullmatch(
        rf"broken: throughput<0\.95: hello \(closed-\d+\), {B} ÷ {A}: "
        r"0\.920 × \[0\.900, 0\.940\], 8 rounds",
        first,
    )
    assert second.startswith("inconclusive: p99>1.1: ")
    assert last == "Promises: 1 broken, 1 inconclusive, 2 kept."


# -------------------------------------------------------------------------- command line


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results") / "bench"
    folder.mkdir()
    for name in ("run.json", "journal.jsonl", "samples.parquet"):
        shutil.copy(REFERENCE / name, folder / name)
    return folder


@pytest.fixture
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts take seconds."""
    monkeypatch.setattr(report, "render", lambda *_: {"index.html": b""})


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(each) for each in arguments], catch_exceptions=True)


@pytest.mark.usefixtures("no_page")
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--fail-if", "throughput<0.1,errors>0"], 0, "Promises: 16 kept."),
        (["--fail-if", "throughput<0.5"], 1, "broken: throughput<0.5: weather (closed-50)"),
        (["--fail-if", "throughput<0.9", "--inconclusive", "pass"], 1, "broken: throughput<0.9"),
        (["--fail-if", "p99>15"], 1, "inconclusive: p99>15: weather (closed-50)"),
        (["--fail-if", "p99>15", "--inconclusive", "pass"], 0, "inconclusive: p99>15"),
    ],
)
def test_a_finished_run_is_judged_anew(
    copy: Path, arguments: list[str], code: int, said: str
) -> None:
    done = invoke("report", copy, *arguments)
    assert (done.exit_code, said in done.stderr) == (code, True), done.stderr


@pytest.mark.usefixtures("no_page")
def test_files_for_programs(copy: Path, tmp_path: Path) -> None:
    junit = tmp_path / "new folder" / "gate.xml"
    done = invoke("report", copy, "--json", "--fail-if", "throughput<0.5,parity", "--junit", junit)
    assert done.exit_code == 1
    assert problems("run", done.stdout) == []
    rows = json.loads(done.stdout)["fail_if"]
    assert tuple(rows[0]) == store.FAIL_IF_COLUMNS
    assert {row["outcome"] for row in rows} == {"kept", "broken"}
    suite = ET.parse(junit).getroot()
    assert int(suite.get("tests") or "") == len(rows)
    seconds = [float(case.get("time") or "") for case in suite.iter("testcase")]
    assert sum(seconds) == pytest.approx(float(suite.get("time") or ""), abs=0.1)
    assert sum(seconds) > 100


@pytest.mark.usefixtures("no_page")
def test_a_run_beside_a_saved_run(copy: Path) -> None:
    done = invoke("report", copy, "--fail-if", "throughput<0.95", "--against", REFERENCE)
    assert done.exit_code == 0, done.stderr  # the same run: nothing has changed
    assert "kept." in done.stderr


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--fail-if", "p99<1"], "p99 needs '>'"),
        (["--fail-if", "p99>1.1", "--against", "nothing"], "unknown run 'nothing'"),
        (["--against", str(REFERENCE)], "is about promises: give a --fail-if"),
        (["--junit", "gate.xml"], "is about promises: give a --fail-if"),
    ],
)
def test_bad_options_end_with_one_line(copy: Path, arguments: list[str], why: str) -> None:
    done = invoke("report", copy, *arguments)
    assert isinstance(done.exception, BadInput)
    assert why in str(done.exception)
    assert "\n" not in str(done.exception)


@pytest.mark.usefixtures("no_page")
def test_a_run_goes_by_its_own_conditions_and_resume_keeps_them(
    copy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is measured is another test's matter: here a finished run takes its place."""
    plans = []

    def measure(plan: object, out: Path, calibration: object) -> Path:
        plans.append(plan)
        folder = tmp_path / "run"
        shutil.copytree(copy, folder)
        record = store.read_run(folder)
        assert hasattr(plan, "fail_ifs")
        store.write_run(folder, replace(record, plan=replace(record.plan, fail_ifs=plan.fail_ifs)))
        return folder

    monkeypatch.setattr(measuring, "measure", measure)
    done = invoke(
        "run", "hello", "--fail-if", "throughput<0.5", "--out", tmp_path, "--junit",
        tmp_path / "gate.xml",
    )  # fmt: skip
    assert done.exit_code == 1
    assert "broken: throughput<0.5: weather" in done.stderr
    assert (tmp_path / "gate.xml").exists()
    assert [each.text for each in plans[0].fail_ifs] == ["throughput<0.5"]
    # A later report needs no options to come to the same.
    assert invoke("report", tmp_path / "run").exit_code == 1
    assert invoke("report", tmp_path / "run", "--fail-if", "throughput<0.1").exit_code == 0
    # --resume takes how to tell it, and not what was planned.
    refused = invoke("run", "--resume", tmp_path / "run", "--fail-if", "parity")
    assert "leave out --fail-if" in str(refused.exception)
    complete = invoke("run", "--resume", tmp_path / "run", "--inconclusive", "pass")
    assert "is complete" in str(complete.exception)


def test_a_saved_run_of_something_else_is_refused_before_anything_is_measured(
    tmp_path: Path,
) -> None:
    done = invoke(
        "run", "hello", "--users", "3", "--fail-if", SLOWER, "--against", REFERENCE,
        "--out", tmp_path,
    )  # fmt: skip
    assert isinstance(done.exception, BadInput)
    assert "nothing of this run (hello (closed-3))" in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_run_has_the_options_of_the_gate() -> None:
    names = {param.name for param in run_command.command.params}
    assert {"fail_ifs", "against", "inconclusive", "junit"} <= names
