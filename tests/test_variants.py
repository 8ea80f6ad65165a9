"""The variants of the twins that the stacks choose among, without a server."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import inspect
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.testclient import TestClient

from apps import contract, fastapi_twin, flask_twin, problems
from apps.domain import classifier, passwords
from apps.fastapi_twin import database, handlers, upstream_client
from apps.fastapi_twin.upstream_client import Reply
from apps.settings import Settings
from harness.load import in_process
from harness.planning.files import STACKS_FILE
from harness.planning.stacks import load_stacks

SETTINGS = Settings("postgresql+psycopg://u@localhost/d", "http://127.0.0.1:1", classifier=False)
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


@pytest.mark.parametrize(
    ("settings", "query", "check"),
    [
        (SETTINGS, "event loop", "thread"),
        (SYNCHRONOUS, "thread", "thread"),
        (dataclasses.replace(SYNCHRONOUS, handlers="async def"), "event loop", "event loop"),
    ],
    ids=lambda value: value.handlers or "as written" if isinstance(value, Settings) else "",
)
def test_a_login_asks_the_database_and_checks_the_password_where_the_handlers_of_the_stack_run(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, query: str, check: str
) -> None:
    seen: dict[str, str] = {}

    def note(what: str) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            seen[what] = "thread"
        else:
            seen[what] = "event loop"

    class Session:
        async def scalar(self, statement: object) -> str:
            note("query")
            return "hash"

    @asynccontextmanager
    async def opened(settings: Settings) -> AsyncIterator[Callable[[], Any]]:
        yield lambda: nullcontext(Session())

    def matches(password: str, kept: str | None) -> bool:
        note("check")
        return kept == "hash"

    for driver in ("psycopg", "psycopg-sync"):
        monkeypatch.setitem(database.DRIVERS, driver, opened)  # type: ignore[arg-type]
    monkeypatch.setattr(passwords, "matches", matches)
    login = contract.login(1)
    with TestClient(fastapi_twin.create_app(settings)) as client:
        reply = client.post("/login", content=login.body, headers=dict(login.headers))
    assert reply.status_code == 200
    assert seen == {"query": query, "check": check}


def test_what_two_adapted_functions_depend_on_is_called_once_for_both() -> None:
    calls: list[str] = []
    router = APIRouter()

    async def shared() -> int:
        calls.append("shared")
        return 1

    # Names of a function's own are unknown where annotations are texts.
    async def other(number: int) -> int:
        return number

    async def total(number: int, again: int) -> int:
        return number + again

    other.__annotations__["number"] = Annotated[int, Depends(shared)]
    total.__annotations__["number"] = Annotated[int, Depends(shared)]
    total.__annotations__["again"] = Annotated[int, Depends(other)]
    router.get("/sum")(total)
    app = FastAPI()
    app.include_router(handlers.adapted(router, SYNCHRONOUS))
    assert TestClient(app).get("/sum").json() == 2
    assert calls == ["shared"]


def test_def_handlers_take_httpx_in_its_synchronous_form() -> None:
    assert kinds(dataclasses.replace(SYNCHRONOUS, http_client="httpx-sync")) == {False}


def answered(transport: upstream_client.Transport, path: str) -> Reply:
    """The reply, of a transport that never waits for the event loop."""
    coroutine = transport.get(path, {"city": "Oslo"})
    with pytest.raises(StopIteration) as end:
        coroutine.send(None)  # type: ignore[attr-defined]
    reply: Reply = end.value.value
    return reply


def test_the_synchronous_client_of_httpx_does_what_is_awaited_before_it_returns() -> None:
    def upstream(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/late":
            raise httpx.ReadTimeout("late", request=request)
        if request.url.path == "/broken":
            raise httpx.ReadError("broken", request=request)
        return httpx.Response(200, content=str(request.url).encode())

    with httpx.Client(
        base_url=SETTINGS.upstream_url, transport=httpx.MockTransport(upstream)
    ) as client:
        transport = upstream_client.HttpxTransport(httpx, upstream_client.BlockingClient(client))
        reply = answered(transport, "/weather")
        assert reply == Reply(200, b"http://127.0.0.1:1/weather?city=Oslo")
        for path, status in (("/late", 504), ("/broken", 502)):
            with pytest.raises(problems.Problem) as problem:
                transport.get(path, {}).send(None)  # type: ignore[attr-defined]
            assert problem.value.status == status


def test_both_clients_of_httpx_are_opened_alike_but_for_their_kind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: dict[str, dict[str, Any]] = {}

    def opening(name: str, kind: type[Any]) -> Callable[..., Any]:
        def client(**options: Any) -> Any:
            opened[name] = options
            return kind(**options)

        return client

    async def enter(name: str) -> None:
        async with upstream_client.TRANSPORTS[name](SETTINGS):
            pass

    monkeypatch.setattr(httpx, "Client", opening("httpx-sync", httpx.Client))
    monkeypatch.setattr(httpx, "AsyncClient", opening("httpx", httpx.AsyncClient))
    for name in ("httpx-sync", "httpx"):
        asyncio.run(enter(name))
    assert opened["httpx-sync"] == opened["httpx"]


def test_def_handlers_over_an_asynchronous_client_are_refused() -> None:
    with pytest.raises(ValueError, match="TWIN_HTTP_CLIENT=requests"):
        fastapi_twin.create_app(dataclasses.replace(SYNCHRONOUS, http_client="httpx"))


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize(
    "setting",
    [
        *("http_client", "http_client_life", "database_driver", "validation", "handlers"),
        *("collector", "classifier_life"),
    ],
)
def test_a_twin_refuses_a_variant_that_it_does_not_have(twin: str, setting: str) -> None:
    settings = dataclasses.replace(SETTINGS, **{setting: "urllib"})
    with pytest.raises(ValueError, match=f"TWIN_{setting.upper()}='urllib': this twin has "):
        TWINS[twin](settings)


@pytest.mark.parametrize("twin", TWINS)
def test_every_stack_names_variants_that_its_twin_has(
    twin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gc, "freeze", lambda: None)  # this process has other things to collect
    for stack in load_stacks(STACKS_FILE).values():
        if stack.twin == twin:
            TWINS[twin](dataclasses.replace(SETTINGS, **stack.settings))


@pytest.fixture
def collector_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    monkeypatch.setattr(gc, "collect", lambda: calls.append("collect"))
    monkeypatch.setattr(gc, "freeze", lambda: calls.append("freeze"))
    return calls


FROZEN = dataclasses.replace(SETTINGS, collector="freeze")


def test_the_flask_twin_freezes_what_it_holds_once_it_is_built(collector_calls: list[str]) -> None:
    app = flask_twin.create_app(FROZEN)
    assert collector_calls == ["collect", "freeze"]
    assert app.test_client().get("/hello").status_code == 200
    assert collector_calls == ["collect", "freeze"]


def test_the_fastapi_twin_freezes_what_it_holds_once_its_lifespan_has_begun(
    collector_calls: list[str],
) -> None:
    app = fastapi_twin.create_app(FROZEN)
    assert collector_calls == []
    with TestClient(app) as client:
        assert collector_calls == ["collect", "freeze"]
        assert client.get("/hello").status_code == 200
    assert collector_calls == ["collect", "freeze"]


def test_unless_it_is_told_to_a_twin_leaves_the_collector_alone(collector_calls: list[str]) -> None:
    flask_twin.create_app(SETTINGS)
    with TestClient(fastapi_twin.create_app(SETTINGS)):
        pass
    assert collector_calls == []


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


class Counted:
    """A classifier that counts how often it was loaded, and always sees a 7."""

    loaded = 0

    def __setstate__(self, state: object) -> None:
        Counted.loaded += 1

    def __getstate__(self) -> str:
        return "saved"

    def digit(self, pixels: Sequence[int]) -> int:
        return 7


IMAGE = contract.predict(0)


@pytest.mark.parametrize(("life", "loads"), [("process", 0), ("request", 2)])
@pytest.mark.parametrize("twin", TWINS)
def test_the_model_for_each_request_is_loaded_for_each(
    monkeypatch: pytest.MonkeyPatch, twin: str, life: str, loads: int
) -> None:
    monkeypatch.setattr(Counted, "loaded", 0)
    monkeypatch.setattr(classifier, "trained", Counted)
    app = TWINS[twin](dataclasses.replace(SETTINGS, classifier=True, classifier_life=life))
    with in_process.client(app) as ask:
        assert [ask(IMAGE)[2] for _ in range(2)] == [b'{"digit":7}'] * 2
    assert Counted.loaded == loads


@pytest.mark.parametrize(
    ("twin", "settings", "absent"),
    [
        ("flask", {}, ["pydantic", "spectree", "fastapi", "httpx", "gevent", "sklearn", "joblib"]),
        ("flask", {"validation": "pydantic"}, ["fastapi", "httpx", "gevent"]),
        ("fastapi", {}, ["flask", "httpx", "httpx2", "aiohttp", "requests", "asyncpg", "sklearn"]),
    ],
)
def test_a_process_holds_only_what_it_uses(
    twin: str, settings: dict[str, str], absent: list[str]
) -> None:
    code = (
        f"import sys; from apps.settings import Settings; from apps.{twin}_twin import create_app; "
        f"app = create_app(Settings({SETTINGS.database_url!r}, {SETTINGS.upstream_url!r}, "
        f"classifier=False, **{settings})); {twin == 'flask'} and app.test_client().get('/hello');"
        f"print([name for name in {absent} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
