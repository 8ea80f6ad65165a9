"""Several numbers of worker processes: planned, started and reported."""

import os
from dataclasses import replace
from typing import Any

import pytest

from harness.cli.main import cli
from harness.errors import BadInput
from harness.models import Analysis, Placement, Plan
from harness.planning.options import PROFILES, RunOptions
from harness.planning.plan import load_catalogue, make_plan
from harness.planning.stacks import worker_count, worker_numbers
from harness.report.charts import CHARTS
from harness.report.view import View
from harness.report.words.workers import sharing_cores
from harness.store import summary_rows
from tests import analyses

CATALOGUE = load_catalogue()
BOTH = ("flask-gthread", "fastapi-uvicorn")


def make(**options: Any) -> Plan:
    return make_plan(CATALOGUE, RunOptions(**{"seed": 7, "scenarios": ("hello",), **options}))


def test_each_number_makes_a_contender_of_each_stack() -> None:
    plan = make(stacks=BOTH, worker_counts=(1, 3))
    labels = ("flask-gthread@1", "flask-gthread@3", "fastapi-uvicorn@1", "fastapi-uvicorn@3")
    assert tuple(stack.label for stack in plan.stacks) == labels
    assert [block.stacks for block in plan.blocks] == [labels]
    assert [worker_count(stack, plan.workers, [0]) for stack in plan.stacks] == [1, 3, 1, 3]
    assert [stack.with_its_number for stack in plan.stacks][:2] == [
        ("flask-gthread", 1), ("flask-gthread", 3)
    ]  # fmt: skip


def test_a_stack_that_is_named_twice_keeps_both_labels_apart() -> None:
    plan = make(stacks=("flask-gthread", "flask-gthread"), worker_counts=(2,))
    assert [stack.label for stack in plan.stacks] == ["flask-gthread@2", "flask-gthread#2@2"]


def test_the_scenarios_own_stacks_are_measured_with_each_number() -> None:
    plan = make(scenarios=("hello", "weather"), worker_counts=(1, 2), users=(4, 8))
    for block in plan.blocks:
        assert block.stacks == tuple(
            f"{name}@{count}" for name in block.scenario.stacks for count in (1, 2)
        )
    full = make(profile=PROFILES["full"], worker_counts=(1, 2))
    assert not any(block.ladder for block in full.blocks)


def test_without_numbers_a_plan_is_what_it_was() -> None:
    assert [stack.label for stack in make(stacks=BOTH).stacks] == list(BOTH)
    assert [stack.with_its_number for stack in make(stacks=BOTH).stacks] == [None, None]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"worker_counts": (0,)}, "--workers 0: give 1 to 64 worker processes"),
        ({"worker_counts": (65,)}, "--workers 65: give 1 to 64"),
        ({"worker_counts": (2, 1)}, "--workers 2,1: give rising numbers, such as 1,2,4"),
        ({"worker_counts": (2, 2)}, "--workers 2,2: give rising numbers"),
        ({"worker_counts": (2,), "ladder": True}, "leave out --workers, or --ladder"),
        (
            {"worker_counts": (2,), "stacks": ("flask-gthread-2n-plus-1",)},
            "'flask-gthread-2n-plus-1' has 2n.1 workers of its own",
        ),
        ({"worker_counts": (2,), "scenarios": ("tests",)}, "no server: leave out --workers"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        make(**options)


@pytest.mark.parametrize(
    ("text", "cores", "numbers"),
    [
        ("1,2,2n+1", (4, 5), (1, 2, 5)),
        ("2n+1,2n,n", (4, 5), (2, 4, 5)),
        ("1,n,2,2n", (3,), (1, 2)),  # equal ones count once
        ("1,8,2n+1", (3,), (1, 3, 8)),
        ("1, n", (4, 5), (1, 2)),
        ("2,1,2", (3,), (2, 1, 2)),  # as they were given: RunOptions refuses these
        ("0,n", (3,), (0, 1)),
    ],
)
def test_numbers_may_follow_from_the_servers_cores(
    text: str, cores: tuple[int, ...], numbers: tuple[int, ...]
) -> None:
    assert worker_numbers(text, cores) == numbers


def test_without_pinning_the_servers_have_all_cores() -> None:
    assert worker_numbers("n", ()) == (os.cpu_count(),)


@pytest.mark.parametrize("part", ["2n+", "3n", "n+1", "N", "many", "1.5", ""])
def test_what_is_no_number_of_workers_is_refused_in_a_line(part: str) -> None:
    with pytest.raises(BadInput) as caught:
        worker_numbers(f"1,{part}", (0, 1))
    assert str(caught.value) == (
        f"--workers '{part}': write whole numbers, n, 2n or 2n+1, several like 1,2,2n+1"
    )


@pytest.mark.parametrize("command", ["run", "sweep"])
def test_a_plan_has_plain_numbers_of_the_cores_that_servers_are_pinned_to(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = Placement(servers=(2, 3), load=(0,), services=(1,))
    monkeypatch.setattr("harness.machine.placement.place_here", lambda: where)
    with cli.commands[command].make_context(command, ["hello", "--workers", "1,n,2n+1"]) as context:
        given = context.params["worker_counts" if command == "run" else "worker_values"]
    plan = make(stacks=("flask-gthread",), worker_counts=given)
    assert [stack.workers for stack in plan.stacks] == ["1", "2", "5"]
    assert [stack.label for stack in plan.stacks][-1] == "flask-gthread@5"


# ---------------------------------------------------------------------------- report


def by_workers() -> Analysis:
    """flask-gthread with one, two and three workers."""
    own = analyses.STACKS["flask-gthread"]
    stacks = {
        f"flask-gthread@{count}": replace(own, label=f"flask-gthread@{count}", workers=str(count))
        for count in (1, 2, 3)
    }
    figures = dict.fromkeys(stacks, analyses.SCENARIOS["hello"][4]["flask-gthread"])
    return analyses.analysis(scenarios=["hello"], stacks=stacks, figures={"hello": figures})


def test_the_report_draws_what_more_workers_do() -> None:
    found = by_workers()
    chart, view = CHARTS["workers"], View(found)
    assert chart.has_something(view)
    words = chart.caption(view)
    assert "flask-gthread@3" in words.alt
    assert chart.draw(view, words).height_in > 1
    assert not chart.has_something(View(analyses.analysis(scenarios=["hello"])))


def test_workers_that_share_cores_are_named() -> None:
    found = by_workers()
    assert len(found.run.placement.servers) == 1
    (said,) = sharing_cores(View(found))
    assert "1\N{NO-BREAK SPACE}core," in said
    assert "stacks with 2 and 3 of them share cores" in said
    roomy = replace(found.run, placement=replace(found.run.placement, servers=(0, 1, 2)))
    assert list(sharing_cores(View(replace(found, run=roomy)))) == []
    assert list(sharing_cores(View(analyses.analysis(scenarios=["hello"])))) == []


def test_a_stack_with_other_workers_does_not_differ_from_itself() -> None:
    from harness.report.words.surprises import surprises

    assert not [said for said in surprises(View(by_workers())) if "differs from itself" in said]


def test_the_summary_names_workers_and_unique_memory() -> None:
    rows = summary_rows(by_workers())
    assert [row["workers"] for row in rows] == [1, 2, 3]
    assert [row["uss_mib"] for row in rows] == [None] * 3  # as in runs that did not ask
