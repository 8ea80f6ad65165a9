"""The weather service's client: one pooled session for each process, shared by its threads."""

from __future__ import annotations

import atexit
from typing import TypedDict, cast

import requests
from flask import Flask, current_app
from requests.adapters import HTTPAdapter

from apps.problems import unknown_city, upstream_broken, upstream_late
from apps.settings import Settings


class Weather(TypedDict):
    """The weather in one city."""

    city: str
    temperature_c: float


class UpstreamClient:
    """Asks the weather service by way of requests."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.upstream_url
        self._timeout_s = settings.upstream_timeout_s
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy between the twin and the service
        # One host; and blocking, so that the size is a limit as it is in the other twin.
        adapter = HTTPAdapter(
            pool_connections=1, pool_maxsize=settings.upstream_pool, pool_block=True
        )
        self._session.mount(self._url, adapter)
        atexit.register(self._session.close)  # Flask knows no shutdown but the process's own

    def weather(self, city: str) -> Weather:
        """The weather in `city`.

        Raises:
            Problem: 404 unknown city, 502 the service is broken, 504 it is late.
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
            return self._session.get(self._url + path, params=query, timeout=self._timeout_s)
        except requests.Timeout as error:
            raise upstream_late() from error
        except requests.RequestException as error:
            raise upstream_broken() from error


CLIENTS = {"requests": UpstreamClient}


def init_app(app: Flask, settings: Settings) -> None:
    """Open the client that the settings name."""
    name = settings.http_client or "requests"
    if name not in CLIENTS:
        raise ValueError(f"TWIN_HTTP_CLIENT={name!r}: the Flask twin has {', '.join(CLIENTS)}")
    app.extensions["upstream"] = CLIENTS[name](settings)


def upstream() -> UpstreamClient:
    """The current application's client."""
    return cast(UpstreamClient, current_app.extensions["upstream"])
