"""The weather service, which the stacks depend on. It is not measured.

    UPSTREAM_LATENCY=lognormal:50:0.5 UPSTREAM_SEED=1 uvicorn apps.upstream:app

It is a raw ASGI app that builds its replies at the start, so it is never the bottleneck. The
latency is `constant:MS` or `lognormal:MEDIAN_MS:SIGMA`. uvloop's timers count whole milliseconds.
`PUT /latency?constant:200` changes it while the service runs; replies that wait already keep theirs.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus

from apps.domain.cities import BROKEN_CITY, LATE_CITY, LATE_S, TEMPERATURES_C

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Reply = tuple[Message, Message]  # the two messages of an ASGI response


def latency(spec: str, seed: int) -> Callable[[], float]:
    """A function that draws the next latency in seconds; the same seed draws the same latencies.

    Raises:
        ValueError: The specification is malformed. The message names it and shows both forms.
    """
    problem = f"UPSTREAM_LATENCY={spec!r} is neither constant:MS nor lognormal:MEDIAN_MS:SIGMA"
    kind, *texts = spec.split(":")
    try:
        numbers = [float(text) for text in texts]
    except ValueError as error:
        raise ValueError(problem) from error
    if all(0 <= number < math.inf for number in numbers):
        match kind, numbers:
            case "constant", [latency_ms]:
                return lambda: latency_ms / 1000
            case "lognormal", [median_ms, sigma] if median_ms > 0:
                mu = math.log(median_ms / 1000)
                draw = random.Random(seed).lognormvariate
                return lambda: draw(mu, sigma)
    raise ValueError(problem)


def _spec(environ: Mapping[str, str]) -> str:
    return environ.get("UPSTREAM_LATENCY", "constant:50")


def latency_from(environ: Mapping[str, str]) -> Callable[[], float]:
    """Like `latency`, with UPSTREAM_LATENCY (default: constant:50) and UPSTREAM_SEED (default: 0)."""
    seed = environ.get("UPSTREAM_SEED", "0")
    if not (seed.isascii() and seed.isdecimal()):
        raise ValueError(f"UPSTREAM_SEED={seed!r} is not a whole number")
    return latency(_spec(environ), int(seed))


def _reply(status: int, value: object) -> Reply:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    return (
        {"type": "http.response.start", "status": status, "headers": headers},
        {"type": "http.response.body", "body": body},
    )


def _weather(city: str, temperature_c: float) -> Reply:
    return _reply(200, {"city": city, "temperature_c": temperature_c})


_NOT_FOUND = _reply(404, {"error": "not found"})
_BROKEN = _reply(500, {"error": "broken on purpose"})
_LATE = _weather(LATE_CITY, 15.0)
_BY_CITY = {city: _weather(city, degrees) for city, degrees in TEMPERATURES_C.items()} | {
    BROKEN_CITY: _BROKEN,
    LATE_CITY: _LATE,
}
# As the clients write it, so that the usual query needs no parsing.
_BY_QUERY = {
    b"city=" + encode(city).encode(): reply
    for city, reply in _BY_CITY.items()
    for encode in (quote, quote_plus)
}


def _look_up(query: bytes) -> Reply:
    reply = _BY_QUERY.get(query)
    if reply is None:
        fields = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
        reply = _BY_CITY.get(fields.get("city", ""), _NOT_FOUND)
    return reply


class WeatherService:
    """The ASGI app. It reads the latency at start-up, where a mistake shows as one line."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._draw_latency_s: Callable[[], float] | None = None
        self._say_latency(_spec(environ))

    def _say_latency(self, spec: str) -> None:
        """Have /healthz tell the latency: a harness that did not start the service checks it."""
        self._healthy = _reply(200, {"status": "ok", "latency": spec})

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or serve the lifespan."""
        if scope["type"] == "http":
            path = scope["path"]
            if path == "/weather":
                await self._answer_weather(scope["query_string"], receive, send)
            elif path == "/latency" and scope["method"] == "PUT":
                await self._change_latency(scope["query_string"].decode("latin-1"), send)
            else:
                await _send(self._healthy if path == "/healthz" else _NOT_FOUND, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            raise NotImplementedError(f"the weather service has no {scope['type']}")

    async def _answer_weather(self, query: bytes, receive: Receive, send: Send) -> None:
        if self._draw_latency_s is None:
            raise RuntimeError("the weather service was not started: run it with its lifespan on")
        reply = _look_up(query)
        if reply is _LATE:
            # No client waits that long, and a handler that slept on would delay the shutdown.
            if await _disconnected(receive, within_s=LATE_S):
                return
        elif reply is not _BROKEN:
            delay_s = self._draw_latency_s()
            if delay_s > 0:
                await asyncio.sleep(delay_s)
        await _send(reply, send)

    async def _change_latency(self, spec: str, send: Send) -> None:
        try:
            self._draw_latency_s = latency_from({**self._environ, "UPSTREAM_LATENCY": spec})
        except ValueError as error:
            await _send(_reply(400, {"error": str(error)}), send)
            return
        self._say_latency(spec)
        await _send(self._healthy, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            self._draw_latency_s = latency_from(self._environ)
        except ValueError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})


async def _send(reply: Reply, send: Send) -> None:
    start, body = reply
    await send(start)
    await send(body)


async def _disconnected(receive: Receive, *, within_s: float) -> bool:
    try:
        async with asyncio.timeout(within_s):
            while (await receive())["type"] != "http.disconnect":
                continue
    except TimeoutError:
        return False
    return True


app = WeatherService(os.environ)
