"""The client of the weather service: one pool of connections, which all threads share.

A setting gives each request a session of its own instead, as `requests.get` does.
"""

from __future__ import annotations

import atexit
import contextlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import NoReturn, TypeAlias, TypedDict, cast

import requests
from flask import Flask, current_app
from requests.adapters import HTTPAdapter

from apps.problems import no_upstream, unknown_city, upstream_broken, upstream_late
from apps.settings import Settings


class Weather(TypedDict):
    """The weather in one city."""

    city: str
    temperature_c: float


Sessions: TypeAlias = Callable[[], AbstractContextManager[requests.Session]]


class UpstreamClient:
    """Asks the weather service with requests."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.upstream_url or ""
        self._timeout_s = settings.upstream_timeout_s
        lives = settings.variant("http_client_life", LIVES, "process")
        self._session = lives(self._url, settings) if self._url else _refuse

    def weather(self, city: str) -> Weather:
        """The weather in `city`.

        Raises:
            Problem: The city is unknown (404), the service is broken (502) or late (504), or the
                twin was started without it (503).
        """
        response = self._get("/weather", {"city": city})
        if response.status_code == 404:
            raise unknown_city(city)
        if response.status_code != 200:
            raise upstream_broken()
        try:
            reply = response.json()
            return {"city": str(reply["city"]), "temperature_c": float(reply["temperature_c"])}
        except (ValueError, KeyError, TypeError) as error:
            raise upstream_broken() from error

    def healthy(self) -> None:
        """Raise a Problem unless the service answers."""
        if self._get("/healthz", {}).status_code != 200:
            raise upstream_broken()

    def _get(self, path: str, query: dict[str, str]) -> requests.Response:
        try:
            with self._session() as session:
                return session.get(self._url + path, params=query, timeout=self._timeout_s)
        except requests.Timeout as error:
            raise upstream_late() from error
        except requests.RequestException as error:
            raise upstream_broken() from error


def _refuse() -> NoReturn:
    raise no_upstream()


def _one_for_the_process(url: str, settings: Settings) -> Sessions:
    session = requests.Session()
    session.trust_env = False  # no proxy between the twin and the service
    # There is one host. Blocking makes the size a limit, as it is in the other twin.
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=settings.upstream_pool, pool_block=True)
    session.mount(url, adapter)
    atexit.register(session.close)  # Flask has no hook for a shutdown of its own
    return lambda: contextlib.nullcontext(session)


def _one_for_each_request(url: str, settings: Settings) -> Sessions:
    def session() -> requests.Session:
        opened = requests.Session()
        opened.trust_env = False
        return opened

    return session


LIVES: Mapping[str, Callable[[str, Settings], Sessions]] = {
    "process": _one_for_the_process,
    "request": _one_for_each_request,
}
CLIENTS = {"requests": UpstreamClient}


def init_app(app: Flask, settings: Settings) -> None:
    """Open the client that the settings name."""
    app.extensions["upstream"] = settings.variant("http_client", CLIENTS, "requests")(settings)


def upstream() -> UpstreamClient:
    """The client of the current application."""
    return cast(UpstreamClient, current_app.extensions["upstream"])
