"""How the handlers are called, by setting: as they are written, all `def`, or all `async def`.

A handler is written once, as is usual: `async def` where it waits for something, `def` where it
computes. Over a driver and a client that do what is awaited at once (`psycopg-sync`, `requests`)
an `async def` never gives up control, so that it can just as well be called as a plain function:
it is then what somebody who writes synchronous FastAPI would have written.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from fastapi import APIRouter
from fastapi.routing import APIRoute

from apps.settings import Settings

Handler: TypeAlias = Callable[..., Any]


def _as_written(handler: Handler) -> Handler:
    return handler


def _def(handler: Handler) -> Handler:
    """The handler as a `def`, which FastAPI calls in a thread."""
    if not inspect.iscoroutinefunction(handler):
        return handler

    def plain(**arguments: Any) -> Any:
        coroutine = handler(**arguments)
        try:
            coroutine.send(None)
        except StopIteration as end:
            return end.value
        coroutine.close()
        raise RuntimeError(
            f"{handler.__qualname__} waits for something that only the event loop can bring, "
            "so that TWIN_HANDLERS=def can't call it"
        )

    return _with_signature_of(handler, plain)


def _async_def(handler: Handler) -> Handler:
    """The handler as an `async def`, which FastAPI calls in the event loop, whatever it does."""
    if inspect.iscoroutinefunction(handler):
        return handler

    async def in_the_loop(**arguments: Any) -> Any:
        return handler(**arguments)

    return _with_signature_of(handler, in_the_loop)


def _with_signature_of(handler: Handler, wrapper: Handler) -> Handler:
    functools.update_wrapper(wrapper, handler)
    # FastAPI would look through __wrapped__, and see what the handler was before.
    del wrapper.__wrapped__  # type: ignore[attr-defined]
    wrapper.__signature__ = inspect.signature(handler, eval_str=True)  # type: ignore[attr-defined]
    return wrapper


AS_WRITTEN = "as written"
KINDS: Mapping[str, Callable[[Handler], Handler]] = {
    AS_WRITTEN: _as_written,
    "def": _def,
    "async def": _async_def,
}


def run_in_threads(settings: Settings) -> bool:
    """Whether all handlers do, so that what they depend on should too.

    Raises:
        ValueError: They can't, since driver or client would wait for the event loop.
    """
    if settings.handlers != "def":
        return False
    if (settings.database_driver, settings.http_client) != ("psycopg-sync", "requests"):
        raise ValueError(
            "TWIN_HANDLERS=def wants what is synchronous under it: "
            "TWIN_DATABASE_DRIVER=psycopg-sync and TWIN_HTTP_CLIENT=requests"
        )
    return True


def adapted(router: APIRouter, settings: Settings) -> APIRouter:
    """The router with its handlers as the settings want them."""
    adapt = settings.variant("handlers", KINDS, AS_WRITTEN)
    if adapt is _as_written:
        return router
    result = copy.copy(router)
    result.routes = [copy.copy(route) for route in router.routes]
    for route in result.routes:
        if isinstance(route, APIRoute):
            route.endpoint = adapt(route.endpoint)  # including a router builds on this
    return result
