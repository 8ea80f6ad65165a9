import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest

from apps import contract
from harness.errors import BadInput, UnknownName
from harness.models import (
    Arrivals,
    BlockKey,
    BlockPlan,
    Family,
    Kind,
    Load,
    Plan,
    SliceSource,
    StepKind,
)
from harness.planning.capacity import CapacityOptions, plan_capacity
from harness.planning.options import PROFILES, RunOptions
from harness.planning.plan import (
    Catalogue,
    Slicing,
    block_order,
    lengths,
    load_catalogue,
    make_plan,
    slicings,
    start_order,
    turns,
    warmup_s,
)
from harness.planning.scenarios import load_scenarios
from harness.planning.slo import parse_slo

CATALOGUE = load_catalogue()
SCENARIOS, STACKS = CATALOGUE.scenarios, CATALOGUE.stacks


def make(catalogue: Catalogue = CATALOGUE, **options: Any) -> Plan:
    return make_plan(catalogue, RunOptions(**{"seed": 7, **options}))


CORE = {"hello", "weather", "users-validate", "users-lookup", "cpu-python", "cpu-native"}
ON_REQUEST = {"items", "auth", "page", "export", "predict", "errors", "crud-mix", "live"}


def test_the_scenarios_declare_themselves() -> None:
    assert set(SCENARIOS) >= CORE | ON_REQUEST
    assert {cell.scenario.name for cell in make().blocks} == CORE
    assert all(scenario.question.endswith("?") for scenario in SCENARIOS.values())
    kinds = {name: SCENARIOS[name].kind for name in ("weather", "export", "crud-mix", "live")}
    assert kinds == {
        "weather": Kind.IO, "export": Kind.CPU, "crud-mix": Kind.MIXED, "live": Kind.FRAMEWORK,
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(ON_REQUEST))
def test_a_scenario_names_the_steps_that_matter_in_it(name: str) -> None:
    scenario = SCENARIOS[name]
    assert set(scenario.ladder) <= set(StepKind)
    assert len(set(scenario.ladder)) == len(scenario.ladder)
    assert ("client" in scenario.ladder) == ("GET /weather/{city}" in scenario.endpoints)


def test_scenarios_ask_what_the_contract_has() -> None:
    known = {endpoint.name for endpoint in contract.ENDPOINTS}
    known |= {f"WS {exchange.path}" for exchange in contract.exchanges()}
    for scenario in SCENARIOS.values():
        assert set(scenario.endpoints) <= known, scenario.name


@pytest.mark.parametrize(
    ("scenario", "needs"),
    [
        ("hello", ()),
        ("users-validate", ()),
        ("users-lookup", ("database",)),
        ("weather", ("upstream",)),
        ("predict", ("classifier",)),
        ("crud-mix", ("database", "upstream")),
        ("errors", ("database",)),
        ("live", ()),
        ("startup", ("database", "upstream")),
        ("tests", ("database",)),
    ],
)
def test_a_scenario_needs_what_its_endpoints_need(scenario: str, needs: tuple[str, ...]) -> None:
    assert SCENARIOS[scenario].needs == needs


def test_validation_is_a_step_only_where_the_flask_twin_has_both_kinds_of_it() -> None:
    switched = {"POST /users", "POST /users/validate"}
    for scenario in SCENARIOS.values():
        if "validation" in scenario.ladder:
            assert switched & set(scenario.endpoints), scenario.name


def test_arrivals_without_a_rate_are_refused() -> None:
    with pytest.raises(BadInput, match="--arrivals constant is for open load: give a --rate too"):
        make(arrivals=Arrivals.CONSTANT)


def test_scenarios_that_call_the_upstream_show_the_client_variants() -> None:
    assert SCENARIOS["weather"].stacks == (
        "flask-gthread", "fastapi-uvicorn", "fastapi-httpx2", "fastapi-aiohttp",
    )  # fmt: skip
    for scenario in SCENARIOS.values():
        if "GET /weather/{city}" in scenario.endpoints:
            assert {"fastapi-uvicorn", "fastapi-aiohttp"} < set(scenario.stacks)


