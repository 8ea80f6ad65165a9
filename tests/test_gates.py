import math

import pytest

from harness.analysis import gates
from harness.models import BusyProcess, CoreUsage, GateResult, Kind

MAKE = BusyProcess(4711, "make", 0.3)
COMPILER = BusyProcess(4712, "cc1", 0.6)


def core(
    *, busy_s: float = 10.0, own_s: float = 10.0, steal_s: float = 0.0, available_s: float = 10.0
) -> CoreUsage:
    """One core in one round."""
    return CoreUsage(available_s, busy_s, own_s, interrupt_s=0.0, steal_s=steal_s)


def foreign(*usages: CoreUsage, slices: int = 0, busiest: tuple[BusyProcess, ...] = ()):
    return gates.foreign_load(usages, cores=1, slices=slices, busiest=busiest)


def steal(*usages: CoreUsage, slices: int = 0):
    return gates.steal_time(usages, cores=1, slices=slices)


def lag(
    p50_ms: float, p99_ms: float, latency_p50_ms: float = 0.3, **effect_ms: float
) -> GateResult:
    """The gate for a stack that answers within `latency_p50_ms`, in ten times that at p99."""
    latency_ms = {"p50": latency_p50_ms, "p99": 10 * latency_p50_ms}
    return gates.schedule_lag(p50_ms, p99_ms, latency_ms, effect_ms)


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
        (lag(0.01, 1.0), lag(0.011, 1.0)),
        (lag(0.01, 1.0), lag(0.01, 1.01)),
        (lag(2.0, 2.0, latency_p50_ms=100), lag(2.1, 2.0, latency_p50_ms=100)),
        (lag(0.01, 2.0, latency_p50_ms=100), lag(0.01, 2.1, latency_p50_ms=100)),
        (
            gates.service_cores_busy({"PostgreSQL": 0.95, "upstream": 0.0}, 1.0, 1),
            gates.service_cores_busy({"PostgreSQL": 1.9, "upstream": 0.02}, 1.0, 2),
        ),
        (gates.little(50, 48.75, 50, 0), gates.little(50, 48.74, 50, 0)),
        (gates.little(50, 50, 51.25, 0), gates.little(50, 50, 51.26, 0)),
        (
            gates.little(50, 10, 10, 40, users_wait=True),
            gates.little(50, 10, 11.26, 40, users_wait=True),
        ),
        (gates.little(50, 47.5, 47.5, 2.5), gates.little(50, 47.49, 47.49, 2.51)),
        (gates.settled([1.04, 1.04, 1.04]), gates.settled([1.06, 1.061, 1.06])),
        (gates.possible([1.0499], resolution=0.0), gates.possible([1.0501], resolution=0.0)),
        (
            gates.possible([1.0, 1.298], resolution=0.0),
            gates.possible([1.0, 1.302], resolution=0.0),
        ),
        (foreign(core(own_s=9.51)), foreign(core(own_s=9.49))),
        (steal(core(steal_s=0.99)), steal(core(steal_s=1.01))),
        (gates.rounds(2), gates.rounds(1)),
    ],
    ids=lambda gate: gate.gate,
)
def test_a_gate_fails_just_beyond_its_bound(good: GateResult, bad: GateResult) -> None:
    assert good.passed
    assert not bad.passed
    assert bad.reason.startswith(f"{bad.gate}: {bad.figure} ({bad.bound}")


def test_a_reason_names_gate_figure_and_bound() -> None:
    gate = gates.errors(2000, 40, Kind.IO, "hello: status 500 instead of 200")
    assert gate.reason == (
        "errors: 40 of 2,000 requests failed (hello: status 500 instead of 200) (at most 0.1%)"
    )


def test_a_reason_says_what_to_do_and_a_bound_does_not() -> None:
    gate = gates.possible([1.2], resolution=0.0)
    assert gate.bound == "at most 105%"
    assert gate.reason == (
        "throughput possible: the throughput implies 120% of the servers' cores "
        "(at most 105%: try a longer --slice)"
    )


def test_the_services_gate_names_the_services_that_it_can_not_meter() -> None:
    gate = gates.service_cores_busy({"PostgreSQL": None, "upstream": None, "load": 0.5}, 1.0, 1)
    assert gate.passed
    assert gate.figure == (
        "50% of 1 core, not counting PostgreSQL and upstream, which can't be metered"
    )


def test_no_request_may_fail_in_a_scenario_that_uses_no_service() -> None:
    gate = gates.errors(1_000_000, 1, Kind.CPU)
    assert not gate.passed
    assert gate.bound == "none may fail in a scenario without I/O"


def test_a_cell_without_any_request_is_no_measurement() -> None:
    assert not gates.errors(0, 0, Kind.IO).passed


