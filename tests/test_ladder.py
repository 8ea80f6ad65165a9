"""The ladder is what it says: each step changes one thing, and a scenario climbs what it uses."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from harness.errors import BadInput
from harness.models import Stack, Step, StepKind
from harness.planning.files import LADDER_FILE, STACKS_FILE
from harness.planning.ladder import ALWAYS, climbed, load_ladder
from harness.planning.scenarios import load_scenarios
from harness.planning.stacks import load_stacks

STEPS = load_ladder(LADDER_FILE)
STACKS = load_stacks(STACKS_FILE)
#: What a twin has where a stack does not say it; None where it has no such thing.
DEFAULTS = {
    "flask": {
        "http_client": "requests",
        "database_driver": "psycopg-sync",  # Flask's are synchronous, by whatever name
        "validation": "hand",
        "handlers": "def",
        "http_client_life": "process",
        "collector": "default",
        "classifier_life": "process",
    },
    "fastapi": {
        "http_client": "httpx",
        "database_driver": "psycopg",
        "validation": "pydantic",
        "handlers": "as written",
        "http_client_life": "process",
        "collector": "default",
        "classifier_life": "process",
    },
}
SYNCHRONOUS = {"requests", "httpx-sync", "psycopg-sync"}


def things(stack: Stack) -> dict[str, object]:
    """What of a stack a step may change, by the step's kind; and what none may."""
    settings = {**DEFAULTS[stack.twin], **stack.settings}
    client, driver = settings.pop("http_client"), settings.pop("database_driver")
    return {
        StepKind.SERVER: stack.server,
        StepKind.FRAMEWORK: (stack.twin, stack.app),
        StepKind.CLIENT: client.removesuffix("-sync"),
        StepKind.DRIVER: driver.removesuffix("-sync"),
        StepKind.VALIDATION: settings.pop("validation"),
        StepKind.COLLECTOR: settings.pop("collector"),
        # Handlers in threads stand over what is synchronous, others over what is not.
        StepKind.HANDLERS: (
            settings.pop("handlers"),
            client in SYNCHRONOUS,
            driver in SYNCHRONOUS,
        ),
        "workers": stack.workers,
        "everything else": settings,
    }


def differing(before: Stack, after: Stack) -> set[str]:
    one, other = things(before), things(after)
    found = {name for name in one if one[name] != other[name]}
    # Another server has other options; and so has one that speaks ASGI where it spoke WSGI.
    may_change_options = {StepKind.SERVER, StepKind.FRAMEWORK} & found
    if before.options != after.options and not may_change_options:
        found.add("options")
    return found


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step.before} {step.after}")
def test_a_step_changes_what_its_kind_says_and_nothing_else(step: Step) -> None:
    assert differing(STACKS[step.before], STACKS[step.after]) == {step.kind}


def test_two_stacks_that_differ_in_more_would_be_noticed() -> None:
    flask, fastapi = STACKS["flask-gthread"], STACKS["fastapi-uvicorn"]
    assert len(differing(flask, fastapi)) == 5
    assert differing(flask, STACKS["flask-sync"]) == {"options"}
    assert differing(flask, STACKS["flask-sync-2n-plus-1"]) == {"options", "workers"}


def test_the_ladder_leads_from_flask_to_fastapi_and_beyond() -> None:
    assert STEPS[0].before == "flask-gthread"
    way = [step for step in STEPS if not step.beyond]
    assert way == list(STEPS[: len(way)])
    assert way[-1].after == "fastapi-uvicorn"
    assert all(step.after == other.before for step, other in pairwise(way))
    assert {step.kind for step in STEPS} == set(StepKind)


def test_the_words_of_a_step_name_what_changes() -> None:
    for step in STEPS:
        old, new = step.change.split(" → ")
        before, after = (things(STACKS[rung])[step.kind] for rung in (step.before, step.after))
        if step.kind in (StepKind.SERVER, StepKind.CLIENT, StepKind.DRIVER):
            assert (old, new) == (before, after)


# ------------------------------------------------------------------------ climbing


def rungs(*kinds: StepKind) -> list[str]:
    climb = climbed(STEPS, kinds)
    return [climb[0].before, *(step.after for step in climb)]


def test_a_scenario_climbs_the_steps_of_its_kinds_and_skips_the_others() -> None:
    assert rungs(*ALWAYS, StepKind.HANDLERS) == [
        "flask-gthread",
        "flask-granian",
        "fastapi-def-granian",
        "fastapi-def",
        "fastapi-uvicorn",
    ]
    assert rungs(*ALWAYS, StepKind.HANDLERS, StepKind.DRIVER)[-1] == "fastapi-aiohttp-asyncpg"
    assert rungs(*ALWAYS, StepKind.COLLECTOR)[-2:] == ["fastapi-uvicorn", "fastapi-uvicorn-freeze"]
    assert rungs(*StepKind) == [STEPS[0].before, *(step.after for step in STEPS)]