def test_the_default_run_measures_at_most_six_minutes() -> None:
    todo = make()
    # Servers of a round take a few seconds to start; 6 s is more than was ever seen.
    seconds = todo.rounds * (sum(cell.seconds_per_round for cell in todo.blocks) + 6)
    assert todo.budget_s is not None
    assert seconds <= todo.budget_s <= 360


@pytest.mark.parametrize(
    ("options", "rounds", "budget_s", "precision"),
    [
        ({}, 5, 300, 0.025),
        ({"minutes": 2.0}, 5, 120, 0.025),
        ({"precision": 0.01}, 5, 300, 0.01),
        ({"rounds": 3}, 3, None, None),
        ({"rounds": 30, "precision": 0.01}, 30, None, 0.01),
        ({"profile": PROFILES["smoke"]}, 2, None, None),
        ({"profile": PROFILES["smoke"], "minutes": 1.0}, 5, 60, 0.025),
        ({"profile": PROFILES["full"]}, 7, 3600, 0.01),
    ],
)
def test_a_run_has_a_time_and_a_target_unless_its_rounds_are_given(
    options: dict[str, Any], rounds: int, budget_s: float | None, precision: float | None
) -> None:
    todo = make(**options)
    assert (todo.rounds, todo.budget_s, todo.precision) == (rounds, budget_s, precision)


def test_the_smoke_profile_loads_for_well_under_a_minute() -> None:
    todo = make(profile=PROFILES["smoke"])
    assert todo.rounds * sum(cell.seconds_per_round for cell in todo.blocks) <= 30


def test_an_unknown_scenario_is_answered_with_the_near_match() -> None:
    with pytest.raises(UnknownName, match=r"unknown scenario 'wether': did you mean weather\?"):
        make(scenarios=("wether",))


def test_an_unknown_stack_is_answered_with_the_near_match() -> None:
    with pytest.raises(UnknownName, match=r"did you mean .*flask-gthread"):
        make(stacks=("flask-gthreads",))


def test_a_name_that_resembles_nothing_is_answered_with_all_names() -> None:
    with pytest.raises(UnknownName, match="known: auth, cpu-native, cpu-python, crud-mix"):
        make(scenarios=("zzzzzzzz",))


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"users": (0,)}, "--users 0"),
        ({"users": (-3,)}, "--users -3"),
        ({"users": (10_001,)}, "--users 10001"),
        ({"rounds": 0}, "--rounds 0"),
        ({"slice_s": 0.0}, "--slice 0.0"),
        ({"slice_s": float("nan")}, "--slice nan"),
        ({"slice_s": float("inf")}, "--slice inf"),
        ({"seed": -1}, "--seed -1"),
    ],
)
def test_numbers_that_make_no_sense_are_named(changes: dict[str, float], option: str) -> None:
    with pytest.raises(BadInput, match=option):
        make(**changes)


def test_the_same_stack_twice_is_a_against_a() -> None:
    todo = make(
        scenarios=("hello",),
        stacks=(
            "fastapi-uvicorn",
            "fastapi-uvicorn",
        ),
    )
    assert [stack.label for stack in todo.stacks] == ["fastapi-uvicorn", "fastapi-uvicorn#2"]
    assert todo.blocks[0].stacks == ("fastapi-uvicorn", "fastapi-uvicorn#2")


def test_only_the_stacks_that_take_part_are_started() -> None:
    todo = make(scenarios=("hello",))
    assert [stack.name for stack in todo.stacks] == ["flask-gthread", "fastapi-uvicorn"]


def planned_turns(plan: Plan, block: BlockPlan, number: int) -> tuple[tuple[str, int], ...]:
    """The turns of a round whose slices are as planned."""
    return turns(plan, block, number, slicings(block, {}))


def test_the_same_seed_draws_the_same_order_and_another_seed_another() -> None:
    one, same, other = make(seed=1), make(seed=1), make(seed=2)
    block = one.blocks[0]
    assert planned_turns(one, block, 3) == planned_turns(same, block, 3)
    assert block_order(one, one.blocks, 3) == block_order(same, same.blocks, 3)
    assert planned_turns(one, block, 3) != planned_turns(other, block, 3)


