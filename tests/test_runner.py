"""What a round asks of others, without starting anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from apps import contract
from harness.measuring import blocks, by_load
from harness.models import BlockPlan, Measures, Placement, Plan, Stack
from harness.serving import services
from harness.serving.service import Service
from harness.serving.services import Services
from tests.runs import hello_plan


class StartedError(Exception):
    """Raised where servers would start."""


def environment_of_servers(
    monkeypatch: pytest.MonkeyPatch, todo: Plan, measured: Sequence[BlockPlan] = ()
) -> dict[str, str]:
    """The variables that a round starts its servers with."""
    seen: dict[str, str] = {}

    @contextmanager
    def serving(
        stacks: Sequence[Stack], *, environment: dict[str, str], **_: Any
    ) -> Iterator[None]:
        seen.update(environment)
        raise StartedError
        yield

    database = Service("postgres", {"TWIN_DATABASE_URL": "url"}, None, wait=lambda: None)
    listener: Any = SimpleNamespace(preparing=lambda what: None)
    unused: Any = None
    monkeypatch.setattr(by_load, "serving", serving)
    where = Placement(servers=(0,), load=(1,), services=(1,))
    bench = blocks.Bench(todo, where, Path(), Path(), Services((database,)), listener)
    with (
        pytest.raises(StartedError),
        by_load.ByLoad(bench, unused).round(1, measured or todo.blocks),
    ):
        pass
    return seen


def asking(todo: Plan, endpoint: str) -> Plan:
    """The plan with a second scenario, which asks another endpoint."""
    (block,) = todo.blocks
    needs = contract.needs([endpoint])
    scenario = replace(block.scenario, name="other", endpoints=(endpoint,), needs=needs)
    return replace(todo, blocks=(block, replace(block, scenario=scenario)))


def test_servers_have_the_addresses_of_the_services_and_the_patience_of_the_load(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = environment_of_servers(monkeypatch, hello_plan())
    assert seen["TWIN_DATABASE_URL"] == "url"
    assert float(seen["TWIN_UPSTREAM_TIMEOUT_S"]) == blocks.TIMEOUT_S


def test_servers_load_their_classifier_only_in_a_run_that_asks_for_predictions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    todo = hello_plan()
    for measured, classifier in (
        (todo, "off"),
        (asking(todo, "GET /items"), "off"),
        (asking(todo, "POST /predict"), "on"),
    ):
        assert environment_of_servers(monkeypatch, measured)["TWIN_CLASSIFIER"] == classifier


def test_starts_are_spared_the_classifier_that_a_loaded_scenario_asks_for() -> None:
    todo = asking(hello_plan(), "POST /predict")
    unused: Any = None
    bench = blocks.Bench(todo, unused, unused, unused, Services(), unused)
    assert bench.environment(Measures.REQUESTS, 1)["TWIN_CLASSIFIER"] == "on"
    assert bench.environment(Measures.STARTS, 1)["TWIN_CLASSIFIER"] == "off"


def test_a_round_without_the_scenario_that_asks_for_them_has_the_same_servers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    todo = asking(hello_plan(), "POST /predict")
    seen = environment_of_servers(monkeypatch, todo, todo.blocks[:1])
    assert seen["TWIN_CLASSIFIER"] == "on"


def test_only_the_services_that_scenarios_need_are_started(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []

    def starting(name: str) -> Any:
        @contextmanager
        def running(**_: Any) -> Iterator[Service]:
            started.append(name)
            yield Service(
                name, {f"TWIN_{name}": "url"}, None, wait=lambda: started.append("waited")
            )

        return running

    monkeypatch.setattr(services.postgres, "running", starting("postgres"))
    monkeypatch.setattr(services.upstream, "running", starting("upstream"))

    def run(*needs: str) -> Services:
        started.clear()
        unused: Any = None
        with services.running(
            needs=needs, upstream_latency="", seed=0, cores=(), logs=unused, folder=unused
        ) as around:
            return around

    assert run("classifier").environment == {}
    assert started == []
    assert run("database").environment == {"TWIN_postgres": "url"}
    assert started == ["postgres", "waited"]
    assert run("upstream", "database").names == ("postgres", "upstream")
    assert started == ["postgres", "upstream", "waited", "waited"]


@pytest.mark.parametrize(
    ("needs", "message"),
    [
        (("database", "upstream"), "starting PostgreSQL and the upstream"),
        (("database", "classifier"), "starting PostgreSQL"),
        ((), "starting no service: none is needed"),
    ],
)
def test_a_run_says_which_services_it_starts(needs: tuple[str, ...], message: str) -> None:
    assert services.starting(needs) == message
