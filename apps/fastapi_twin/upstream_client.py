"""The client of the weather service: one pool of connections for each process.

A setting chooses the HTTP library: `httpx`, `httpx2` (the same interface) or `aiohttp`; or one that
blocks the thread that awaits it: `requests`, or `httpx-sync`, which is httpx's synchronous client.
A library is imported when its client is opened, so a process holds only the library that it uses.
Another setting lets each request open a client of its own.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Annotated, Any, NamedTuple, NoReturn, Protocol, TypeAlias

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from apps.problems import no_upstream, unknown_city, upstream_broken, upstream_late
from apps.settings import Settings

# requests never closes an idle connection, so the others must not (their defaults: 5 and 15 s).
_KEEPALIVE_S = 86_400


class Weather(BaseModel):
    """The weather in one city."""

    city: str
    temperature_c: float


class Reply(NamedTuple):
    """An HTTP reply."""

    status: int
    body: bytes


class Transport(Protocol):
    """The part of an HTTP library that the client uses."""

    async def get(self, path: str, query: Mapping[str, str]) -> Reply:
        """Send a GET; raise a Problem if the upstream is late, broken or absent."""


class UpstreamClient:
    """Asks the weather service."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def weather(self, city: str) -> Weather:
        """The weather in `city`.

        Raises:
            Problem: The city is unknown (404), the service is broken (502) or late (504), or the
                twin was started without it (503).
        """
        reply = await self._transport.get("/weather", {"city": city})
        if reply.status == 404:
            raise unknown_city(city)
        if reply.status != 200:
            raise upstream_broken()
        try:
            return Weather.model_validate_json(reply.body)
        except ValidationError as error:
            raise upstream_broken() from error

    async def healthy(self) -> None:
        """Raise a Problem unless the service answers."""
        if (await self._transport.get("/healthz", {})).status != 200:
            raise upstream_broken()


class BlockingClient:
    """httpx's synchronous client with the interface of its asynchronous one; it blocks."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def get(self, *args: Any, **kwargs: Any) -> Any:
        """Like httpx.AsyncClient."""
        return self._client.get(*args, **kwargs)


class HttpxTransport:
    """httpx or httpx2."""

    def __init__(self, library: Any, client: Any) -> None:
        self._library = library
        self._client = client

    @classmethod
    @asynccontextmanager
    async def open(cls, name: str, settings: Settings) -> AsyncIterator[Transport]:
        """Open the pool of the library called `name`."""
        library = importlib.import_module(name)
        async with library.AsyncClient(**cls._options(library, settings)) as client:
            yield cls(library, client)

    @classmethod
    @asynccontextmanager
    async def open_sync(cls, name: str, settings: Settings) -> AsyncIterator[Transport]:
        """Open the pool of the library's synchronous client."""
        library = importlib.import_module(name)
        with library.Client(**cls._options(library, settings)) as client:
            yield cls(library, BlockingClient(client))

    @staticmethod
    def _options(library: Any, settings: Settings) -> Mapping[str, Any]:
        return {
            "base_url": settings.upstream_url,
            "limits": library.Limits(
                max_connections=settings.upstream_pool,
                max_keepalive_connections=settings.upstream_pool,
                keepalive_expiry=_KEEPALIVE_S,
            ),
            "timeout": settings.upstream_timeout_s,
            "trust_env": False,  # no proxy between the twin and the service
        }

    async def get(self, path: str, query: Mapping[str, str]) -> Reply:
        """Like Transport."""
        try:
            response = await self._client.get(path, params=query)
        except self._library.TimeoutException as error:
            raise upstream_late() from error
        except self._library.HTTPError as error:
            raise upstream_broken() from error
        return Reply(response.status_code, response.content)