def test_the_servers_of_a_round_are_started_in_an_order_that_is_drawn_for_it() -> None:
    todo = make(scenarios=("weather", "hello"))
    orders = [start_order(todo, todo.blocks, number) for number in range(1, 201)]
    assert orders == [start_order(todo, todo.blocks, number) for number in range(1, 201)]
    first = Counter(order[0].label for order in orders)
    assert min(first[stack.label] for stack in todo.stacks) > 0.5 * len(orders) / len(todo.stacks)
    needed = {stack.label for stack in start_order(todo, todo.blocks[1:], 1)}
    assert needed == set(todo.blocks[1].stacks) < {stack.label for stack in todo.stacks}


def test_every_cycle_gives_each_stack_one_turn_and_nobody_is_always_first() -> None:
    todo = make(scenarios=("hello",))
    block = todo.blocks[0]
    stacks = len(block.stacks)
    first: Counter[str] = Counter()
    for number in range(1, 9):
        drawn = planned_turns(todo, block, number)
        assert len(drawn) == stacks * block.cycles
        for cycle in range(block.cycles):
            turn = drawn[cycle * stacks : (cycle + 1) * stacks]
            assert sorted(turn) == sorted((label, cycle) for label in block.stacks)
            first[turn[0][0]] += 1
    assert min(first.values()) > 0.3 * first.total()


def test_slices_of_a_quick_stack_lie_on_all_sides_of_the_few_of_a_slow_one() -> None:
    todo = make(scenarios=("hello",))
    block = todo.blocks[0]
    quick, slow = block.stacks
    given = {quick: Slicing(0.4, 8), slow: Slicing(3.2, 1)}
    before = []
    for number in range(1, 201):
        drawn = turns(todo, block, number, given)
        assert [position for label, position in drawn if label == quick] == list(range(8))
        before.append([label for label, _ in drawn].index(slow))
    assert set(before) == set(range(9))  # how many come before it; all the others come after it
    assert np.mean(before) == pytest.approx(4, abs=0.6)


def test_users_who_wait_for_the_upstream_settle_for_four_times_as_long_and_a_second_at_most() -> (
    None
):
    assert make(scenarios=("weather",)).blocks[0].settle_s == pytest.approx(0.2)
    assert make(scenarios=("weather",), upstream_latency="lognormal:20:0.5").blocks[
        0
    ].settle_s == pytest.approx(0.08)
    blocks = make(scenarios=("dashboard",), io_ms=(0.0, 100.0, 500.0)).blocks
    assert [block.settle_s for block in blocks] == pytest.approx([0.0, 0.4, 1.0])
    assert make(scenarios=("users-lookup",)).blocks[0].settle_s == 0


def test_a_slice_counts_for_as_long_as_its_users_settle() -> None:
    block = waiting(cycles=60, settle_s=0.2)  # 60 × 40 ms
    fitted = slicings(block, {"flask-gthread": 500.0, "fastapi-aiohttp": 1_000.0})
    assert fitted["flask-gthread"] == Slicing(pytest.approx(0.2 + 2 * 0.1 + 0.2), 4)
    assert fitted["fastapi-aiohttp"] == Slicing(pytest.approx(0.2 + 2 * 0.05 + 0.2), 5)
    few = slicings(replace(block, cycles=20), {"flask-gthread": 740.0, "flask-gevent": 464.0})
    assert all(each.slices >= 2 for each in few.values())  # or the stacks would not take turns
    plan = make(scenarios=("weather",))
    slicing = Slicing(0.5, 400)
    drawn = lengths(plan, block, 1, "fastapi-aiohttp", 1_000.0, slicing)
    for each in ([length.counted for length in drawn], [length.uncounted for length in drawn]):
        assert fmean(each) == pytest.approx(200, rel=0.05)
        assert 150 <= min(each) < 160
        assert 240 < max(each) <= 250


def test_open_load_settles_in_the_same_share_of_every_slice() -> None:
    usual = make(scenarios=("hello",), rates_rps=(250.0,)).blocks[0]
    longer = make(scenarios=("hello",), rates_rps=(250.0,), slice_s=10.0).blocks[0]
    assert longer.settle_s / longer.slice_s == pytest.approx(usual.settle_s / usual.slice_s)
    assert make(scenarios=("hello",)).blocks[0].settle_s == 0


