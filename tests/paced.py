"""The FastAPI twin at a known pace: it answers GET /hello once per interval.

The throughput is 1 ÷ interval, no matter how many users wait or what a request costs. So the ratio
of the throughputs of two such twins is known in advance.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from apps.fastapi_twin import create_app

PACE_S = 0.002
SLOWED = 1.1  # the slowed twin's interval is longer by this factor

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]


class Paced:
    """Wraps an application and delays its answers to GET /hello."""

    def __init__(self, app: App, pace_s: float) -> None:
        self._app = app
        self._pace_s = pace_s
        self._next = 0.0

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == "/hello":
            now = asyncio.get_running_loop().time()
            self._next = max(now, self._next) + self._pace_s
            await asyncio.sleep(self._next - now)
        await self._app(scope, receive, send)


def usual() -> App:
    return Paced(create_app(), PACE_S)


def slowed() -> App:
    return Paced(create_app(), PACE_S * SLOWED)
