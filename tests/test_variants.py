"""The variants of the twins that the stacks choose among, without a server."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute, iter_route_contexts

from apps import fastapi_twin, flask_twin
from apps.fastapi_twin import handlers, upstream_client
from apps.fastapi_twin.upstream_client import Reply
from apps.settings import Settings
from harness.plan import STACKS_FILE
from harness.stacks import load_stacks

SETTINGS = Settings("postgresql+psycopg://u@localhost/d", "http://127.0.0.1:1")
SYNCHRONOUS = dataclasses.replace(
    SETTINGS, http_client="requests", database_driver="psycopg-sync", handlers="def"
)
TWINS = {"flask": flask_twin.create_app, "fastapi": fastapi_twin.create_app}


def routes(settings: Settings) -> dict[str, Any]:
    app = fastapi_twin.create_app(settings)
    return {
        route.path: route.endpoint
        for route in iter_route_contexts(app.routes)
        if isinstance(route.original_route, APIRoute)
    }


def kinds(settings: Settings) -> set[bool]:
    return {inspect.iscoroutinefunction(endpoint) for endpoint in routes(settings).values()}


def test_handlers_are_of_both_kinds_as_they_are_written() -> None:
    assert kinds(SETTINGS) == {True, False}


def test_handlers_can_all_be_def() -> None:
    assert kinds(SYNCHRONOUS) == {False}


def test_handlers_can_all_be_async_def() -> None:
    assert kinds(dataclasses.replace(SYNCHRONOUS, handlers="async def")) == {True}


def test_adapting_the_handlers_of_one_application_leaves_the_next_one_alone() -> None:
    before = routes(SETTINGS)
    routes(SYNCHRONOUS)
    assert routes(SETTINGS) == before


def test_a_handler_that_waits_for_the_event_loop_can_not_be_a_def() -> None:
    router = APIRouter()

    @router.get("/late")
    async def late() -> None:
        await asyncio.sleep(0)

    (route,) = handlers.adapted(router, SYNCHRONOUS).routes
    assert isinstance(route, APIRoute)
    with pytest.raises(RuntimeError, match=r"late waits for something"):
        route.endpoint()


def test_def_handlers_over_an_asynchronous_client_are_refused() -> None:
    with pytest.raises(ValueError, match="TWIN_HTTP_CLIENT=requests"):
        fastapi_twin.create_app(dataclasses.replace(SYNCHRONOUS, http_client="httpx"))


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize(
    "setting", ["http_client", "http_client_life", "database_driver", "validation", "handlers"]
)
def test_a_twin_refuses_a_variant_that_it_does_not_have(twin: str, setting: str) -> None:
    settings = dataclasses.replace(SETTINGS, **{setting: "urllib"})
    with pytest.raises(ValueError, match=f"TWIN_{setting.upper()}='urllib': this twin has "):
        TWINS[twin](settings)


@pytest.mark.parametrize("twin", TWINS)
def test_every_stack_names_variants_that_its_twin_has(twin: str) -> None:
    for stack in load_stacks(STACKS_FILE).values():
        if stack.twin == twin:
            TWINS[twin](dataclasses.replace(SETTINGS, **stack.settings))


def test_the_client_for_each_request_is_opened_and_closed_for_each() -> None:
    events: list[str] = []

    class Transport:
        async def get(self, path: str, query: Mapping[str, str]) -> Reply:
            events.append(path)
            return Reply(200, b'{"city":"Oslo","temperature_c":3.5}')

    @asynccontextmanager
    async def opened() -> AsyncIterator[Transport]:
        events.append("open")
        yield Transport()
        events.append("close")

    async def ask_twice(life: str) -> None:
        async with upstream_client.LIVES[life](opened) as transport:
            for _ in range(2):
                await upstream_client.UpstreamClient(transport).weather("Oslo")

    asyncio.run(ask_twice("request"))
    assert events == ["open", "/weather", "close"] * 2
    events.clear()
    asyncio.run(ask_twice("process"))
    assert events == ["open", "/weather", "/weather", "close"]


@pytest.mark.parametrize(
    ("twin", "settings", "absent"),
    [
        ("flask", {}, ["pydantic", "fastapi", "httpx", "gevent"]),
        ("flask", {"validation": "pydantic"}, ["fastapi", "httpx", "gevent"]),
        ("fastapi", {}, ["flask", "httpx", "httpx2", "aiohttp", "requests", "asyncpg"]),
    ],
)
def test_a_process_holds_only_what_it_uses(
    twin: str, settings: dict[str, str], absent: list[str]
) -> None:
    code = (
        f"import sys; from apps.settings import Settings; from apps.{twin}_twin import create_app; "
        f"create_app(Settings({SETTINGS.database_url!r}, {SETTINGS.upstream_url!r}, **{settings}));"
        f"print([name for name in {absent} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