def test_a_slice_that_is_asked_for_may_be_shorter_than_the_scenarios_own() -> None:
    hello = replace(SCENARIOS["hello"], least_slice_s=1.0)
    only_hello = replace(CATALOGUE, scenarios={"hello": hello})
    assert make(only_hello).blocks[0].slice_s == 1.0
    assert make(only_hello, slice_s=0.25).blocks[0].slice_s == 0.25


def test_slices_are_as_long_as_the_machine_asks_for_or_a_scenario_or_the_reader() -> None:
    options = RunOptions(scenarios=("hello", "users-lookup", "startup"))

    def planned(options: RunOptions, calibrated_slice_s: float | None) -> list[float]:
        plan = make_plan(CATALOGUE, options, calibrated_slice_s=calibrated_slice_s)
        return [block.slice_s for block in plan.blocks]

    assert planned(options, None) == [0.04, 0.1, 1.5]
    assert planned(options, 0.02) == [0.02, 0.1, 1.5]
    assert planned(options, 0.2) == [0.2, 0.2, 1.5]
    assert planned(RunOptions(scenarios=("hello",), slice_s=0.5), 0.02) == [0.5]
    assert planned(RunOptions(scenarios=("hello",), rates_rps=(1_000.0,)), 0.02) == [0.5]


def test_slices_are_shorter_than_usual_where_a_scenario_says_so() -> None:
    cpu = RunOptions(scenarios=("cpu-python",))
    for calibrated_slice_s in (None, 0.1):
        (block,) = make_plan(CATALOGUE, cpu, calibrated_slice_s=calibrated_slice_s).blocks
        assert block.slice_s == SCENARIOS["cpu-python"].most_slice_s == 0.01
    (block,) = make(scenarios=("cpu-python",), slice_s=0.2).blocks
    assert block.slice_s == 0.2


def test_a_plan_says_what_decided_the_length_of_its_slices() -> None:
    plan = make_plan(CATALOGUE, RunOptions(), calibrated_slice_s=0.08)
    assert (plan.slice_source, plan.usual_slice_s) == (SliceSource.CALIBRATION, 0.08)
    assert (make().slice_source, make().usual_slice_s) == (SliceSource.DEFAULT, 0.04)
    given = make_plan(CATALOGUE, RunOptions(slice_s=0.3), calibrated_slice_s=0.08)
    assert (given.slice_source, given.usual_slice_s) == (SliceSource.OPTION, 0.3)


def test_as_many_seconds_are_measured_whatever_the_length_of_slices() -> None:
    for calibrated_slice_s in (0.02, 0.04, 0.1):
        plan = make_plan(CATALOGUE, RunOptions(), calibrated_slice_s=calibrated_slice_s)
        for block in plan.blocks:
            # A round with a long warm-up is dear: cells are loaded 1.5 times as long as it may last.
            loaded_s = max(0.8, 1.5 * 2 * block.warmup_s)
            assert block.cycles * block.slice_s == pytest.approx(loaded_s, rel=0.02)
    assert max(block.warmup_s for block in plan.blocks) > 0.3  # so that some are longer


def test_a_warm_up_lasts_once_to_twice_as_long_as_planned_and_differs_from_round_to_round() -> None:
    plan = make(scenarios=("hello",))
    (block,) = plan.blocks
    drawn = [warmup_s(plan, block, number, "flask-gthread") for number in range(1, 101)]
    assert block.warmup_s <= min(drawn) < 1.1 * block.warmup_s
    assert 1.9 * block.warmup_s < max(drawn) <= 2 * block.warmup_s
    assert warmup_s(plan, block, 1, "flask-gthread") == drawn[0]
    assert warmup_s(plan, block, 1, "fastapi-uvicorn") != drawn[0]


def test_slices_are_as_planned_where_the_stacks_answer_quickly() -> None:
    block = make(scenarios=("hello",)).blocks[0]
    fitted = slicings(block, {"flask-gthread": 1_000.0, "fastapi-uvicorn": 3_000.0})
    assert set(fitted) == set(block.stacks)
    assert set(fitted.values()) == {Slicing(block.slice_s, block.cycles)}


