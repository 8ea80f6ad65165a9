"""What `make bench-precision` is going to measure, and what it makes of it. No test judges a speed."""

import math

import pytest

from apps.domain import cpu
from harness.models import Comparison, Family, Verdict
from tests.benchmarks import precision, slowed


def comparison(ratio: float, half: float, rounds: int) -> Comparison:
    """A ratio with an interval of ± half on the logarithm."""
    low, high = ratio * math.exp(-half), ratio * math.exp(half)
    return Comparison(
        "hello", "closed-8", "throughput_rps", "flask-gthread", "fastapi-uvicorn",
        ratio, low, high, rounds, 0.03, Verdict.INCONCLUSIVE, Family.ANSWERS,
    )  # fmt: skip


def test_every_scenario_is_measured_as_it_is_and_as_it_was_in_the_same_rounds() -> None:
    plan = precision._widths_plan()
    names = [block.scenario.name for block in plan.blocks]
    assert names == [*precision.TARGETS, *(f"{name}-before" for name in precision.TARGETS)]
    cells = [cell for block in plan.blocks for cell in block.cells]
    assert len(set(cells)) == len(cells) == 20
    for block in plan.blocks:
        if block.scenario.name.endswith("-before"):
            users, slice_s = precision.BEFORE[block.scenario.name.removesuffix("-before")]
            assert (block.load.users, block.slice_s) == (users, slice_s)


def test_forty_pairs_of_equal_stacks_are_compared_each_by_itself() -> None:
    plan = precision._equal_plan()
    assert len(plan.blocks) == 40
    assert all(len(block.contrasts) == 1 for block in plan.blocks)
    pairs = {block.stacks for block in plan.blocks}
    assert len(pairs) == precision.PAIRS
    assert len({label for pair in pairs for label in pair}) == 2 * precision.PAIRS


def test_a_known_cost_is_looked_for_in_ten_pairs_of_each_twin() -> None:
    plan = precision._cost_plan()
    apps = {stack.label: stack.app for stack in plan.stacks}
    pairs = [block.stacks for block in plan.blocks if len(block.stacks) == 2]
    assert len(pairs) == len(precision.SLOWED) * precision.PAIRS
    assert len({label for pair in pairs for label in pair}) == 2 * len(pairs)
    for baseline, candidate in pairs:
        assert apps[baseline].startswith("apps.")
        assert apps[candidate] == precision.SLOWED[baseline.partition("#")[0]]
    alone = [block for block in plan.blocks if len(block.stacks) == 1]
    assert [block.stacks[0] for block in alone] == list(precision.SLOWED)
    assert all(block.scenario.name.startswith(precision.IDLE) for block in alone)


def test_no_two_blocks_have_one_name() -> None:
    for plan in (precision._widths_plan(), precision._cost_plan(), precision._equal_plan()):
        keys = [block.key for block in plan.blocks]
        assert len(set(keys)) == len(keys)


def test_the_slowed_twins_do_a_twentieth_more_of_the_work_and_answer_the_same() -> None:
    steps = cpu.STEPS_PER_UNIT * cpu.SIZE_DEFAULT
    assert slowed.more_steps(cpu.SIZE_DEFAULT) == steps / 20
    assert slowed.python(cpu.SIZE_DEFAULT) == cpu.python(cpu.SIZE_DEFAULT)


def test_ratios_beside_a_known_one_are_counted() -> None:
    made = [comparison(0.96, 0.01, 10), comparison(0.93, 0.01, 10), comparison(1.01, 0.1, 10)]
    found = precision._beside(0.955, made)
    assert (found.count, found.signs, found.sure, found.holds) == (3, 2, 2, 2)
    assert found.median == 0.96


def test_a_width_after_another_time_narrows_with_its_root() -> None:
    width = precision.Width("hello", comparison(2.0, 0.04, 101), seconds=100.0)
    assert width.half == pytest.approx(math.expm1(0.04))
    assert width.half_after(400.0) == pytest.approx(0.02, rel=0.03)
    longer = precision.Width("hello", comparison(2.0, 0.02, 401), seconds=400.0)
    assert longer.error == pytest.approx(width.error, rel=0.01)


def test_comparisons_of_equal_stacks_are_judged_as_if_each_were_alone() -> None:
    made = [comparison(1.0, 0.01, 10), comparison(1.2, 0.05, 10), comparison(1.0, 0.2, 10)]
    found = precision._counted(made)
    assert (found.count, found.winners, found.same, found.holds) == (3, 1, 1, 2)