def test_the_way_leads_to_the_goal_whatever_is_skipped() -> None:
    assert rungs(*ALWAYS) == [
        "flask-gthread", "flask-granian", "fastapi-def-granian", "fastapi-uvicorn",
    ]  # fmt: skip
    for scenario in load_scenarios().values():
        if scenario.ladder:
            way = [step for step in climbed(STEPS, scenario.ladder) if not step.beyond]
            assert way[-1].after == "fastapi-uvicorn", scenario.name


def test_what_is_climbed_hangs_together_from_the_lowest_rung_on() -> None:
    for scenario in load_scenarios().values():
        climb = climbed(STEPS, scenario.ladder)
        way = [step for step in climb if not step.beyond]
        assert all(step.after == other.before for step, other in pairwise(way)), scenario.name
        reached = {STEPS[0].before}
        for step in climb:
            assert step.before in reached
            reached.add(step.after)
            assert step.kind in scenario.ladder


def test_a_step_over_others_differs_in_its_kind_and_what_is_skipped() -> None:
    for scenario in load_scenarios().values():
        unused = set(StepKind) - set(scenario.ladder)
        for step in climbed(STEPS, scenario.ladder):
            changed = differing(STACKS[step.before], STACKS[step.after])
            assert step.kind in changed
            assert changed - {step.kind} <= unused


def test_a_step_that_leads_on_from_the_goal_does_so_whatever_other_step_beyond_it_is_climbed() -> (
    None
):
    for others in ((), (StepKind.CLIENT,), (StepKind.DRIVER,), (StepKind.CLIENT, StepKind.DRIVER)):
        *_, step = climbed(STEPS, (*ALWAYS, *others, StepKind.COLLECTOR))
        assert step.before == "fastapi-uvicorn"
        assert differing(STACKS[step.before], STACKS[step.after]) == {StepKind.COLLECTOR}


def test_no_kinds_no_ladder() -> None:
    assert climbed(STEPS, ()) == ()
    assert climbed((), tuple(StepKind)) == ()


# ---------------------------------------------------------------------- malformed

GOOD = """\
start = "a"
goal = "b"
[[step]]
kind = "server"
change = "x → y"
stack = "b"
[[step]]
kind = "driver"
change = "y → z"
stack = "c"
"""


def test_what_comes_after_the_goal_lies_beyond(tmp_path: Path) -> None:
    path = tmp_path / "ladder.toml"
    path.write_text(GOOD)
    assert load_ladder(path) == (
        Step(StepKind.SERVER, "x → y", "a", "b"),
        Step(StepKind.DRIVER, "y → z", "b", "c", beyond=True),
    )


def test_a_step_beyond_the_goal_can_lead_on_from_it(tmp_path: Path) -> None:
    path = tmp_path / "ladder.toml"
    last = '[[step]]\nkind = "client"\nchange = "u → v"\nstack = "d"\n'
    path.write_text(f'{GOOD}{last}from = "b"\n')
    assert load_ladder(path)[-1] == Step(StepKind.CLIENT, "u → v", "b", "d", beyond=True)
    path.write_text(f"{GOOD}{last}")
    assert load_ladder(path)[-1] == Step(StepKind.CLIENT, "u → v", "c", "d", beyond=True)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (('start = "a"', ""), "needs 'start' and 'goal'"),
        (('goal = "b"', "goal = 3"), "needs 'start' and 'goal'"),
        (("[[step]]", "[[steps]]"), "needs 'start' and 'goal'"),
        (('goal = "b"', 'goal = "d"'), "no step leads to the goal 'd'"),
        (('goal = "b"', 'goal = "a"'), "no step leads to the goal 'a'"),
        (('stack = "c"', 'stack = "a"'), "each rung must be a different stack: a, b, a"),
        (('kind = "driver"', 'kind = "colour"'), "step 2: kind 'colour' is not one of: server"),
        (('change = "y → z"', ""), "step 2: must have kind, change, stack"),
        (('stack = "c"', 'stack = ""'), "step 2: must have kind, change, stack"),
        (('stack = "c"', 'stack = "c"\nmore = "d"'), "step 2: must have"),
        (('stack = "c"', 'stack = "c"\nfrom = "a"'), "step 2: 'from' may only name the goal"),
        (('stack = "b"', 'stack = "b"\nfrom = "a"'), "step 1: 'from' may only name the goal"),
        (('start = "a"', "start ="), "can't be read as TOML"),
    ],
)
def test_a_malformed_ladder_is_one_line(
    tmp_path: Path, change: tuple[str, str], problem: str
) -> None:
    path = tmp_path / "ladder.toml"
    path.write_text(GOOD.replace(*change))
    with pytest.raises(BadInput) as error:
        load_ladder(path)
    assert str(error.value).startswith(f"{path}: ")
    assert problem in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_ladder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.toml: can't be read"):
        load_ladder(tmp_path / "nowhere.toml")