def counted(plan: Plan, number: int, rate_rps: float, slicing: Slicing) -> list[int]:
    """How many requests the slices of a round count."""
    (block,) = plan.blocks
    drawn = lengths(plan, block, number, "flask-gthread", rate_rps, slicing)
    assert {length.uncounted for length in drawn} == {0}
    return [length.counted for length in drawn]


def waiting(**changed: Any) -> BlockPlan:
    """Fifty users who wait 50 ms for the upstream."""
    return replace(make(scenarios=("weather",)).blocks[0], **changed)


def test_a_stack_that_is_slow_has_longer_and_fewer_slices_and_the_others_keep_theirs() -> None:
    block = waiting(cycles=60, settle_s=0.0)  # 60 × 40 ms
    fitted = slicings(block, {"flask-gthread": 500.0, "fastapi-aiohttp": 10_000.0})
    assert fitted["flask-gthread"] == Slicing(pytest.approx(0.4), 6)
    assert fitted["fastapi-aiohttp"] == Slicing(0.04, 60)


def test_all_are_loaded_longer_where_one_needs_longer_for_a_slice_than_a_round_has() -> None:
    block = waiting(cycles=20, settle_s=0.0)  # 0.8 s
    rates_rps = {"fastapi-uvicorn": 80.0, "flask-gthread": 500.0, "fastapi-aiohttp": 900.0}
    fitted = slicings(block, rates_rps)
    assert fitted["fastapi-uvicorn"] == Slicing(pytest.approx(2.5), 1)  # 4 requests of each user
    assert fitted["flask-gthread"] == Slicing(pytest.approx(0.6), 5)  # 6 of each
    assert fitted["fastapi-aiohttp"] == Slicing(pytest.approx(1 / 3), 10)
    few = slicings(replace(block, cycles=3), {**rates_rps, "fastapi-aiohttp": 3_000.0})
    assert few["fastapi-aiohttp"] == Slicing(
        pytest.approx(0.1), 3
    )  # never more slices than planned


def test_a_slice_has_time_for_its_requests_however_slow_the_stack_is() -> None:
    block = waiting(cycles=20, settle_s=0.0, load=Load(1_000))
    fitted = slicings(block, {"fastapi-uvicorn": 50.0, "flask-gthread": 500.0})
    assert fitted["fastapi-uvicorn"] == Slicing(pytest.approx(80.0), 1)
    assert fitted["flask-gthread"] == Slicing(pytest.approx(8.0), 1)


def test_a_slice_counts_what_its_time_allows_beside_the_requests_that_do_not_count() -> None:
    plan = make(scenarios=("hello",), users=(8,), slice_s=0.1)
    slicing = Slicing(0.1, 30)
    drawn = counted(plan, 1, 2_000.0, slicing)
    assert len(drawn) == 30
    usual = 2_000 * 0.1 - 2 * 8
    assert 0.75 * usual <= min(drawn) < max(drawn) <= 1.25 * usual
    assert np.mean(drawn) == pytest.approx(usual, rel=0.1)
    assert counted(plan, 1, 2_000.0, slicing) == drawn
    assert counted(plan, 2, 2_000.0, slicing) != drawn


def test_a_slice_counts_two_requests_of_each_user_however_slow_the_stack_is() -> None:
    plan = make(scenarios=("hello",), users=(8,))
    drawn = counted(plan, 1, 1.0, Slicing(0.04, 20))
    assert 12 <= min(drawn) < max(drawn) <= 20


def test_a_declaration_that_lacks_something_is_named(tmp_path: Path) -> None:
    (tmp_path / "half.py").write_text("class Half:\n    users = 3\n")
    with pytest.raises(BadInput, match="the class lacks kind, question, endpoints, stacks"):
        load_scenarios(tmp_path)


def test_a_declaration_that_is_computed_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "clever.py").write_text("class Clever:\n    users = 2 * N\n")
    with pytest.raises(BadInput, match=r"clever\.py:2: 'users' must be a literal"):
        load_scenarios(tmp_path)


