"""How often intervals and verdicts are correct, in simulated runs whose true ratio is known.

Every run is analysed as a real run is, from the samples of slices to interval and verdict.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from harness.analysis import percentiles, stats
from harness.analysis.between import compare_runs
from harness.analysis.comparisons import Draft, with_verdicts
from harness.models import Analysis, Change, Estimate, Family, Verdict
from tests.simulated_runs import (
    BASELINE,
    CANDIDATE,
    ROUNDS,
    Simulated,
    any_record,
    plan_of,
    throughput,
)

pytestmark = [  # thousands of runs
    pytest.mark.timeout(300),
    pytest.mark.busy,
    pytest.mark.thorough,
]

RUNS = 2000


@pytest.fixture(scope="module", autouse=True)
def _no_curve() -> Iterator[None]:
    """Save the time for a curve of percentiles: these tests use throughput alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(percentiles, "CURVE", tuple(percentiles.QUANTILES.values()))
        yield


def runs(truth: float, count: int, seed: int) -> list[Analysis]:
    """Simulate and analyse `count` runs of ROUNDS rounds."""
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        run = Simulated(plan_of(), truth, generator)
        found.append(run.analysed([run.block(number) for number in range(1, ROUNDS + 1)]))
    return found


@pytest.fixture(scope="module")
def equal() -> list[Analysis]:
    """Runs of two stacks that are the same."""
    return runs(1.0, RUNS, seed=5)


def over_slices(analysis: Analysis) -> Estimate:
    """The naive interval, which treats every pair of slices as an independent repeat."""
    base, candidate = analysis.cells
    return stats.log_mean(
        [
            other.throughput_rps / point.throughput_rps
            for point, other in zip(base.timeline, candidate.timeline, strict=True)
        ]
    )


def test_intervals_contain_the_true_ratio_as_often_as_they_promise_and_naive_intervals_do_not(
    equal: list[Analysis],
) -> None:
    ratios = [throughput(analysis) for analysis in equal]
    covered = sum(ratio.ci_low <= 1 <= ratio.ci_high for ratio in ratios)
    assert 0.93 <= covered / RUNS <= 0.97
    naive = sum(estimate.low <= 1 <= estimate.high for estimate in map(over_slices, equal))
    assert naive / RUNS < 0.90
    # The verdict names a winner even more rarely, because it also asks for a difference of 3 %.
    winners = {Verdict.FASTER, Verdict.SLOWER}
    assert sum(ratio.verdict in winners for ratio in ratios) / RUNS <= 0.05
    assert all(analysis.valid for analysis in equal[:50]), equal[0].cells[0].reason


def test_a_known_difference_is_inside_the_interval_as_often_as_promised() -> None:
    different = runs(1.2, RUNS // 4, seed=6)
    ratios = [throughput(analysis) for analysis in different]
    covered = sum(ratio.ci_low <= 1.2 <= ratio.ci_high for ratio in ratios)
    assert 0.93 <= covered / len(ratios) <= 0.97
    assert sum(ratio.verdict is Verdict.SLOWER for ratio in ratios) == 0
    assert sum(ratio.verdict is Verdict.FASTER for ratio in ratios) / len(ratios) > 0.9


def test_pairs_of_runs_in_which_nothing_changed_differ_as_rarely_as_promised(
    equal: list[Analysis],
) -> None:
    found = [
        compare_runs([("one", _named(one, "one")), ("two", _named(two, "two"))], 0.0001)
        for one, two in zip(equal[::2], equal[1::2], strict=True)
    ]
    # A gate fails in a few of so many runs.
    moved = [each for between in found for each in between.headlines if between.comparable]
    assert len(moved) > 0.95 * len(found)
    covered = sum(each.quotient.low <= 1 <= each.quotient.high for each in moved) / len(moved)
    assert 0.93 <= covered <= 0.975
    assert sum(between.changed for between in found) / len(found) <= 0.065
    # The machine drifts between runs: a stack's own figures differ far more than the ratio does.
    own = [between.figures[0].quotient.value for between in found if between.comparable]
    assert np.std(np.log(own)) > 2 * np.std(np.log([each.quotient.value for each in moved]))


def test_a_change_from_one_run_to_the_next_is_found(
    equal: list[Analysis],
) -> None:
    before, after = equal[: RUNS // 10], runs(1.15, RUNS // 10, seed=11)
    changes = [
        next(
            compare_runs([("one", _named(one, "one")), ("two", _named(two, "two"))], 0.03).headlines
        ).change
        for one, two in zip(before, after, strict=True)
    ]
    assert changes.count(Change.DOWN) == 0
    assert changes.count(Change.UP) / len(changes) > 0.9


def _named(analysis: Analysis, run_id: str) -> Analysis:
    """As a run of its own on a machine that is the same for all."""
    run = replace(analysis.run, run_id=run_id, environment={"machine": "simulated"})
    return replace(analysis, run=run)


def test_a_run_of_equal_stacks_names_a_winner_as_rarely_as_promised() -> None:
    # Eight comparisons of four metrics. The luck of the processes is in all metrics of a comparison.
    generator = np.random.default_rng(11)
    record = any_record()
    metrics = ("throughput_rps", "latency_p50_ms", "latency_p99_ms", "cpu_us_per_request")
    found = {False: 0, True: 0}
    count = 1000
    for _ in range(count):
        drafts = []
        for place in range(8):
            shared = generator.normal(0, 0.04, ROUNDS)
            for metric in metrics:
                ratios = np.exp(shared + generator.normal(0, 0.04, ROUNDS))
                drafts.append(
                    Draft(
                        scenario=f"number {place}",
                        load="closed-4",
                        metric=metric,
                        baseline=BASELINE,
                        candidate=CANDIDATE,
                        estimate=stats.log_mean(list(ratios)),
                        rounds=ROUNDS,
                        valid=True,
                        overloaded=False,
                        family=Family.ANSWERS,
                        is_secondary=metric != "throughput_rps",
                    )
                )
        for secondary in found:
            found[secondary] += any(
                made.verdict in (Verdict.FASTER, Verdict.SLOWER)
                for made in with_verdicts(drafts, record)
                if made.is_secondary is secondary
            )
    assert found[False] / count <= 0.06
    assert found[True] / count <= 0.06
    assert found[False] > 0  # the bound is met by the correction, and not for lack of differences
