"""How often a promise is called broken, or kept, where the truth lies exactly at its bound."""

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from harness.analysis import looks, stats
from harness.analysis.analyse import analyse
from harness.analysis.fail_ifs import SavedRun, judge
from harness.models import Analysis, Comparison, FailIf, FailOutcome, FailSubject, Plan
from tests.runs import FakeRun, hello_plan

pytestmark = [  # thousands of runs
    pytest.mark.timeout(300),
    pytest.mark.busy,
]

FIRST, LOOKS, SPREAD = 5, (5, 10, 20, 40), 0.05
A, B = "flask-gthread", "fastapi-uvicorn"
CONDITION = FailIf(FailSubject.THROUGHPUT, 0.95)
#: Two standard errors above 2.5 % of 4,000 runs.
MOST, RUNS = 0.030, 4_000


@cache
def template(conditions: int = 1) -> Analysis:
    """A run of as many loads as there are to be comparisons, whose ratios are put in later."""
    users = tuple(range(4, 4 + conditions))
    plan = replace(hello_plan(rounds=FIRST, users=users), budget_s=300.0, fail_ifs=(CONDITION,))
    run = FakeRun(plan, {A: [1000.0] * 5, B: [1000.0] * 5})
    made = analyse(run.record, run.read)
    ratios = [each for each in made.comparisons if each.metric == "throughput_rps"]
    return replace(made, comparisons=tuple(ratios))


def with_logs(logs: list[np.ndarray], rounds: int, *, made: Analysis | None = None) -> Analysis:
    """The run when so many rounds of each comparison are measured, as `analyse` would make it."""
    made = made or template(len(logs))
    return replace(
        made,
        comparisons=tuple(
            _with(
                comparison,
                stats.log_mean(np.exp(drawn[:rounds]).tolist(), _confidence(made.run.plan, rounds)),
                rounds,
            )
            for comparison, drawn in zip(made.comparisons, logs, strict=True)
        ),
    )


def _confidence(plan: Plan, rounds: int) -> float:
    from harness.analysis.percentiles import confidence_of

    return confidence_of(plan, rounds)


def _with(comparison: Comparison, estimate: stats.Estimate, rounds: int) -> Comparison:
    return replace(
        comparison,
        ratio=estimate.value,
        ci_low=estimate.low,
        ci_high=estimate.high,
        rounds=rounds,
    )


def at_the_bound(generator: np.random.Generator, heavy: bool = False) -> np.ndarray:
    drawn = (
        generator.standard_t(3, LOOKS[-1]) / math.sqrt(3)
        if heavy
        else generator.normal(0, 1, LOOKS[-1])
    )
    return math.log(CONDITION.bound) + SPREAD * drawn


def outcomes(logs: list[np.ndarray], until: int) -> Iterator[set[FailOutcome]]:
    """What is said at each look, the last of which is where the time ends."""
    for rounds in (*(look for look in LOOKS if look < until), until):
        judged = judge((CONDITION,), with_logs(logs, rounds))
        yield {each.outcome for each in judged}


@pytest.mark.parametrize("heavy", [False, True])
def test_however_often_it_looks_a_run_seldom_decides_what_is_at_the_bound(heavy: bool) -> None:
    generator = np.random.default_rng(3)
    broken = kept = 0
    for _ in range(RUNS):
        until = int(generator.integers(FIRST, LOOKS[-1] + 1))  # when the time ends
        said = set().union(*outcomes([at_the_bound(generator, heavy)], until))
        broken += FailOutcome.BROKEN in said
        kept += FailOutcome.KEPT in said
    assert broken / RUNS <= MOST
    assert kept / RUNS <= MOST


def test_looking_as_often_with_ordinary_intervals_would_decide_it_too_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(looks, "confidence_at", lambda _: stats.CONFIDENCE)
    generator = np.random.default_rng(3)
    broken = sum(
        FailOutcome.BROKEN in set().union(*outcomes([at_the_bound(generator)], LOOKS[-1]))
        for _ in range(RUNS // 4)
    )
    assert broken / (RUNS // 4) > 0.04


def test_with_many_comparisons_at_the_bound_hardly_more_runs_call_one_broken() -> None:
    generator = np.random.default_rng(5)
    runs, many = RUNS // 4, 8
    broken = uncorrected = 0
    for _ in range(runs):
        made = with_logs([at_the_bound(generator) for _ in range(many)], FIRST)
        broken += any(each.outcome is FailOutcome.BROKEN for each in judge((CONDITION,), made))
        uncorrected += any(each.ci_high < CONDITION.bound for each in made.comparisons)
    assert broken / runs <= 0.035  # two standard errors above 2.5 % of 1,000
    assert uncorrected / runs > 0.06  # what would be said without the correction


@pytest.mark.parametrize("saved_rounds", [5, pytest.param(20, marks=pytest.mark.thorough)])
def test_looks_beside_a_saved_run_decide_it_as_seldom(saved_rounds: int) -> None:
    """Its luck is the same at every look, but each look weighs it anew."""
    generator = np.random.default_rng(7)
    runs = RUNS // 2
    fixed = replace(template(), run=replace(template().run, plan=hello_plan(rounds=5)))
    broken = kept = 0
    for _ in range(runs):
        earlier = SPREAD * generator.normal(0, 1, saved_rounds)
        before = with_logs([earlier], saved_rounds, made=fixed)
        before = replace(before, run=replace(before.run, run_id="main"))
        logs = at_the_bound(generator)
        said = set()
        for rounds in LOOKS:
            now = with_logs([logs], rounds)
            said |= {each.outcome for each in judge((CONDITION,), now, SavedRun("main", before))}
        broken += FailOutcome.BROKEN in said
        kept += FailOutcome.KEPT in said
    assert broken / runs <= 0.032  # two standard errors above 2.5 % of 2,000
    assert kept / runs <= 0.032


def test_what_is_well_beyond_the_bound_is_found_within_few_looks() -> None:
    generator = np.random.default_rng(9)
    found = 0
    for _ in range(200):
        logs = math.log(0.85) + SPREAD * generator.normal(0, 1, LOOKS[-1])
        found += FailOutcome.BROKEN in set().union(*outcomes([logs], 10))
    assert found / 200 > 0.9