def test_a_server_that_answers_nearly_all_that_is_due_keeps_up() -> None:
    assert gates.kept_up(99.0, 100.0)
    assert not gates.kept_up(98.9, 100.0)


def test_a_schedule_of_which_nothing_was_sent_was_not_kept() -> None:
    gate = lag(math.nan, math.nan)
    assert not gate.passed
    assert gate.figure == "no request was sent without waiting for a connection"


def test_without_a_good_reply_only_the_fixed_bounds_of_lag_count() -> None:
    assert lag(0.01, 1.0, latency_p50_ms=math.nan).passed
    assert not lag(0.02, 1.0, latency_p50_ms=math.nan).passed


def test_a_load_process_that_loaded_for_no_time_was_not_busy() -> None:
    assert gates.load_busy([0.0], 0.0).passed
    assert gates.load_busy([], 1.0).passed


def test_the_busiest_load_process_decides_and_one_more_is_the_remedy() -> None:
    gate = gates.load_busy([0.2, 0.9], 1.0)
    assert gate.figure == "the busiest load process used 90% of its core"
    assert gate.remedy == "try --generators 3"


def test_the_first_difference_is_quoted_and_the_others_are_counted() -> None:
    gate = gates.parity(["before: hello: status 404", "after: hello: status 404", "after: x"])
    assert gate.figure == "before: hello: status 404 (and 2 more)"


def test_the_lag_gate_says_what_the_lag_would_have_added_to_which_percentile() -> None:
    gate = lag(0.006, 0.08, p50=0.006, p99=0.3)
    assert gate.figure == (
        "median 0.006 ms, p99 0.08 ms; taken out of the latency, it would have added 10.0% to p99"
    )
    assert gate.bound == (
        "median at most 0.01 ms and p99 at most 1 ms, or 2% of the median latency"
    )


def test_a_throughput_is_impossible_only_beyond_what_the_rounds_spread_explains() -> None:
    assert gates.possible([1.0, 1.2, 0.95, 1.25, 1.0], resolution=0.0).passed
    assert not gates.possible([1.14, 1.15, 1.16, 1.15, 1.14], resolution=0.0).passed


def test_a_throughput_of_few_replies_is_impossible_only_beyond_what_they_resolve() -> None:
    """Two rounds of a short run that agree by luck say nothing of their error."""
    assert not gates.possible([1.07, 1.073], resolution=0.0).passed
    assert gates.possible([1.07, 1.073], resolution=0.03).passed
    assert gates.possible([1.03, 1.31], resolution=0.03).passed
    assert not gates.possible([1.05, 1.33], resolution=0.03).passed
    assert gates.possible([1.07, 1.07], resolution=0.03).bound == "at most 108%"


# ----------------------------------------------------------------------- the servers' cores


def test_foreign_load_is_named_with_its_share_and_the_busiest_process() -> None:
    gate = foreign(core(own_s=5.2), busiest=(MAKE, COMPILER))
    assert gate.reason == (
        "foreign load: other processes used 48% of the servers' core while it was measured "
        "(the busiest: cc1, pid 4712) (at most 5%: end what else runs on this machine, see "
        "'twinbench doctor')"
    )


def test_foreign_load_that_no_process_explains_is_said_to_be_out_of_sight() -> None:
    assert "none that can be seen from here" in foreign(core(own_s=5.0)).figure


def test_a_passing_gate_blames_no_process() -> None:
    assert "make" not in foreign(core(), busiest=(MAKE,)).figure


def test_our_own_clocks_may_run_ahead_of_the_cores_without_a_negative_share() -> None:
    assert gates.foreign_share([core(busy_s=9.9, own_s=10.0)]) == 0.0


def test_errors_of_both_signs_cancel_before_a_share_is_cut_off_at_zero() -> None:
    usages = [core(busy_s=10.4), core(busy_s=9.6), core(busy_s=10.0)]
    assert gates.foreign_share(usages) == pytest.approx(0.0)


def test_a_short_run_is_allowed_what_coarse_clocks_may_add() -> None:
    short = core(available_s=0.7, busy_s=0.6, own_s=0.5)  # 14 % of 0.7 s
    assert foreign(short, slices=20).passed
    assert foreign(short, slices=20).bound == "at most 18%"
    assert not foreign(core(own_s=8.6), slices=100).passed  # 14 % of 10 s


def test_time_that_was_never_available_has_no_share() -> None:
    assert gates.foreign_share([]) == gates.steal_share([]) == gates.clock_error([], 5) == 0.0


def test_stolen_time_is_no_foreign_load() -> None:
    stolen = core(busy_s=7.0, own_s=7.0, steal_s=3.0)
    assert foreign(stolen).passed
    assert (
        steal(stolen).figure == "the host gave 30% of the servers' core to other virtual machines"
    )
