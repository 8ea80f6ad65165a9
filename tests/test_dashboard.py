"""A scenario whose requests the load decides: how many lookups, and how much work."""

import itertools
import subprocess
import sys
from typing import Any

import pytest

from apps import contract
from apps.contract import SEEDED_USERS
from apps.domain.dashboard import user_ids
from harness.analysis.axes import AXES, asked_words
from harness.errors import BadInput
from harness.models import Load, Plan
from harness.planning.capacity import CapacityOptions, plan_capacity
from harness.planning.files import PROJECT
from harness.planning.options import RunOptions
from harness.planning.plan import load_catalogue, make_plan
from harness.planning.slo import parse_slo

CATALOGUE = load_catalogue()


def make(*scenarios: str, **options: Any) -> Plan:
    return make_plan(CATALOGUE, RunOptions(scenarios=scenarios, **options))


def test_a_dashboard_looks_different_users_up() -> None:
    for city in contract.CITIES:
        ids = user_ids(city, contract.QUERIES_MAX)
        assert len(set(ids)) == contract.QUERIES_MAX
        assert all(1 <= number <= SEEDED_USERS for number in ids)
    assert user_ids("Oslo", 3) != user_ids("Lima", 3)


def test_every_combination_is_a_load() -> None:
    plan = make("dashboard", users=(1, 10), io_ms=(0.0, 50.0), queries=(0, 3), work=(0, 10))
    labels = [block.load.label for block in plan.blocks]
    assert labels == [
        f"closed-{users}-io{io}-q{queries}-w{work}"
        for users, io, queries, work in itertools.product((1, 10), (0, 50), (0, 3), (0, 10))
    ]


def test_scenarios_that_do_not_ask_are_measured_without() -> None:
    plan = make("dashboard", work=(0, 10))
    assert [block.load.queries for block in plan.blocks] == [None, None]
    with pytest.raises(BadInput, match=r"'hello' has no --work.*: dashboard$"):
        make("hello", "dashboard", work=(3,))
    with pytest.raises(BadInput, match="--queries: no scenario of this run takes it"):
        make(queries=(3,))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"queries": (-1,)}, "--queries -1: give 0 to 20 lookups"),
        ({"queries": (21,)}, "--queries 21: give 0 to 20 lookups"),
        ({"work": (101,)}, "--work 101: give 0 to 100 units of work"),
        ({"work": (5, 5)}, "--work 5: this load is given twice"),
    ],
)
def test_impossible_requests_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        make("dashboard", **options)


def test_a_capacity_is_that_of_the_requests_that_were_asked_for() -> None:
    slo = parse_slo("p99<100ms")
    options = CapacityOptions("dashboard", slo, io_ms=20.0, queries=2, work=5)
    (block,) = plan_capacity(CATALOGUE, options).blocks
    assert block.load.label == "capacity-p99-100ms-io20-q2-w5"
    with pytest.raises(BadInput, match="'hello' has no --queries"):
        plan_capacity(CATALOGUE, CapacityOptions("hello", slo, queries=2))


def test_a_curve_over_one_of_them_holds_the_others() -> None:
    (block,) = make("dashboard", users=(8,), io_ms=(20.0,), queries=(1,), work=(5,)).blocks
    run: Any = None
    stack: Any = None
    assert AXES["work"].value(run, block, stack) == 5
    assert AXES["work"].held(run, block, stack) == "8 users, upstream 20 ms, 1 query"
    assert AXES["users"].held(run, block, stack) == "upstream 20 ms, 1 query, 5 units of work"
    assert asked_words(Load(8)) == ""


def test_users_send_what_the_load_asks_for() -> None:
    code = (
        "from scenarios.dashboard import Dashboard; from harness.models import Load\n"
        "for load in (Load(8), Load(8, queries=2, work=0)):\n"
        "    samples = Dashboard.samples_for(load)\n"
        "    print(len(samples), samples[0].path.partition('?')[2], len(samples[0].json['users']),"
        " samples[0].json['result'])\n"
    )
    # Scenario files import Locust, which patches the standard library of the process.
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    count = len(contract.CITIES[:15])
    assert done.stdout.splitlines()[1] == f"{count} queries=2&work=0 2 00000000"
    assert done.stdout.splitlines()[0].startswith(f"{count}  3 ")
