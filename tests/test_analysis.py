import math
from dataclasses import replace

import numpy as np
import pytest

from harness.analysis import QUANTILES, SAMPLES_BEYOND, analyse
from harness.models import Analysis, Comparison, Verdict
from harness.store import Samples
from tests.runs import FakeRun, closed_load, hello_plan

A, B = "flask-gthread", "fastapi-uvicorn"


def analysed(run: FakeRun, **settings: float) -> Analysis:
    return analyse(run.record, run.read, **settings)


def throughput(analysis: Analysis) -> Comparison:
    return next(c for c in analysis.comparisons if c.metric == "throughput_rps")


def drifting(factor: float) -> dict[str, list[float]]:
    """A machine whose speed halves and doubles between rounds, the candidate `factor` faster."""
    machine = [1000.0, 2000.0, 1500.0, 900.0, 1800.0, 1200.0]
    luck = [1.01, 0.99, 1.0, 1.005, 0.995, 1.0]
    return {A: machine, B: [m * factor * x for m, x in zip(machine, luck, strict=True)]}


def test_a_known_ratio_comes_back_though_the_machine_drifts() -> None:
    comparison = throughput(analysed(FakeRun(hello_plan(), drifting(2.0))))
    assert comparison.ratio == pytest.approx(2.0, rel=0.005)
    assert comparison.ci_low < 2.0 < comparison.ci_high
    assert comparison.ci_high / comparison.ci_low < 1.05
    assert comparison.verdict is Verdict.FASTER


def test_a_slow_down_of_ten_percent_comes_back_as_that() -> None:
    comparison = throughput(analysed(FakeRun(hello_plan(), drifting(1 / 1.1))))
    assert comparison.ci_low < 1 / 1.1 < comparison.ci_high
    assert comparison.verdict is Verdict.SLOWER


def test_equal_stacks_are_the_same() -> None:
    assert throughput(analysed(FakeRun(hello_plan(), drifting(1.0)))).verdict is Verdict.SAME


def test_throughput_and_latency_are_those_of_the_server() -> None:
    cell = analysed(FakeRun(hello_plan(), {A: [1000.0] * 5, B: [2000.0] * 5})).cells[0]
    assert cell.throughput_rps.value == pytest.approx(1000, rel=0.01)
    assert cell.latency_ms["p50"].value == pytest.approx(4.0, rel=0.01)  # 4 users, 1,000/s
    assert cell.cpu_us_per_request.value == pytest.approx(200)
    assert cell.pss_mib == pytest.approx(50)
    assert cell.valid


def test_the_ratio_in_the_comparison_is_the_ratio_of_the_summaries() -> None:
    analysis = analysed(FakeRun(hello_plan(), drifting(1.7)))
    base, candidate = (cell.throughput_rps.value for cell in analysis.cells)
    assert throughput(analysis).ratio == pytest.approx(candidate / base)


def test_failures_make_a_cell_invalid_and_unranked() -> None:
    run = FakeRun(hello_plan(), drifting(2.0))
    run.spoil(B, 0.01)
    analysis = analysed(run)
    broken = next(cell for cell in analysis.cells if cell.stack == B)
    assert not broken.valid
    assert "errors" in broken.reason
    assert "status 500" in broken.reason
    assert all(c.verdict is Verdict.INVALID for c in analysis.comparisons)
    assert not analysis.valid


def test_a_cell_that_was_measured_once_is_no_cell() -> None:
    analysis = analysed(FakeRun(hello_plan(), {A: [1000.0], B: [2000.0]}))
    assert not analysis.valid
    assert "rounds: 1 measured" in analysis.cells[0].reason
    assert math.isnan(throughput(analysis).ci_low)


def test_fewer_than_five_rounds_give_an_interval_but_no_verdict() -> None:
    comparison = throughput(analysed(FakeRun(hello_plan(), {A: [1000.0, 1010.0], B: [2000.0] * 2})))
    assert not math.isnan(comparison.ci_low)
    assert comparison.verdict is Verdict.INCONCLUSIVE


def test_only_rounds_that_both_took_part_in_are_compared() -> None:
    rates = drifting(2.0)
    rates[B] = rates[B][:5]
    comparison = throughput(analysed(FakeRun(hello_plan(), rates)))
    assert comparison.rounds == 5
    assert comparison.ratio == pytest.approx(2.0, rel=0.01)


