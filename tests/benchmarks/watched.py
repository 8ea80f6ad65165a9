"""Both twins with a watch on the garbage collector, which answers GET /passes and GET /objects.

The measured server imports it, so it imports neither the harness nor the other twin.
"""

from __future__ import annotations

import gc
import json
import time
from typing import Any

PASSES = "/passes"
OBJECTS = "/objects"


class Watch:
    """What the collector did since somebody last asked, and how requests followed one another."""

    def __init__(self) -> None:
        self._forget()
        gc.callbacks.append(self._note)

    def _forget(self) -> None:
        self._passes = [0, 0, 0]
        self._ns = [0, 0, 0]
        self._freed = 0
        self._walked = 0
        self._starts = 0
        self._runs = 0  # of starts, with no end among them
        self._last_was_start = False

    def _note(self, phase: str, info: dict[str, int]) -> None:
        generation = info["generation"]
        if phase == "start":
            if generation == 2:
                self._walked += len(gc.get_objects())
            self._begun_ns = time.perf_counter_ns()
        else:
            self._ns[generation] += time.perf_counter_ns() - self._begun_ns
            self._passes[generation] += 1
            self._freed += info["collected"]

    def begins(self) -> None:
        """A request begins."""
        self._starts += 1
        self._runs += not self._last_was_start
        self._last_was_start = True

    def ends(self) -> None:
        """A request ends."""
        self._last_was_start = False

    def passes(self) -> dict[str, Any]:
        """What was seen, which is then forgotten."""
        seen = {
            "passes": self._passes,
            "ms": [ns / 1e6 for ns in self._ns],
            "freed": self._freed,
            "walked": self._walked,
            "starts": self._starts,
            "runs": self._runs,
        }
        self._forget()
        return seen

    def answer(self, path: str) -> bytes | None:
        """The answer to a request to the watch, as JSON; None if it is the twin's."""
        if path == PASSES:
            return json.dumps(self.passes()).encode()
        if path == OBJECTS:
            gc.collect()
            return json.dumps(len(gc.get_objects())).encode()
        return None


def flask() -> Any:
    """The Flask twin as a WSGI application."""
    from apps import flask_twin

    app, watch = flask_twin.create_app(), Watch()

    def watched(environ: Any, start_response: Any) -> Any:
        if answer := watch.answer(environ["PATH_INFO"]):
            start_response("200 OK", [("content-length", str(len(answer)))])
            return [answer]
        watch.begins()
        try:
            return app(environ, start_response)
        finally:
            watch.ends()

    return watched


def fastapi() -> Any:
    """The FastAPI twin as an ASGI application."""
    from apps import fastapi_twin

    app, watch = fastapi_twin.create_app(), Watch()

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
        elif answer := watch.answer(scope["path"]):
            headers = [(b"content-length", str(len(answer)).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": answer})
        else:
            watch.begins()
            try:
                await app(scope, receive, send)
            finally:
                watch.ends()

    return watched
