"""How a comparison of A with A is planned, and the noise floor that follows from its intervals."""

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
        (1.02, 1.05, 0.05),  # the further end counts even if the interval excludes 1
        (0.5, 1.0, 1.0),  # half is as far away as twice
        (1.0, 1.0, 0.0),
    ],
)
def test_the_floor_is_the_distance_from_1_to_the_further_end_of_the_interval(
    low: float, high: float, floor: float
) -> None:
    assert math.isclose(noise.floor(low, high), floor, abs_tol=1e-12)


@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_swapping_baseline_and_candidate_leaves_the_floor_as_it_is(
    first: float, second: float
) -> None:
    low, high = sorted((first, second))
    assert math.isclose(noise.floor(low, high), noise.floor(1 / high, 1 / low), abs_tol=1e-9)


def test_a_stack_is_planned_against_itself() -> None:
    plan = aa_plan()
    assert [stack.label for stack in plan.stacks] == ["fastapi-uvicorn", "fastapi-uvicorn#2"]
    (block,) = plan.blocks
    assert block.scenario.name == "hello"
    assert block.stacks == ("fastapi-uvicorn", "fastapi-uvicorn#2")


@pytest.mark.parametrize("seconds", [noise.MIN_SECONDS, 60, 600, noise.MAX_SECONDS])
def test_the_plan_has_more_rounds_than_fit_into_the_time(seconds: float) -> None:
    plan = aa_plan(seconds)
    assert plan.rounds >= 5
    loaded_s = plan.rounds * plan.blocks[0].seconds_per_round
    # Starting servers takes the rest of the time.
    assert plan.rounds == 5 or loaded_s >= 0.3 * seconds


def test_a_short_time_makes_rounds_shorter_and_not_fewer() -> None:
    short, long = aa_plan(noise.MIN_SECONDS), aa_plan(60)
    assert short.blocks[0].cycles < long.blocks[0].cycles
    assert short.rounds >= 5


@pytest.mark.parametrize("seconds", [0, -1, noise.MIN_SECONDS - 1, 1e9, math.nan, math.inf])
def test_a_time_that_is_too_short_or_too_long_is_bad_input(seconds: float) -> None:
    with pytest.raises(BadInput, match=f"give {noise.MIN_SECONDS} to "):
        aa_plan(seconds)


def test_an_unknown_stack_is_refused_with_a_similar_name() -> None:
    with pytest.raises(UnknownName, match="did you mean fastapi-uvicorn"):
        aa_plan(stack="fastapi-uvicon")
