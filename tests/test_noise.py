import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.calibration import noise
from harness.errors import BadInput, UnknownName
from harness.models import Plan
from harness.planning.plan import load_catalogue


def aa_plan(seconds: float = 60, stack: str = "fastapi-uvicorn") -> Plan:
    return noise.aa_plan(
        load_catalogue(),
        stack=stack,
        seconds=seconds,
        seed=1,
    )


@pytest.mark.parametrize(
    ("low", "high", "floor"),
    [
        (0.98, 1.01, 1 / 0.98 - 1),  # the far end lies below 1
        (0.99, 1.05, 0.05),
        (1.02, 1.05, 0.05),  # an interval without 1: the far end all the same
        (0.5, 1.0, 1.0),  # half is as far away as twice
        (1.0, 1.0, 0.0),
    ],
)
def test_the_floor_is_the_far_end_of_the_interval_from_one(
    low: float, high: float, floor: float
) -> None:
    assert math.isclose(noise.floor(low, high), floor, abs_tol=1e-12)


@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_which_of_two_equals_is_called_the_baseline_makes_no_difference(
    one: float, other: float
) -> None:
    low, high = sorted((one, other))
    assert math.isclose(noise.floor(low, high), noise.floor(1 / high, 1 / low), abs_tol=1e-9)


def test_one_stack_is_planned_against_itself() -> None:
    todo = aa_plan()
    assert [stack.label for stack in todo.stacks] == ["fastapi-uvicorn", "fastapi-uvicorn#2"]
    (cell,) = todo.blocks
    assert cell.scenario.name == "hello"
    assert cell.stacks == ("fastapi-uvicorn", "fastapi-uvicorn#2")


@pytest.mark.parametrize("seconds", [noise.MIN_SECONDS, 60, 600, noise.MAX_SECONDS])
def test_the_time_and_not_the_plan_bounds_the_rounds(seconds: float) -> None:
    todo = aa_plan(seconds)
    assert todo.rounds >= 5
    loaded_s = todo.rounds * todo.blocks[0].seconds_per_round
    assert todo.rounds == 5 or loaded_s >= 0.3 * seconds  # the rest: starting servers


def test_in_a_short_time_rounds_are_shorter_and_not_fewer() -> None:
    short, long = aa_plan(noise.MIN_SECONDS), aa_plan(60)
    assert short.blocks[0].cycles < long.blocks[0].cycles
    assert short.rounds >= 5


@pytest.mark.parametrize("seconds", [0, -1, noise.MIN_SECONDS - 1, 1e9, math.nan, math.inf])
def test_a_time_that_makes_no_sense_is_bad_input(seconds: float) -> None:
    with pytest.raises(BadInput, match=f"give {noise.MIN_SECONDS} to "):
        aa_plan(seconds)


def test_an_unknown_stack_is_named_with_its_near_match() -> None:
    with pytest.raises(UnknownName, match="did you mean fastapi-uvicorn"):
        aa_plan(stack="fastapi-uvicon")
