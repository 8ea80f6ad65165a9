"""The statistics: rates of slices, intervals, percentiles, p-values and verdicts."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis import stats
from harness.analysis.percentiles import Pool
from harness.models import Estimate, Verdict

MS = 1_000_000


def test_users_who_are_never_idle_send_as_littles_law_says() -> None:
    # 50 users wait 50.5 ms each, 20 times in a slice. Counting whole replies in 1 s would give 950 or
    # 1,000, because replies come in bursts of 50.
    waits = np.array([50 * 20 * 50.5 * MS])
    each, whole = stats.closed_rates(50, np.array([1000.0]), waits, np.zeros(1))
    assert each[0] == pytest.approx(whole) == pytest.approx(50 / 0.0505)


def test_the_think_time_of_users_lowers_the_throughput() -> None:
    _, whole = stats.closed_rates(2, np.array([10.0]), np.array([90.0 * MS]), np.array([10.0 * MS]))
    assert whole == pytest.approx(2 * 10 / 0.1)


def test_slices_of_a_round_count_by_their_requests_and_not_as_equals() -> None:
    # One request met a pause of 1 s. The mean of the two rates would be 505/s.
    good, waits = np.array([1.0, 1.0]), np.array([1000.0 * MS, 1.0 * MS])
    each, whole = stats.closed_rates(1, good, waits, np.zeros(2))
    assert list(each) == pytest.approx([1, 1000])
    assert whole == pytest.approx(2 / 1.001)


def test_a_failed_request_takes_its_users_time_and_counts_for_nothing() -> None:
    each, whole = stats.closed_rates(1, np.zeros(1), np.array([100.0 * MS]), np.zeros(1))
    assert each[0] == whole == 0


def test_a_slice_without_a_counted_request_has_no_throughput() -> None:
    each, whole = stats.closed_rates(1, np.zeros(2), np.array([0.0, 0.0]), np.zeros(2))
    assert list(each) == [0, 0]
    assert whole == 0


def test_an_interval_uses_students_t_on_the_logarithms() -> None:
    estimate = stats.log_mean([2.0, 2.2, 2.1, 1.9, 2.3])
    logs = np.log([2.0, 2.2, 2.1, 1.9, 2.3])
    half = 2.7764451 * logs.std(ddof=1) / math.sqrt(5)  # t with 4 degrees of freedom
    assert estimate.value == pytest.approx(math.exp(logs.mean()))
    assert estimate.low == pytest.approx(math.exp(logs.mean() - half))
    assert estimate.high == pytest.approx(math.exp(logs.mean() + half))


def test_a_single_round_has_no_interval() -> None:
    estimate = stats.log_mean([2.0])
    assert estimate.value == pytest.approx(2.0)
    assert math.isnan(estimate.low)
    assert math.isnan(estimate.high)


@pytest.mark.parametrize("values", [[], [1.0, 0.0], [1.0, math.nan]])
def test_values_without_a_logarithm_have_no_mean(values: list[float]) -> None:
    assert math.isnan(stats.log_mean(values).value)


@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=20))
def test_swapping_candidate_and_baseline_inverts_the_ratio(values: list[float]) -> None:
    forward = stats.log_mean(values)
    backward = stats.log_mean([1 / value for value in values])
    assert backward.value == pytest.approx(1 / forward.value)
    assert backward.low == pytest.approx(1 / forward.high)


def simulated_coverage(*, over_slices: bool) -> float:
    """Share of intervals that contain the true value 1 if both processes and slices vary."""
    generator = np.random.default_rng(5)
    runs, rounds, slices = 2000, 8, 20
    process_luck = generator.normal(0, 0.03, (runs, rounds, 1))
    slice_luck = generator.normal(0, 0.13, (runs, rounds, slices))
    ratios = np.exp(process_luck + slice_luck)
    covered = 0
    for run in ratios:
        values = run.ravel() if over_slices else np.exp(np.log(run).mean(axis=1))
        estimate = stats.log_mean(values)
        covered += estimate.low <= 1 <= estimate.high
    return covered / runs


def test_intervals_over_rounds_contain_the_true_value_as_often_as_they_promise() -> None:
    assert 0.93 <= simulated_coverage(over_slices=False) <= 0.97


def test_intervals_over_slices_would_contain_it_too_rarely() -> None:
    assert simulated_coverage(over_slices=True) < 0.90


def test_the_interval_of_a_quantile_lies_around_it_and_needs_two_rounds() -> None:
    generator = np.random.default_rng(1)
    rounds = [np.sort(generator.lognormal(14, 0.5, 4000)).astype(np.int64) for _ in range(6)]
    for quantile in (0.5, 0.99, 0.999):
        low, high = stats.quantile_interval(rounds, quantile)
        assert low < np.quantile(np.concatenate(rounds), quantile) < high < 1.5 * low
    assert all(map(math.isnan, stats.quantile_interval(rounds[:1], 0.5)))


def stalling(generator: np.random.Generator, share: float, luck: float) -> np.ndarray:
    """A round of 600 requests; a stall adds 50 ms to sixteen requests in a row."""
    ms = 8 * np.exp(generator.normal(0, 0.25, 600))
    for at in generator.integers(0, 584, generator.poisson(600 * share / 16)):
        ms[at : at + 16] += 50 * math.exp(generator.normal(0, 0.1))
    return (ms * math.exp(luck + generator.normal(0, 0.03)) * MS).astype(np.int64)


def p99_of_many(generator: np.random.Generator, share: float) -> float:
    rounds = [stalling(generator, share, generator.normal(0, 0.1)) for _ in range(4000)]
    return float(np.quantile(np.concatenate(rounds), 0.99))


@pytest.mark.parametrize("share", [0.005, 0.01, 0.02])
def test_intervals_of_quantiles_hold_the_truth_also_where_p99_is_the_edge_of_the_stalls(
    share: float,
) -> None:
    generator = np.random.default_rng(11)
    truth = p99_of_many(generator, share)
    covered, runs = 0, 200
    for _ in range(runs):
        rounds = [np.sort(stalling(generator, share, generator.normal(0, 0.1))) for _ in range(14)]
        low, high = stats.quantile_interval(rounds, 0.99)
        covered += low <= truth <= high
    assert covered / runs >= 0.88


@pytest.mark.parametrize("share", [0.0, 0.005, 0.0125, 0.02])
def test_the_ratio_of_p99_is_right_also_where_only_one_of_the_stacks_stalls(share: float) -> None:
    generator = np.random.default_rng(12)
    truth = p99_of_many(generator, share) / p99_of_many(generator, 0.0)
    covered, runs, found = 0, 150, []
    for _ in range(runs):
        drift = generator.normal(0, 0.1, 14)  # common to both
        one, other = (
            Pool([stalling(generator, of_stack, luck) for luck in drift])
            for of_stack in (share, 0.0)
        )
        ratio = one.ratio(other, "p99", stats.CONFIDENCE)
        found.append(ratio.value)
        covered += ratio.low <= truth <= ratio.high
    assert np.median(found) == pytest.approx(truth, rel=0.1)
    assert covered / runs >= 0.9


def test_p_is_five_percent_if_the_interval_just_touches_1() -> None:
    estimate = stats.log_mean([1.1, 1.3, 1.2, 1.25, 1.15, 1.0])
    touching = Estimate(estimate.value / estimate.low, 1.0, estimate.high / estimate.low)
    assert stats.p_value(touching, 6) == pytest.approx(0.05)
    assert stats.p_value(estimate, 6) < 0.05
    assert stats.p_value(stats.log_mean([1.1]), 1) == 1.0


def test_holm_multiplies_the_smallest_p_value_most_and_keeps_their_order() -> None:
    assert stats.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert stats.holm([0.6, 0.7]) == [1.0, 1.0]
    assert stats.holm([]) == []


def verdict(value: float, low: float, high: float, **changes) -> Verdict:
    settings = {"band": 0.03, "rounds": 8, "more_is_better": True, "significant": True}
    return stats.verdict(Estimate(value, low, high), **{**settings, **changes})


def test_a_ratio_outside_the_band_whose_interval_excludes_1_is_a_difference() -> None:
    assert verdict(2.34, 2.27, 2.42) is Verdict.FASTER
    assert verdict(0.5, 0.45, 0.55) is Verdict.SLOWER


def test_a_smaller_value_is_faster_if_less_is_better() -> None:
    assert verdict(0.5, 0.45, 0.55, more_is_better=False) is Verdict.FASTER
    assert verdict(2.0, 1.9, 2.1, more_is_better=False) is Verdict.SLOWER


def test_an_interval_inside_the_band_means_the_same() -> None:
    assert verdict(1.002, 0.985, 1.019) is Verdict.SAME
    # This holds even if the interval excludes 1, because so small a difference decides nothing.
    assert verdict(1.015, 1.01, 1.02) is Verdict.SAME


def test_an_interval_that_leaves_the_band_and_contains_1_is_inconclusive() -> None:
    assert verdict(1.05, 0.98, 1.12) is Verdict.INCONCLUSIVE


def test_a_difference_inside_the_band_with_a_wide_interval_is_inconclusive() -> None:
    assert verdict(1.02, 1.005, 1.035) is Verdict.INCONCLUSIVE


def test_a_difference_that_is_not_significant_after_correction_is_inconclusive() -> None:
    assert verdict(1.1, 1.01, 1.2, significant=False) is Verdict.INCONCLUSIVE


def test_too_few_rounds_are_inconclusive() -> None:
    assert verdict(2.0, 1.9, 2.1, rounds=4) is Verdict.INCONCLUSIVE


def test_a_small_difference_is_the_same_in_a_wider_band() -> None:
    assert verdict(1.06, 1.04, 1.08) is Verdict.FASTER
    assert verdict(1.06, 1.04, 1.08, band=0.1) is Verdict.SAME


def test_a_steady_trend_within_rounds_is_not_settled() -> None:
    assert not stats.trend([1.10, 1.11, 1.12, 1.10, 1.11], tolerance=0.05).settled


def test_halves_that_differ_by_chance_are_settled() -> None:
    assert stats.trend([1.2, 0.8, 1.1, 0.9, 1.15], tolerance=0.05).settled


def test_a_trend_is_said_to_be_found_from_where_it_would_be_found() -> None:
    noise = np.array([0.04, -0.03, 0.02, -0.04, 0.01])
    noise -= noise.mean()
    smallest = stats.trend(list(np.exp(noise)), tolerance=0.01).smallest
    assert smallest > 0.05
    assert stats.trend(list(np.exp(noise) * (1 + 0.99 * smallest)), tolerance=0.01).settled
    assert not stats.trend(list(np.exp(noise) * (1 + 1.01 * smallest)), tolerance=0.01).settled
    assert stats.trend([1.001, 1.0, 0.999], tolerance=0.05).smallest == pytest.approx(0.05)
