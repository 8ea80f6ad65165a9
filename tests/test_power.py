"""What rounds can find is what simulated runs do find."""

import math
from dataclasses import replace

import numpy as np
import pytest

from harness.analysis import power, stats
from harness.cli.foresight import can_find
from harness.models import Calibration
from tests.runs import hello_plan


@pytest.mark.parametrize(
    ("ratio", "spread", "comparisons", "expected"),
    [(1.10, 0.05, 8, 0.60), (1.05, 0.05, 8, 0.13), (1.05, 0.03, 8, 0.44), (1.0, 0.05, 1, 0.05)],
)
def test_the_chance_to_find_a_difference_is_that_of_simulated_runs(
    ratio: float, spread: float, comparisons: int, expected: float
) -> None:
    chance = power.chance_to_find(ratio, spread=spread, rounds=6, comparisons=comparisons)
    assert chance == pytest.approx(expected, abs=0.01)
    generator = np.random.default_rng(3)
    found = 0
    for _ in range(4000):
        rounds = np.exp(math.log(ratio) + generator.normal(0, spread, 6))
        found += stats.p_value(stats.log_mean(rounds.tolist()), 6) < 0.05 / comparisons
    assert found / 4000 == pytest.approx(chance, abs=0.025)


def test_a_difference_downwards_is_found_as_often_as_one_upwards() -> None:
    up, down = (power.chance_to_find(ratio, spread=0.05, rounds=6) for ratio in (1.25, 0.8))
    assert up == pytest.approx(down)


@pytest.mark.parametrize("rounds", [5, 6, 12, 31])
@pytest.mark.parametrize("spread", [0.1, 0.01, 0.003, 0.0005])
def test_the_chance_is_a_number_however_clear_the_difference(rounds: int, spread: float) -> None:
    chances = [
        power.chance_to_find(1 + 0.01 * percent, spread=spread, rounds=rounds)
        for percent in range(0, 101, 5)
    ]
    assert all(0 <= chance <= 1 for chance in chances)
    assert chances[-1] > 0.99


def test_one_round_finds_nothing() -> None:
    assert power.chance_to_find(2.0, spread=0.01, rounds=1) == 0


@pytest.mark.parametrize("half_width", [0.5, 0.05, 0.01])
def test_the_rounds_for_a_width_are_the_fewest_that_reach_it(half_width: float) -> None:
    needed = power.rounds_for(half_width, spread=0.05)
    # The interval of so many rounds, and of one fewer, shows what spread it would need.
    assert power.spread_of(half_width, rounds=needed) >= 0.05
    if needed > 2:
        assert power.spread_of(half_width, rounds=needed - 1) < 0.05


def test_a_run_says_beforehand_what_it_can_find_and_from_what_it_knows_it() -> None:
    plan = hello_plan(rounds=6)
    assumed = can_find(plan, None)
    assert assumed == (
        "6 rounds with a spread of 5 % (assumed: this machine is not calibrated) and "
        "1 comparison find a true difference of 5 % in 49 %, 10 % in 96 %, 20 % in more than "
        "99 % of runs"
    )
    quiet = Calibration("", "", 20, {"throughput_rps": 0.01}, {})
    assert "a spread of 2.1 % (at most that of hello" in can_find(plan, quiet)
    target = can_find(replace(plan, precision=0.025, budget_s=300.0), None)
    assert target.endswith("of runs; ±2.5 % takes about 24 rounds")


def test_a_run_of_too_few_rounds_promises_nothing() -> None:
    assert can_find(hello_plan(rounds=2), None) == (
        "2 rounds can find no difference: a verdict needs at least 5, so every comparison will say "
        "“not judged: 2 of 5 rounds”"
    )


def test_a_stack_that_is_alone_is_compared_with_nothing() -> None:
    assert can_find(hello_plan(stacks=("fastapi-uvicorn",)), None) == ""
