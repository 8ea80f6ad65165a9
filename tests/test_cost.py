"""What a traffic takes by a measured capacity: containers, workers, memory and money."""

import math
from dataclasses import replace

import pytest
from rich.console import Console

from harness import report
from harness.analysis.cost import cost, costing, examples
from harness.models import (
    EXAMPLE_HEADROOM,
    EXAMPLE_PRICES,
    Capacity,
    Cost,
    Demand,
    Estimate,
    LimitedBy,
    Prices,
)

PRICES = Prices(vcpu_hour=0.04, gib_hour=0.005)
NAN = math.nan
FLASK = Capacity(
    scenario="hello", stack="flask-gthread", twin="flask", load="capacity-p99-100ms",
    slo="p99<100ms", rate_rps=Estimate(500.0, 450.0, 550.0), ratio=Estimate(NAN, NAN, NAN),
    baseline="flask-gthread", rounds=5, round_rps=(500.0,) * 5, limited_by=LimitedBy.LATENCY,
    workers=2, cores=1, pss_mib=512.0, cpu_us_per_request=1900.0,
)  # fmt: skip
FASTAPI = replace(
    FLASK,
    stack="fastapi-uvicorn",
    rate_rps=Estimate(1000.0, 900.0, 1100.0),
    ratio=Estimate(2.0, 1.6, 2.5),
)


def of(capacity: Capacity = FLASK, rate_rps: float = 2000.0, headroom: float = 0.0) -> Cost:
    return cost(capacity, Demand(rate_rps, headroom), PRICES)


def test_whole_containers_are_needed_and_the_interval_of_the_capacity_gives_their_range() -> None:
    made = of()
    assert (made.containers, made.fewest, made.most) == (4, 4, 5)  # ÷ 500, 550, 450
    assert made.workers == 8


def test_headroom_is_kept_free_in_each_container() -> None:
    assert of(headroom=0.5).containers == 8
    assert of(headroom=0.1).containers == 5  # 2,000 ÷ 450


def test_a_traffic_that_fits_exactly_needs_no_container_more() -> None:
    assert of(rate_rps=500.0 * 0.7, headroom=0.3).containers == 1
    assert of(rate_rps=501.0 * 0.7, headroom=0.3).containers == 2


def test_little_traffic_needs_one_container_and_pays_for_all_of_it() -> None:
    made = of(rate_rps=1.0)
    assert made.containers == 1
    # A core and half a GiB for an hour, in which 3,600 requests come.
    assert made.hour == pytest.approx(0.04 + 0.0025)
    assert made.per_million.value == pytest.approx(0.0425 / 0.0036)


def test_the_ratio_of_containers_is_the_inverse_of_the_ratio_of_capacities() -> None:
    ratio = of(FASTAPI).ratio
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((0.5, 0.4, 0.625))
    assert math.isnan(of(FLASK).ratio.value)


def test_all_containers_together_are_paid_and_hold_memory() -> None:
    made = of()
    assert made.per_hour == pytest.approx(4 * 0.0425)
    assert made.pss_mib == 4 * 512
    assert made.per_million.value == pytest.approx(made.per_hour / (2000 * 3600 / 1e6))


def test_an_example_is_ten_times_the_capacity_of_the_baseline_to_one_digit() -> None:
    uneven = replace(FLASK, rate_rps=Estimate(2310.0, 2200.0, 2400.0))
    (example,) = examples([FASTAPI, uneven])
    assert example.demand == Demand(20_000.0, EXAMPLE_HEADROOM)
    assert example.prices == EXAMPLE_PRICES
    assert example.multiple_of == "flask-gthread"
    assert [made.capacity.stack for made in example.costs] == ["fastapi-uvicorn", "flask-gthread"]
    assert [made.containers for made in example.costs] == [29, 13]  # ÷ 700, ÷ 1,617


def test_each_search_has_an_example_of_its_own() -> None:
    other = replace(FLASK, scenario="weather", rate_rps=Estimate(90.0, 85.0, 95.0))
    found = list(examples([FLASK, FASTAPI, other]))
    assert [(made.scenario, made.demand.rate_rps) for made in found] == [
        ("hello", 5000.0), ("weather", 900.0)
    ]  # fmt: skip


def test_an_example_without_a_valid_baseline_takes_the_first_valid_stack_and_has_no_ratio() -> None:
    lost = replace(FLASK, reasons=("foreign load",))
    (example,) = examples([lost, FASTAPI])
    assert (example.multiple_of, example.demand.rate_rps) == ("fastapi-uvicorn", 10_000.0)
    assert example.unknown == (lost,)
    assert math.isnan(example.costs[0].ratio.value)
    assert not list(examples([lost]))


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_a_terminal_and_says_why_a_stack_has_no_figure(width: int) -> None:
    unknown = replace(FASTAPI, stack="flask-sync", reasons=("the promise fails at 90 requests/s",))
    console = Console(width=width, record=True, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(
            report.cost_terminal(costing([FLASK, FASTAPI, unknown], Demand(2000.0, 0.0), PRICES))
        )
    text = captured.get()
    assert max(map(len, text.splitlines())) <= width
    folded = " ".join(text.replace("\u00a0", " ").split())
    assert "For 2,000 requests/s of hello with p99<100ms" in folded
    assert "4 [4, 5]" in folded
    assert "0.50 × [0.40, 0.62]" in folded
    assert "flask-sync: not known: the promise fails at 90 requests/s." in folded