def test_a_machines_own_noise_floor_widens_the_band() -> None:
    run = FakeRun(hello_plan(), drifting(1.06))
    assert throughput(analysed(run)).verdict is Verdict.FASTER
    calibrated = throughput(analysed(run, noise_floor=0.10))
    assert calibrated.verdict is Verdict.SAME
    assert calibrated.noise_floor == 0.10


def test_users_that_are_not_kept_busy_make_a_cell_invalid() -> None:
    run = FakeRun(hello_plan(), drifting(2.0))
    cell = run.record.plan.cells[0]
    plan = replace(run.record.plan, cells=(replace(cell, load=replace(cell.load, users=5)),))
    run.record = replace(run.record, plan=plan)
    assert "Little's law" in analysed(run).cells[0].reason


def test_the_curve_ends_where_samples_are_too_few() -> None:
    analysis = analysed(FakeRun(hello_plan(), drifting(2.0)))
    for cell in analysis.cells:
        last = cell.latency_curve_ms[-1][0]
        assert cell.requests * (1 - last) >= 9.9
        assert last < 0.9999


def test_a_curve_reaches_a_percentile_exactly_when_enough_samples_support_it() -> None:
    for cell in analysed(FakeRun(hello_plan(), drifting(2.0))).cells:
        reached = {q for q, _ in cell.latency_curve_ms}
        for quantile in QUANTILES.values():
            assert (quantile in reached) == (cell.requests * (1 - quantile) >= SAMPLES_BEYOND)


def test_the_timeline_puts_rounds_one_after_the_other() -> None:
    cell = analysed(FakeRun(hello_plan(), drifting(2.0))).cells[0]
    times = [point.elapsed_s for point in cell.timeline]
    assert times == sorted(times)
    assert {point.round for point in cell.timeline} == {1, 2, 3, 4, 5, 6}
    assert len(cell.timeline) == 6 * 4


def test_the_idle_share_is_that_of_one_idle_stack() -> None:
    assert analysed(FakeRun(hello_plan(), drifting(1.0))).idle_core_share == pytest.approx(0.002)


def test_a_run_without_any_round_has_nothing_to_say() -> None:
    run = FakeRun(hello_plan(), {A: [1000.0], B: [1000.0]})
    run.record = replace(run.record, rounds=())
    analysis = analysed(run)
    assert analysis.cells == ()
    assert analysis.comparisons == ()


def test_a_stack_that_warms_up_while_the_other_does_not_is_not_settled() -> None:
    run = FakeRun(hello_plan(), {A: [1000.0] * 6, B: [1000.0] * 6})
    for one in run.record.rounds:
        cell = next(cell for cell in one.cells if cell.stack == B)
        slow, _ = closed_load(800.0, 4, 4)
        fast = run.samples[cell.samples_file]
        first = slow.slice < 2
        run.samples[cell.samples_file] = Samples(
            slice=np.concatenate([slow.slice[first], fast.slice[fast.slice >= 2]]),
            start_ns=np.concatenate([slow.start_ns[first], fast.start_ns[fast.slice >= 2]]),
            latency_ns=np.concatenate([slow.latency_ns[first], fast.latency_ns[fast.slice >= 2]]),
            good=np.concatenate([slow.good[first], fast.good[fast.slice >= 2]]),
        )
    reasons = {cell.stack: cell.reason for cell in analysed(run).cells}
    assert "settled: second ÷ first half 1.25" in reasons[B]


def test_a_machine_that_slows_both_down_within_rounds_spoils_nothing() -> None:
    run = FakeRun(hello_plan(), {A: [1000.0] * 6, B: [2000.0] * 6})
    for one in run.record.rounds:
        for cell in one.cells:
            rate = 1000.0 if cell.stack == A else 2000.0
            late, _ = closed_load(rate * 0.7, 4, 4)
            early = run.samples[cell.samples_file]
            run.samples[cell.samples_file] = Samples(
                *(
                    np.concatenate([getattr(early, name)[early.slice < 2],
                                    getattr(late, name)[late.slice >= 2]])
                    for name in ("slice", "start_ns", "latency_ns", "good")
                )
            )  # fmt: skip
    analysis = analysed(run)
    assert analysis.valid
    assert throughput(analysis).ratio == pytest.approx(2.0, rel=0.01)