class AiohttpTransport:
    """aiohttp."""

    def __init__(self, library: Any, session: Any) -> None:
        self._library = library
        self._session = session

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator[Transport]:
        """Open the pool."""
        library = importlib.import_module("aiohttp")
        connector = library.TCPConnector(
            limit=settings.upstream_pool, keepalive_timeout=_KEEPALIVE_S
        )
        timeout_s = settings.upstream_timeout_s
        async with library.ClientSession(
            settings.upstream_url,
            connector=connector,
            # `connect` counts waiting for a free connection too.
            timeout=library.ClientTimeout(total=None, connect=timeout_s, sock_read=timeout_s),
        ) as session:
            yield cls(library, session)

    async def get(self, path: str, query: Mapping[str, str]) -> Reply:
        """Like Transport."""
        try:
            async with self._session.get(path, params=query) as response:
                return Reply(response.status, await response.read())
        except TimeoutError as error:
            raise upstream_late() from error
        except self._library.ClientError as error:
            raise upstream_broken() from error


class RequestsTransport:
    """requests, which blocks until the reply is there."""

    def __init__(self, library: Any, session: Any, settings: Settings) -> None:
        self._library = library
        self._session = session
        self._url = settings.upstream_url or ""
        self._timeout_s = settings.upstream_timeout_s

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator[Transport]:
        """Open the pool, as the Flask twin does."""
        library = importlib.import_module("requests")
        with library.Session() as session:
            session.trust_env = False
            adapter = library.adapters.HTTPAdapter(
                pool_connections=1, pool_maxsize=settings.upstream_pool, pool_block=True
            )
            session.mount(settings.upstream_url, adapter)
            yield cls(library, session, settings)

    async def get(self, path: str, query: Mapping[str, str]) -> Reply:
        """Like Transport."""
        try:
            response = self._session.get(self._url + path, params=query, timeout=self._timeout_s)
        except self._library.Timeout as error:
            raise upstream_late() from error
        except self._library.RequestException as error:
            raise upstream_broken() from error
        return Reply(response.status_code, response.content)


class NoTransport:
    """For a twin that was started without a weather service."""

    async def get(self, path: str, query: Mapping[str, str]) -> NoReturn:
        """Raise the Problem."""
        raise no_upstream()


Opener: TypeAlias = Callable[[], AbstractAsyncContextManager[Transport]]


class TransportPerRequest:
    """Opens a client for each request and closes it afterwards."""

    def __init__(self, open_transport: Opener) -> None:
        self._open_transport = open_transport

    async def get(self, path: str, query: Mapping[str, str]) -> Reply:
        """Like Transport."""
        async with self._open_transport() as transport:
            return await transport.get(path, query)


@asynccontextmanager
async def _one_for_each_request(open_transport: Opener) -> AsyncIterator[Transport]:
    yield TransportPerRequest(open_transport)


def _one_for_the_process(open_transport: Opener) -> AbstractAsyncContextManager[Transport]:
    return open_transport()


LIVES: Mapping[str, Callable[[Opener], AbstractAsyncContextManager[Transport]]] = {
    "process": _one_for_the_process,
    "request": _one_for_each_request,
}
TRANSPORTS: Mapping[str, Callable[[Settings], AbstractAsyncContextManager[Transport]]] = {
    "httpx": partial(HttpxTransport.open, "httpx"),
    "httpx-sync": partial(HttpxTransport.open_sync, "httpx"),
    "httpx2": partial(HttpxTransport.open, "httpx2"),
    "aiohttp": AiohttpTransport.open,
    "requests": RequestsTransport.open,
}


def opener(settings: Settings) -> Callable[[], AbstractAsyncContextManager[UpstreamClient]]:
    """A function that opens the client that the settings name.

    Raises:
        ValueError: The twin has no such client; raised at once, before the server starts.
    """
    open_transport = partial(settings.variant("http_client", TRANSPORTS, "httpx"), settings)
    lives = settings.variant("http_client_life", LIVES, "process")

    @asynccontextmanager
    async def open_client() -> AsyncIterator[UpstreamClient]:
        if settings.upstream_url is None:
            yield UpstreamClient(NoTransport())
            return
        async with lives(open_transport) as transport:
            yield UpstreamClient(transport)

    return open_client


async def _upstream(request: Request) -> UpstreamClient:
    client: UpstreamClient = request.state.upstream
    return client


Upstream = Annotated[UpstreamClient, Depends(_upstream)]