DECLARED = """\
class Mine:
    question = "What?"
    kind = "framework"
    endpoints = ("GET /hello",)
    stacks = ("flask-gthread",)
    users = 4
    least_slice_s = 0.1
    warmup_s = 0.1
"""


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("users = 4", "users = 0"), "'users' must be"),
        (("least_slice_s = 0.1", "least_slice_s = 'a'"), "must be numbers of seconds"),
        (("least_slice_s = 0.1", "least_slice_s = 0"), "more than 0"),
        (("users = 4", "users = 4\n    most_slice_s = 0"), "more than 0"),
        (("users = 4", "users = 4\n    most_slice_s = 'a'"), "must be numbers of seconds"),
        (("users = 4", "users = 4\n    most_slice_s = 0.05"), "must not be less than"),
        (("warmup_s = 0.1", "warmup_s = -1"), "not negative"),
        (('stacks = ("flask-gthread",)', "stacks = ()"), "at least one"),
        (('stacks = ("flask-gthread",)', 'stacks = ("a", "a")'), "different names"),
        (('endpoints = ("GET /hello",)', "endpoints = ()"), "'endpoints' must be"),
        (('stacks = ("flask-gthread",)', "stacks = ([],)"), "'stacks' must be"),
        (('endpoints = ("GET /hello",)', "endpoints = (1,)"), "'endpoints' must be"),
        (("users = 4", "users = 4\n    measures = 'starts'"), "'endpoints' of starts must be"),
        (('kind = "framework"', 'kind = "IO"'), "kind 'IO' is not one of"),
        (
            ('endpoints = ("GET /hello",)', 'endpoints = ("GET /hallo", "GET /hello")'),
            "'endpoints' has names that are not in the contract: GET /hallo$",
        ),
        (("users = 4", "users = 4\n    ladder = 3"), "'ladder' must be kinds of step"),
        (
            ("users = 4", "users = 4\n    ladder = ('colour',)"),
            "'ladder' must name different kinds",
        ),
        (("users = 4", "users = 4\n    ladder = ([],)"), "'ladder' must name different kinds"),
        (
            ("users = 4", "users = 4\n    ladder = ('driver', 'server')"),
            "'ladder' lacks framework, which every request goes through",
        ),
    ],
)
def test_a_declaration_that_makes_no_sense_is_named(
    tmp_path: Path, change: tuple[str, str], problem: str
) -> None:
    (tmp_path / "mine.py").write_text(DECLARED)
    assert load_scenarios(tmp_path)["mine"].users == 4
    (tmp_path / "mine.py").write_text(DECLARED.replace(*change))
    with pytest.raises(BadInput, match=problem):
        load_scenarios(tmp_path)


def test_a_rate_makes_the_load_open() -> None:
    todo = make(scenarios=("hello",), rates_rps=(250.0,), arrivals=Arrivals.CONSTANT)
    load = todo.blocks[0].load
    assert (load.is_open, load.rate_rps, load.label) == (True, 250.0, "open-constant-250")
    assert todo.blocks[0].headline == "latency_p50_ms"
    assert make(scenarios=("hello",)).blocks[0].headline == "throughput_rps"


@pytest.mark.parametrize(
    ("scenario", "given", "option"),
    [
        ("startup", {"users": (4,)}, "--users"),
        ("startup", {"rates_rps": (10.0,)}, "--rate"),
        ("startup", {"slice_s": 0.5}, "--slice"),
        ("tests", {"users": (4,)}, "--users"),
        ("tests", {"rates_rps": (10.0,)}, "--rate"),
        ("tests", {"generators": 2}, "--generators"),
    ],
)
def test_an_option_without_use_is_refused_where_the_scenario_was_asked_for(
    scenario: str, given: dict[str, Any], option: str
) -> None:
    with pytest.raises(BadInput, match=option):
        make(scenarios=(scenario,), **given)


def test_where_all_scenarios_are_measured_those_without_users_leave_the_option_aside() -> None:
    todo = make(profile=PROFILES["full"], users=(4,), slice_s=0.5)
    cells = {cell.scenario.name: cell for cell in todo.blocks}
    assert cells["hello"].load.users == 4
    assert cells["startup"].load.users == cells["tests"].load.users == 1
    assert cells["startup"].slice_s == SCENARIOS["startup"].least_slice_s


