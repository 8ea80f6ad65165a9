"""Several latencies of the upstream: each is a part of a load, and no two ever mix."""

import asyncio
import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from apps.contract import CITIES
from apps.upstream import WeatherService
from harness.errors import BadInput, ServiceFailed
from harness.models import Arrivals, Load, Plan
from harness.planning.options import RunOptions
from harness.planning.plan import load_catalogue, make_plan
from harness.report.view import View, load_words
from harness.report.words.method import method
from harness.serving.service import Service
from harness.serving.services import Services
from harness.serving.upstream import check_changeable
from tests import analyses

CATALOGUE = load_catalogue()


def make(*scenarios: str, **options: Any) -> Plan:
    return make_plan(CATALOGUE, RunOptions(seed=7, scenarios=scenarios, **options))


def test_each_latency_makes_a_load_with_a_key_of_its_own() -> None:
    plan = make("weather", users=(10, 50), io_ms=(0, 5, 200))
    keys = [str(block.key) for block in plan.blocks]
    assert keys == [
        f"weather (closed-{users}-io{io_ms})" for users in (10, 50) for io_ms in (0, 5, 200)
    ]
    assert len({cell for block in plan.blocks for cell in block.cells}) == 6 * 4
    assert [plan.upstream_latency_of(block.load) for block in plan.blocks[:3]] == [
        "constant:0", "constant:5", "constant:200"
    ]  # fmt: skip
    assert Load(9, 500.0, Arrivals.CONSTANT, 2.5).label == "open-constant-500-io2.5"


def test_a_warm_up_is_long_enough_for_replies_of_the_upstream() -> None:
    for block in make("weather", io_ms=(0, 2_000)).blocks:
        assert block.load.io_ms is not None
        assert block.warmup_s >= 2 * block.load.io_ms / 1000


def test_a_scenario_that_does_not_wait_keeps_its_one_load_in_a_run_of_several() -> None:
    blocks = make(io_ms=(0, 200)).blocks
    assert {block.load.label for block in blocks if block.scenario.name == "hello"} == {
        f"closed-{CATALOGUE.scenarios['hello'].users}"
    }
    assert sum(block.scenario.name == "weather" for block in blocks) == 2


def test_without_latencies_the_plans_own_holds() -> None:
    plan = make("weather")
    (block,) = plan.blocks
    assert block.load.io_ms is None
    assert plan.upstream_latency_of(block.load) == plan.upstream_latency


@pytest.mark.parametrize(
    ("scenario", "io_ms", "message"),
    [
        ("weather", (-1,), "--io-ms -1: give 0 to 5,000 milliseconds"),
        ("weather", (9_000,), "--io-ms 9000: give 0 to 5,000"),
        ("weather", (5, 5), "--io-ms 5: this load is given twice"),
        ("hello", (5,), "scenario 'hello' does not use the upstream: leave out --io-ms"),
    ],
)
def test_latencies_that_make_no_sense_are_refused(
    scenario: str, io_ms: tuple[float, ...], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        make(scenario, io_ms=io_ms)


def test_an_upstream_of_the_users_own_is_not_changed() -> None:
    own = {"UPSTREAM_URL": "http://127.0.0.1:8090"}
    with pytest.raises(BadInput, match="unset UPSTREAM_URL"):
        check_changeable(make("weather", io_ms=(5,)), own)
    check_changeable(make("weather"), own)
    check_changeable(make("weather", io_ms=(5,)), {})


# --------------------------------------------------------------------------- upstream


async def asked(service: WeatherService, method: str, path: str, query: str = "") -> Any:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode()}
    await service(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


def test_the_latency_changes_while_the_upstream_runs() -> None:
    async def scenario() -> None:
        service = WeatherService({"UPSTREAM_LATENCY": "constant:60000"})
        said = await asked(service, "PUT", "/latency", "constant:0")
        assert said == (200, {"status": "ok", "latency": "constant:0"})
        assert await asked(service, "GET", "/healthz") == said
        status, _ = await asyncio.wait_for(
            asked(service, "GET", "/weather", f"city={quote(CITIES[0])}"), timeout=30
        )
        assert status == 200

    asyncio.run(scenario())


def test_a_latency_that_can_not_be_read_changes_nothing() -> None:
    async def scenario() -> None:
        service = WeatherService({"UPSTREAM_LATENCY": "constant:1"})
        status, said = await asked(service, "PUT", "/latency", "soon")
        assert status == 400
        assert "soon" in said["error"]
        assert (await asked(service, "GET", "/healthz"))[1]["latency"] == "constant:1"
        assert (await asked(service, "GET", "/latency"))[0] == 404

    asyncio.run(scenario())


def test_an_upstream_that_does_not_take_a_latency_ends_the_run() -> None:
    def refuse(latency: str) -> None:
        raise ServiceFailed(f"it does not take {latency}")

    told: list[str] = []
    database = Service("postgres", {}, None, lambda: None)
    Services((database, Service("upstream", {}, None, lambda: None, told.append))).have_latency("x")
    assert told == ["x"]
    with pytest.raises(ServiceFailed, match="does not take y"):
        Services((Service("upstream", {}, None, lambda: None, refuse),)).have_latency("y")


# ----------------------------------------------------------------------------- report


def test_the_report_names_the_latency_with_each_load() -> None:
    assert load_words(Load(50, io_ms=200)).replace("\u00a0", " ") == "50 users, upstream 200 ms"
    found = analyses.analysis(scenarios=["weather"])
    (block,) = found.run.plan.blocks
    several = tuple(replace(block, load=replace(block.load, io_ms=io_ms)) for io_ms in (0.0, 200.0))
    run = replace(found.run, plan=replace(found.run.plan, blocks=several))
    view = View(replace(found, run=run, cells=(), comparisons=()))
    titles = [part.title.replace("\u00a0", " ") for part in view.parts]
    assert titles == ["weather, 64 users, upstream 0 ms", "weather, 64 users, upstream 200 ms"]
    assert any("is a part of each load" in said for said in method(view))
