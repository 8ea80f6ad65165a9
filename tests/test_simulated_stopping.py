"""How often intervals hold the true ratio where measuring stops as soon as they are narrow."""

from dataclasses import replace

import numpy as np
import pytest

from harness.analysis import percentiles, stats
from harness.measuring.pacing import UntilPrecise, Widths
from harness.models import CellRound, Comparison, Verdict
from tests.simulated_runs import Simulated, plan_of, throughput

pytestmark = [  # thousands of runs
    pytest.mark.timeout(300),
    pytest.mark.busy,
    pytest.mark.thorough,
]


@pytest.fixture(autouse=True)
def _no_percentiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save the time for percentiles: these tests use throughput alone."""
    monkeypatch.setattr(percentiles, "CURVE", tuple(percentiles.QUANTILES.values()))


def stopped(precision: float, most: int, count: int) -> list[tuple[int, Comparison]]:
    """Rounds and ratio of runs of A against A that end when their interval is narrow enough."""
    generator = np.random.default_rng(7)
    plan = plan_of(most, precision)
    found = []
    for _ in range(count):
        run = Simulated(plan, 1.0, generator)
        pacing = UntilPrecise(Widths(precision, run.read))
        blocks: list[tuple[CellRound, ...]] = []
        while pacing.next(run.record(blocks)):
            blocks.append(run.block(len(blocks) + 1))
        found.append((len(blocks), throughput(run.analysed(blocks))))
    return found


@pytest.mark.parametrize("precision", [0.03, 0.05])
def test_stopping_by_width_keeps_the_coverage_and_finds_no_false_winners(precision: float) -> None:
    ended = stopped(precision, 30, 600)
    rounds = [count for count, _ in ended]
    assert min(rounds) >= 5
    assert 6 < np.mean(rounds) < 29  # the rule ends the runs, and not the bounds
    covered = sum(ratio.ci_low <= 1 <= ratio.ci_high for _, ratio in ended) / len(ended)
    assert covered >= 0.94
    winners = {Verdict.FASTER, Verdict.SLOWER}
    assert sum(ratio.verdict in winners for _, ratio in ended) / len(ended) <= 0.05


def test_stopping_by_the_width_of_an_ordinary_interval_would_contain_the_true_ratio_too_rarely(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stats, "STOPPED_CONFIDENCE", stats.CONFIDENCE)
    ended = stopped(0.04, 30, 500)
    covered = sum(ratio.ci_low <= 1 <= ratio.ci_high for _, ratio in ended) / len(ended)
    assert covered < 0.94


def test_a_baseline_that_serves_nothing_is_never_precise_enough() -> None:
    plan = plan_of(30, 0.05)
    run = Simulated(plan, 1.0, np.random.default_rng(1))
    blocks = []
    for number in range(1, 8):
        block = run.block(number)
        dead = run.samples[block[0].samples_file]
        failed = np.full(len(dead.failure), 4, dtype=np.int8)
        run.samples[block[0].samples_file] = replace(dead, failure=failed)
        blocks.append(block)
    assert UntilPrecise(Widths(0.05, run.read)).next(run.record(blocks))
