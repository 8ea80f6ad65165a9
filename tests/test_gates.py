import pytest

from harness import gates
from harness.models import GateResult


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (gates.errors(10_000, 10), gates.errors(10_000, 11, "status 500")),
        (gates.alive([]), gates.alive(["the server ended with exit code -9"])),
        (gates.load_busy(0.85, 1.0), gates.load_busy(0.86, 1.0)),
        (gates.service_cores_busy(0.95, 1.0, 1), gates.service_cores_busy(1.92, 1.0, 2)),
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


def test_a_reason_names_gate_figure_and_bound() -> None:
    gate = gates.errors(2000, 40, "hello: status 500 instead of 200")
    assert gate.reason == (
        "errors: 40 of 2,000 requests failed (hello: status 500 instead of 200) (at most 0.1%)"
    )


def test_a_cell_without_any_request_is_no_measurement() -> None:
    assert not gates.errors(0, 0).passed


def test_without_time_nothing_was_busy() -> None:
    assert gates.load_busy(0.0, 0.0).passed
