import math

import pytest

from harness import gates
from harness.models import GateResult, Kind


def lag(p99_ms: float = 0.5, **percentiles: tuple[float, float]) -> GateResult:
    """The gate for percentiles that are each given as latency and the lag's share of it, in ms."""
    latency_ms = {name: latency for name, (latency, _) in percentiles.items()}
    effect_ms = {name: effect for name, (_, effect) in percentiles.items()}
    return gates.schedule_lag(latency_ms, effect_ms, p99_ms)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (gates.errors(10_000, 10, Kind.IO), gates.errors(10_000, 11, Kind.IO, "status 500")),
        (gates.errors(10_000, 0, Kind.CPU), gates.errors(10_000, 1, Kind.CPU, "status 500")),
        (gates.errors(9, 0, Kind.FRAMEWORK), gates.errors(9, 1, Kind.FRAMEWORK)),
        (gates.parity([]), gates.parity(["before: hello: status 404"])),
        (gates.alive([]), gates.alive(["the server ended with exit code -9"])),
        (gates.load_busy([0.85], 1.0), gates.load_busy([0.86], 1.0)),
        (gates.load_busy([0.1, 0.85], 1.0), gates.load_busy([0.86, 0.1], 1.0)),
        (lag(p50=(102.0, 2.0)), lag(p50=(102.1, 2.1))),
        (lag(p50=(0.1, 0.01)), lag(p50=(0.1, 0.011))),
        (lag(p50=(1.0, 0.0), p99=(10.2, 0.2)), lag(p50=(1.0, 0.0), p99=(10.3, 0.3))),
        (
            gates.service_cores_busy({"PostgreSQL": 0.95, "upstream": 0.0}, 1.0, 1),
            gates.service_cores_busy({"PostgreSQL": 1.9, "upstream": 0.02}, 1.0, 2),
        ),
        (gates.little(50, 47.5), gates.little(50, 47.4)),
        (gates.settled([1.04, 1.04, 1.04]), gates.settled([1.06, 1.061, 1.06])),
        (gates.possible(1149, 0.001, 1), gates.possible(1151, 0.001, 1)),
        (gates.rounds(2), gates.rounds(1)),
    ],
    ids=lambda gate: gate.gate,
)
def test_a_gate_shuts_just_beyond_its_bound(good: GateResult, bad: GateResult) -> None:
    assert good.passed
    assert not bad.passed
    assert bad.reason == f"{bad.gate}: {bad.figure} ({bad.bound})"


def test_a_reason_names_gate_figure_and_bound() -> None:
    gate = gates.errors(2000, 40, Kind.IO, "hello: status 500 instead of 200")
    assert gate.reason == (
        "errors: 40 of 2,000 requests failed (hello: status 500 instead of 200) (at most 0.1%)"
    )


def test_the_services_gate_says_whose_share_it_does_not_know() -> None:
    gate = gates.service_cores_busy({"PostgreSQL": None, "upstream": None, "load": 0.5}, 1.0, 1)
    assert gate.passed
    assert gate.figure == "50% of 1 core, PostgreSQL and upstream not known"


def test_without_other_services_not_one_request_may_fail() -> None:
    gate = gates.errors(1_000_000, 1, Kind.CPU)
    assert not gate.passed
    assert gate.bound == "none in a scenario without I/O"


def test_a_cell_without_any_request_is_no_measurement() -> None:
    assert not gates.errors(0, 0, Kind.IO).passed


def test_a_server_that_answers_nearly_all_that_is_due_keeps_up() -> None:
    assert gates.kept_up(99.0, 100.0)
    assert not gates.kept_up(98.9, 100.0)


def test_a_schedule_of_which_nothing_was_sent_was_not_kept() -> None:
    assert not lag(math.nan).passed
    assert not lag(math.nan, p50=(1.0, 0.0)).passed


def test_lag_that_is_longer_than_the_service_is_never_small() -> None:
    assert not lag(p50=(1.0, 1.0)).passed
    assert not lag(p50=(1.0, math.nan)).passed


def test_without_time_nothing_was_busy() -> None:
    assert gates.load_busy([0.0], 0.0).passed
    assert gates.load_busy([], 1.0).passed


def test_the_busiest_load_process_decides_and_one_more_would_help() -> None:
    gate = gates.load_busy([0.2, 0.9], 1.0)
    assert gate.figure == "90% of its core"
    assert gate.bound.endswith("try --generators 3")


def test_the_first_difference_is_told_and_how_many_more_there_are() -> None:
    gate = gates.parity(["before: hello: status 404", "after: hello: status 404", "after: x"])
    assert gate.figure == "before: hello: status 404 (and 2 more)"


def test_the_lag_gate_names_every_percentile_that_is_moved_too_far_or_else_the_worst() -> None:
    bad = lag(0.9, p50=(1.1, 0.1), p90=(2.0, 0.0), p99=(11.0, 1.0))
    assert bad.figure == (
        "moves p50 by 0.100 ms (10.0%) and p99 by 1.000 ms (10.0%); its own p99 is 0.90 ms"
    )
    good = lag(0.9, p50=(1.01, 0.01), p90=(2.0, 0.0))
    assert good.figure == "moves p50 by 0.010 ms (1.0%); its own p99 is 0.90 ms"
