"""The weather service's client: one pool of connections for each process.

Which HTTP library is under it is a setting: `httpx`, `httpx2` (the same interface), `aiohttp`, or
one that is synchronous and keeps whoever awaits it waiting where it stands: `requests`, and
`httpx-sync`, which is httpx's other client. Each is imported when it is opened, so that a process
holds only the one that it uses. By another setting, each request opens the library's client for
itself.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Annotated, Any, NamedTuple, Protocol, TypeAlias

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from apps.problems import unknown_city, upstream_broken, upstream_late
from apps.settings import Settings

# requests never closes an idle connection, so neither do these (their defaults: 5 and 15 s).
_KEEPALIVE_S = 86_400


class Weather(BaseModel):
    """The weather in one city."""

    city: str
    temperature_c: float


class Reply(NamedTuple):
    """What came back."""

    status: int
    body: bytes


class Transport(Protocol):
    """An HTTP library, as far as the client needs one."""

    async def get(self, path: str, query: Mapping[str, str]) -> Reply:
        """Ask; raise the Problem of an upstream that is late or broken."""


class UpstreamClient:
    """Asks the weather service."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def weather(self, city: str) -> Weather:
        """The weather in `city`.

        Raises:
            Problem: 404 unknown city, 502 the service is broken, 504 it is late.
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


class ClientAtOnce:
    """httpx's synchronous client as its other one: what is awaited is done before it returns."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def get(self, *args: Any, **kwargs: Any) -> Any:
        """As httpx.AsyncClient."""
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
            yield cls(library, ClientAtOnce(client))

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
        """As Transport says."""
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
        """As Transport says."""
        try:
            async with self._session.get(path, params=query) as response:
                return Reply(response.status, await response.read())
        except TimeoutError as error:
            raise upstream_late() from error
        except self._library.ClientError as error:
            raise upstream_broken() from error


class RequestsTransport:
    """requests, which does what is awaited before it returns."""

    def __init__(self, library: Any, session: Any, settings: Settings) -> None:
        self._library = library
        self._session = session
        self._url = settings.upstream_url
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
        """As Transport says."""
        try:
            response = self._session.get(self._url + path, params=query, timeout=self._timeout_s)
        except self._library.Timeout as error:
            raise upstream_late() from error
        except self._library.RequestException as error:
            raise upstream_broken() from error
        return Reply(response.status_code, response.content)


Opener: TypeAlias = Callable[[], AbstractAsyncContextManager[Transport]]


class TransportPerRequest:
    """A client that is opened for each request, and closed after it."""

    def __init__(self, open_transport: Opener) -> None:
        self._open_transport = open_transport

    async def get(self, path: str, query: Mapping[str, str]) -> Reply:
        """As Transport says."""
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
    """How to open the client that the settings name; a wrong name fails here, before the start."""
    open_transport = partial(settings.variant("http_client", TRANSPORTS, "httpx"), settings)
    lives = settings.variant("http_client_life", LIVES, "process")

    @asynccontextmanager
    async def open_client() -> AsyncIterator[UpstreamClient]:
        async with lives(open_transport) as transport:
            yield UpstreamClient(transport)

    return open_client


async def _upstream(request: Request) -> UpstreamClient:
    client: UpstreamClient = request.state.upstream
    return client


Upstream = Annotated[UpstreamClient, Depends(_upstream)]
