"""What a sweep measures: one scenario, many loads, in rising order."""

from collections.abc import Mapping
from typing import Any

import pytest

from harness.cli.foresight import can_find
from harness.errors import BadInput, UnknownName
from harness.machine import open_files
from harness.models import Family, Plan
from harness.planning.options import PROFILES, RunOptions
from harness.planning.plan import block_order, load_catalogue
from harness.planning.sweep import LADDER, SweepOptions, sweep_plan

CATALOGUE = load_catalogue()


def sweep(
    values: Mapping[str, tuple[float, ...]] | None = None,
    scenario: str = "hello",
    **options: Any,
) -> Plan:
    return sweep_plan(
        CATALOGUE, RunOptions(**{"seed": 7, **options}), SweepOptions(scenario, values or {})
    )


def test_every_load_is_a_block_with_all_stacks() -> None:
    stacks = ("flask-gthread", "flask-gevent", "fastapi-uvicorn")
    plan = sweep({"users": (1, 30, 1000)}, stacks=stacks)
    assert [block.load.label for block in plan.blocks] == ["closed-1", "closed-30", "closed-1000"]
    assert all(block.stacks == stacks for block in plan.blocks)
    assert {block.scenario.name for block in plan.blocks} == {"hello"}


def test_rates_are_open_load() -> None:
    plan = sweep({"rate": (100, 200.5, 400)})
    assert [block.load.rate_rps for block in plan.blocks] == [100, 200.5, 400]


def test_numbers_of_workers_make_a_contender_each_and_latencies_a_load_each() -> None:
    by_workers = sweep({"workers": (1, 2, 4)}, stacks=("flask-gthread",))
    (block,) = by_workers.blocks
    assert [stack.workers for stack in by_workers.stacks] == ["1", "2", "4"]
    assert len(block.stacks) == 3
    by_io = sweep({"io-ms": (0, 50, 200)}, scenario="weather")
    assert [block.load.io_ms for block in by_io.blocks] == [0, 50, 200]


def test_without_loads_there_is_a_ladder_of_users() -> None:
    assert [block.load.users for block in sweep().blocks] == list(LADDER)


def test_loads_are_measured_in_drawn_order() -> None:
    plan = sweep()
    orders = {
        tuple(block.load.users for block in block_order(plan, plan.blocks, number))
        for number in range(1, 6)
    }
    assert len(orders) == 5
    assert all(sorted(order) == list(LADDER) for order in orders)


def test_no_load_is_the_one_that_was_asked_about() -> None:
    plan = sweep()
    families = {contrast.family for block in plan.blocks for contrast in block.contrasts}
    assert families == {Family.LOADS}
    assert f"{len(LADDER)} comparisons find" in can_find(plan, None)


def test_the_profile_full_measures_no_steps_between_the_twins_in_a_sweep() -> None:
    assert all(not block.ladder for block in sweep(profile=PROFILES["full"]).blocks)


def test_a_smoke_sweep_of_two_stacks_takes_less_than_half_of_90_seconds_of_load() -> None:
    plan = sweep({"users": (1, 4, 16, 64, 128, 256)}, profile=PROFILES["smoke"])
    assert plan.rounds * sum(block.seconds_per_round for block in plan.blocks) < 45


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"users": (8, 4, 2)}, "--users 8,4,2: give each value once, in rising order, such as 1,4"),
        ({"users": (1, 4, 4)}, "--users 1,4,4: give each value once, in rising order"),
        ({"rate": (100, 50, 200)}, "--rate 100,50,200: give each value once, in rising order"),
        ({"users": (1, 4)}, "--users 1,4: a curve needs at least 3 values, such as 1,4,16,64"),
        (
            {"users": (1, 2, 4), "rate": (100, 200, 300)},
            "--users 1,2,4 --rate 100,200,300: give one of these",
        ),
        ({"workers": (0, 1, 2)}, "--workers 0: give 1 to"),
        ({"workers": (4, 2, 1)}, "--workers 4,2,1: give each value once, in rising order"),
        ({"io-ms": (0, 50, 200)}, "scenario 'hello' does not use the upstream"),
        ({"users": (0, 1, 2)}, "--users 0: give between 1 and 10,000 users"),
        ({"users": (1, 2, 20_000)}, "--users 20000: give between 1 and 10,000 users"),
        ({"rate": (0.5, 1, 2)}, "--rate 0.5: give 1 to 1,000,000 requests a second"),
    ],
)
def test_what_makes_no_curve_is_refused(
    values: Mapping[str, tuple[float, ...]], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        sweep(values)


@pytest.mark.parametrize("scenario", ["startup", "tests"])
def test_a_scenario_without_a_load_is_refused(scenario: str) -> None:
    with pytest.raises(BadInput, match=f"'{scenario}' has no load .* these have one: .*weather"):
        sweep(scenario=scenario)


def test_an_unknown_scenario_is_refused() -> None:
    with pytest.raises(UnknownName, match="did you mean weather"):
        sweep(scenario="wether")


def test_more_connections_than_a_process_may_have_files_are_found_beforehand() -> None:
    plan = sweep({"users": (1, 100, 1000)})
    assert "give --users 472 or fewer" in open_files.problem(plan, allowed=1_008)
    assert open_files.problem(plan, allowed=4_096) == ""
