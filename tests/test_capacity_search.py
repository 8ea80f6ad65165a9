"""The search for capacity finds what a simulated server can do, and says so where it can't."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.analysis import capacity
from harness.analysis.capacity import Requests, Step, judge, next_step
from harness.errors import BadInput
from harness.models import LatencyBound, LimitedBy, Purpose, Slo, Window
from harness.planning.capacity import SEARCHES
from harness.planning.slo import parse_slo
from tests.queue_simulation import Server, search_round, true_capacity_rps

P99 = Slo((LatencyBound("p99", 100.0),))
QUICK = SEARCHES["quick"]


@pytest.mark.parametrize(
    ("service_ms", "limit_ms"), [(2.0, 100.0), (0.5, 100.0), (2.0, 20.0), (0.5, 5.0), (2.0, 2000.0)]
)
def test_rounds_of_searches_find_the_long_run_capacity_and_hold_it_in_their_interval(
    service_ms: float, limit_ms: float
) -> None:
    slo = Slo((LatencyBound("p99", limit_ms),))
    true_rps = true_capacity_rps(slo, service_ms / 1e3)
    ratios, held, runs = [], 0, 20
    for seed in range(runs):
        server, rates = Server(service_ms / 1e3, seed), []
        for _ in range(5):
            speed = float(np.exp(server.random.normal(0, 0.03)))
            found, _windows = search_round(server, slo, QUICK, rates, speed, drift=0.01)
            if found.rate_rps is not None:
                rates.append(found.rate_rps)
        estimate = capacity.over_rounds(rates)
        ratios.append(estimate.value / true_rps)
        held += estimate.low <= true_rps <= estimate.high

    assert np.mean(ratios) == pytest.approx(1, abs=0.03)  # the bias that docs/METHOD.md names
    assert max(abs(np.log(ratios))) < 0.08
    assert np.quantile(np.abs(np.log(ratios)), 0.9) < 0.06
    assert held >= 0.9 * runs


def test_a_rate_just_above_capacity_is_overload_though_no_request_took_too_long() -> None:
    server, patient = Server(0.001, 3), Slo((LatencyBound("p99", 5_000.0),))
    due_s, latency_s = server.latency_s(1_050, 6.0, 0.001)

    judged = judge(patient, _requests(due_s, latency_s))

    assert max(latency_s) < 1
    assert judged.limited_by is LimitedBy.OVERLOAD


def test_requests_that_were_sent_late_blame_the_generator_and_not_the_stack() -> None:
    due_s = np.linspace(0, 3, 3_000, endpoint=False)
    lag_s = np.where(np.arange(3_000) % 20 == 0, 0.2, 0.0)

    late = judge(P99, _requests(due_s, 0.001 + lag_s, lag_s=lag_s))
    slow = judge(P99, _requests(due_s, 0.001 + lag_s))

    assert late.limited_by is LimitedBy.GENERATOR
    assert slow.limited_by is LimitedBy.LATENCY


def test_failed_and_lost_requests_break_the_promise_however_fast_the_others_are() -> None:
    due_s = np.linspace(0, 3, 3_000, endpoint=False)
    failed = np.arange(3_000) % 100 < 2  # 2 %
    lost = np.arange(3_000) % 20 == 0  # 5 %
    latency_s = np.full(3_000, 0.001)

    assert judge(P99, _requests(due_s, latency_s, failed)).limited_by is LimitedBy.ERRORS
    assert judge(P99, _requests(due_s, latency_s, lost, lost)).limited_by is LimitedBy.OVERLOAD
    few = np.arange(3_000) == 0
    assert judge(parse_slo("errors<0.1%"), _requests(due_s, latency_s, few)).limited_by is None
    more = np.arange(3_000) < 4
    judged = judge(parse_slo("errors<0.1%"), _requests(due_s, latency_s, more))
    assert judged.limited_by is LimitedBy.ERRORS


def test_a_window_counts_as_many_requests_as_the_percentile_needs() -> None:
    assert capacity.needed_requests(P99) == 1_000
    assert capacity.needed_requests(parse_slo("p50<10ms,p999<1s")) == 10_000
    assert capacity.counted_s(P99, QUICK, 10_000) == QUICK.window_s
    assert capacity.counted_s(P99, QUICK, 200) * 200 > 1_000
    assert capacity.lowest_rps(P99, QUICK) * QUICK.longest_s > 1_000


def test_a_promise_that_fails_at_the_lowest_rate_gets_its_reason_and_no_number() -> None:
    found, windows = search_round(Server(0.2, 1), P99, QUICK, [], 1.0, 0.0)

    assert found.rate_rps is None
    assert "lowest rate" in found.reason
    assert len(windows) <= 4


def test_a_generator_that_breaks_the_promise_gives_no_number() -> None:
    tried: list[Window] = []
    while step := next_step(P99, QUICK, tried, [], ""):
        tried.append(_window(step, LimitedBy.GENERATOR if step.rate_rps > 5_000 else None))
    found = capacity.found(P99, QUICK, tried)

    assert found.rate_rps is None
    assert found.limited_by is LimitedBy.GENERATOR
    assert "on time" in found.reason


def test_a_search_without_time_gives_no_number() -> None:
    lowest = capacity.lowest_rps(P99, QUICK)
    tried = [_window(Step(Purpose.PROBE, lowest), None, took_s=QUICK.budget_s)]

    assert next_step(P99, QUICK, tried, [], "") is None
    found = capacity.found(P99, QUICK, tried)
    assert found.rate_rps is None
    assert "too little time" in found.reason


def test_one_wrong_window_does_not_decide_a_search() -> None:

    def search(wrong_at: int | None) -> float:
        tried: list[Window] = []
        while step := next_step(P99, QUICK, tried, [], ""):
            broken = (step.rate_rps > 1_000) != (len(tried) == wrong_at)
            tried.append(_window(step, LimitedBy.LATENCY if broken else None))
        rate_rps = capacity.found(P99, QUICK, tried).rate_rps
        assert rate_rps is not None
        return rate_rps

    right = search(None)
    assert right == pytest.approx(1_000, rel=0.06)
    for wrong_at in range(4, 12):
        assert search(wrong_at) == pytest.approx(right, rel=0.1)


def test_later_rounds_begin_near_what_earlier_ones_found_each_elsewhere() -> None:
    steps = [next_step(P99, QUICK, [], [1_000, 1_010], f"seed {n}") for n in range(50)]
    starts = [step.rate_rps for step in steps if step is not None]

    assert all(850 < start < 1_150 for start in starts)
    assert len(set(starts)) == 50
    lowest = capacity.lowest_rps(P99, QUICK)
    assert next_step(P99, QUICK, [], [], "seed") == Step(Purpose.PROBE, lowest)


def test_a_ratio_takes_only_rounds_in_which_both_stacks_have_a_figure() -> None:
    ratio = capacity.ratio([200, None, 220, 210], [100, 100, 110, None])

    assert ratio.value == pytest.approx(2)
    assert math.isnan(capacity.ratio([None], [100]).value)


def test_errors_need_three_divided_by_their_bound_requests() -> None:
    slo = parse_slo("errors<0.1%")

    assert "3,000" in capacity.errors_reason(slo, 2_999)
    assert capacity.errors_reason(slo, 3_000) == ""
    assert capacity.errors_reason(P99, 0) == ""


def test_a_promise_is_read_whatever_its_order_case_and_unit() -> None:
    slo = parse_slo(" errors < 0.1% , P99<0.1s ,p50< 20 ms")

    assert slo.text == "p50<20ms,p99<100ms,errors<0.1%"
    assert parse_slo(slo.text) == slo
    assert not set(slo.label) & set("<>%,/ ")


@pytest.mark.parametrize(
    "text",
    ["", "p99", "p98<100ms", "p99<100", "p99<0ms", "p99<1ms,p99<2ms", "errors<0%", "p99<1.2.3ms",
     "errors<100%", "errors<0.1", "p99<100ms,", "p99>100ms", "p99<60s", "errors<1%,errors<2%"],
)  # fmt: skip
def test_a_promise_that_makes_no_sense_is_refused_with_an_example_that_works(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_slo(text)

    message = str(refused.value)
    example = message.split("--slo '")[-1].removesuffix("'")
    assert parse_slo(example).text == example
    assert "\n" not in message


def _requests(
    due_s: np.ndarray,
    latency_s: np.ndarray,
    failed: np.ndarray | None = None,
    lost: np.ndarray | None = None,
    lag_s: np.ndarray | None = None,
) -> Requests:
    none = np.zeros(len(due_s), dtype=bool)
    return Requests(
        due_s,
        latency_s,
        np.zeros(len(due_s)) if lag_s is None else lag_s,
        none if failed is None else failed,
        none if lost is None else lost,
    )


def _window(step: Step, limited_by: LimitedBy | None, took_s: float = 1.0) -> Window:
    return Window(
        step.purpose, step.rate_rps, limited_by is None, limited_by, 3_000, 0, {}, 0.0, took_s
    )