def test_a_smoke_run_starts_each_stack_once_a_round() -> None:
    (cell,) = make(scenarios=("startup",), profile=PROFILES["smoke"]).blocks
    assert cell.cycles == 1
    assert cell.headline == "latency_p50_ms"


@pytest.mark.parametrize("rate", [1.0, 20.0, 500.0, 5000.0])
def test_a_slice_of_open_load_holds_enough_requests_and_is_not_endless(rate: float) -> None:
    cell = make(scenarios=("hello",), rates_rps=(rate,)).blocks[0]
    assert cell.slice_s * rate >= min(100, 60 * rate)
    assert cell.slice_s <= 60
    assert cell.cycles >= 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rates_rps": (0.0,)}, "--rate 0: give 1 to"),
        ({"rates_rps": (math.nan,)}, "--rate nan"),
        ({"generators": 0}, "--generators 0"),
        ({"precision": 0.0}, "--precision 0.00%"),
        ({"minutes": 0.0}, "--minutes 0"),
        ({"minutes": math.nan}, "--minutes nan"),
        ({"minutes": 2.0, "rounds": 5}, "--minutes 2 --rounds 5: give one of the two"),
        ({"precision": 0.9}, "--precision 90.00%"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(wrong: dict, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        make(**wrong)


# -------------------------------------------------------------------------- loads


def test_each_load_of_a_scenario_is_a_block_with_a_key_of_its_own() -> None:
    plan = make(scenarios=("hello",), users=(4, 64))
    assert [block.key for block in plan.blocks] == [
        BlockKey("hello", "closed-4"),
        BlockKey("hello", "closed-64"),
    ]
    assert len({cell for block in plan.blocks for cell in block.cells}) == 4
    first, further = plan.blocks
    assert planned_turns(plan, first, 1) != planned_turns(plan, further, 1)


def test_only_the_first_load_is_what_the_reader_asked_about() -> None:
    plan = make(scenarios=("hello",), rates_rps=(100.0, 200.0, 400.0))
    families = [[contrast.family for contrast in block.contrasts] for block in plan.blocks]
    assert families == [[Family.ANSWERS], [Family.LOADS], [Family.LOADS]]


def test_the_ladder_explains_the_first_load_alone() -> None:
    first, further = make(scenarios=("hello",), users=(4, 64), ladder=True).blocks
    assert first.ladder
    assert not further.ladder
    assert further.stacks == SCENARIOS["hello"].stacks
    assert len(first.stacks) > len(further.stacks)
    assert {contrast.family for contrast in first.contrasts} == {Family.ANSWERS, Family.LADDER}


@pytest.mark.parametrize(
    "given",
    [{"users": (4, 4)}, {"rates_rps": (50.0, 50.0)}, {"rates_rps": (1000.001, 1000.002)}],
)
def test_a_load_that_is_given_twice_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="is given twice"):
        make(**given)


def test_open_load_has_one_bound_for_its_connections() -> None:
    with pytest.raises(BadInput, match="give one number, the most connections"):
        make(rates_rps=(50.0,), users=(4, 8))


# ------------------------------------------------------------------------- ladder


def climbing(**changes):
    return make(**{"ladder": True, **changes})


def test_the_default_run_measures_no_ladder_and_the_full_one_does() -> None:
    assert all(cell.ladder == () for cell in make().blocks)
    full = make(profile=PROFILES["full"])
    assert [cell.scenario.name for cell in full.blocks if cell.ladder] == [
        name for name, scenario in SCENARIOS.items() if scenario.ladder
    ]
    without = make(profile=PROFILES["full"], ladder=False)
    assert all(cell.ladder == () for cell in without.blocks)


def test_the_rungs_come_after_the_scenarios_own_stacks_and_none_twice() -> None:
    todo = climbing(scenarios=("weather",))
    (cell,) = todo.blocks
    assert cell.stacks == (
        *SCENARIOS["weather"].stacks,
        "flask-granian", "fastapi-def-granian", "fastapi-def", "fastapi-def-httpx",
    )  # fmt: skip
    assert [stack.label for stack in todo.stacks] == list(cell.stacks)
    assert [step.kind for step in cell.ladder] == [
        "server", "framework", "server", "client", "handlers", "client",
    ]  # fmt: skip
    assert cell.total == ("flask-gthread", "fastapi-uvicorn")


def test_a_ladder_adds_its_steps_and_leaves_the_comparisons_as_they_are() -> None:
    for name in [one.name for one in SCENARIOS.values() if one.ladder]:
        (plain,) = make(scenarios=(name,)).blocks
        (cell,) = climbing(scenarios=(name,)).blocks
        assert cell.pairs == plain.pairs
        assert plain.steps == ()
        assert cell.steps == tuple((step.before, step.after) for step in cell.ladder)


def test_a_total_that_is_no_comparison_of_the_scenarios_own_becomes_one() -> None:
    hello = replace(SCENARIOS["hello"], stacks=("flask-gthread", "flask-granian"))
    (cell,) = climbing(catalogue=replace(CATALOGUE, scenarios={"hello": hello})).blocks
    assert cell.pairs == (
        ("flask-gthread", "flask-granian"), ("flask-gthread", "fastapi-uvicorn"),
    )  # fmt: skip
    assert ("flask-gthread", "flask-granian") not in cell.steps


def test_what_a_scenario_does_not_use_is_not_measured_for_it() -> None:
    (hello,) = climbing(scenarios=("hello",)).blocks
    assert {step.kind for step in hello.ladder} == {"server", "framework", "handlers"}
    assert not {name for name in hello.stacks if "httpx" in name or "pydantic" in name}


def test_chosen_stacks_and_a_ladder_contradict_each_other() -> None:
    with pytest.raises(BadInput, match="leave out --stack, or --ladder"):
        climbing(stacks=("flask-gthread",))
    # The profile only proposes it.
    todo = make(profile=PROFILES["full"], stacks=("flask-gthread",))
    assert all(cell.ladder == () for cell in todo.blocks)


def test_a_ladder_of_a_scenario_that_has_none_is_refused_by_naming_those_that_have_one() -> None:
    bare = replace(SCENARIOS["hello"], name="bare", ladder=())
    catalogue = replace(CATALOGUE, scenarios={"bare": bare, "weather": SCENARIOS["weather"]})
    with pytest.raises(BadInput, match="scenario 'bare' has no ladder; these have one: weather"):
        climbing(catalogue=catalogue, scenarios=("bare",))
    todo = climbing(catalogue=catalogue)
    assert [bool(cell.ladder) for cell in todo.blocks] == [False, True]
    full = PROFILES["full"]
    (cell,) = make(catalogue=catalogue, scenarios=("bare",), profile=full).blocks
    assert cell.ladder == ()


def test_a_stacks_file_that_lacks_a_rung_is_answered_with_its_name() -> None:
    few = {name: stack for name, stack in STACKS.items() if name != "fastapi-def"}
    with pytest.raises(BadInput, match="needs stack 'fastapi-def', which the stacks file lacks"):
        climbing(catalogue=replace(CATALOGUE, stacks=few), scenarios=("hello",))


def test_every_scenario_of_the_project_declares_kinds_that_are_known() -> None:
    assert SCENARIOS["users-lookup"].ladder == (
        StepKind.SERVER, StepKind.FRAMEWORK, StepKind.HANDLERS, StepKind.DRIVER,
        StepKind.COLLECTOR,
    )  # fmt: skip


def test_a_search_has_as_many_rounds_as_fit_into_its_minutes_but_three_at_least() -> None:
    slo = parse_slo("p99<100ms")
    catalogue = CATALOGUE

    def rounds(**given: float | int) -> int:
        options = CapacityOptions("hello", slo, PROFILES["quick"], **given)  # type: ignore[arg-type]
        return plan_capacity(catalogue, options).rounds

    assert rounds() == PROFILES["quick"].rounds
    assert rounds(rounds=7) == 7
    assert rounds(minutes=1) == 3
    assert rounds(minutes=60) > 10
