"""How the handlers are called: as they are written, all as `def`, or all as `async def`.

A setting decides. Each handler is written once, in the usual way: `async def` if it waits for
something, `def` if it computes. With a driver and a client that block (`psycopg-sync`; `requests` or
`httpx-sync`), an `async def` never gives up control. So it can be called like a plain function, and
is then the same as a handler of somebody who writes synchronous FastAPI.

The dependencies in the module of a handler are part of the handler and are called in the same way.
The dependencies that all features share (session, client) have settings of their own.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeAlias, get_args, get_origin

from fastapi import APIRouter
from fastapi.params import Depends
from fastapi.routing import APIRoute

from apps.settings import Settings

Handler: TypeAlias = Callable[..., Any]
Kind: TypeAlias = Callable[[Handler], Handler]


def _as_written(handler: Handler) -> Handler:
    return handler


def _def(handler: Handler) -> Handler:
    """The handler as a `def`, which FastAPI calls in a thread."""

    def plain(**arguments: Any) -> Any:
        return handler(**arguments)

    def driven(**arguments: Any) -> Any:
        coroutine = handler(**arguments)
        try:
            coroutine.send(None)
        except StopIteration as end:
            return end.value
        coroutine.close()
        raise RuntimeError(
            f"{handler.__qualname__} waits for something that only the event loop can provide, "
            "so TWIN_HANDLERS=def can't call it"
        )

    return driven if inspect.iscoroutinefunction(handler) else plain


def _async_def(handler: Handler) -> Handler:
    """The handler as an `async def`, which FastAPI calls in the event loop even if it blocks."""

    async def in_the_loop(**arguments: Any) -> Any:
        return handler(**arguments)

    async def awaited(**arguments: Any) -> Any:
        return await handler(**arguments)

    return awaited if inspect.iscoroutinefunction(handler) else in_the_loop


AS_WRITTEN = "as written"
KINDS: Mapping[str, Kind] = {
    AS_WRITTEN: _as_written,
    "def": _def,
    "async def": _async_def,
}


#: Drivers and clients that block instead of waiting for the event loop.
SYNCHRONOUS_DRIVERS = ("psycopg-sync",)
SYNCHRONOUS_CLIENTS = ("requests", "httpx-sync")


def run_in_threads(settings: Settings) -> bool:
    """Whether all handlers run in threads; what they depend on should run there too.

    Raises:
        ValueError: They can't, because the driver or the client waits for the event loop.
    """
    if settings.handlers != "def":
        return False
    if (
        settings.database_driver not in SYNCHRONOUS_DRIVERS
        or settings.http_client not in SYNCHRONOUS_CLIENTS
    ):
        raise ValueError(
            "TWIN_HANDLERS=def needs a driver and a client that are synchronous: "
            f"TWIN_DATABASE_DRIVER={' or '.join(SYNCHRONOUS_DRIVERS)} and "
            f"TWIN_HTTP_CLIENT={' or '.join(SYNCHRONOUS_CLIENTS)}"
        )
    return True


def adapted(router: APIRouter, settings: Settings) -> APIRouter:
    """The router, with its handlers called in the way that the settings name."""
    kind = settings.variant("handlers", KINDS, AS_WRITTEN)
    if kind is _as_written:
        return router
    result = copy.copy(router)
    result.routes = [copy.copy(route) for route in router.routes]
    for route in result.routes:
        if isinstance(route, APIRoute):
            route.endpoint = _of_kind(kind, route.endpoint)  # including the router reads it
    return result


# Cached, so that a dependency of two handlers stays one object, which FastAPI calls once for both.
@functools.cache
def _of_kind(kind: Kind, handler: Handler) -> Handler:
    """The handler and the dependencies in its module, called in the way of `kind`."""
    wrapper = kind(handler)
    functools.update_wrapper(wrapper, handler)
    # FastAPI follows __wrapped__ and would find the unwrapped handler.
    del wrapper.__wrapped__  # type: ignore[attr-defined]
    signature = inspect.signature(handler, eval_str=True)
    wrapper.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[
            parameter.replace(annotation=_over_kind(kind, handler, parameter.annotation))
            for parameter in signature.parameters.values()
        ]
    )
    return wrapper


def _over_kind(kind: Kind, handler: Handler, annotation: Any) -> Any:
    """The annotation of a parameter, with dependencies in the handler's module called likewise."""
    if get_origin(annotation) is not Annotated:
        return annotation
    plain, *metadata = get_args(annotation)
    adapted = [
        dataclasses.replace(item, dependency=_of_kind(kind, item.dependency))
        if isinstance(item, Depends) and _is_beside(item.dependency, handler)
        else item
        for item in metadata
    ]
    return Annotated[(plain, *adapted)]


def _is_beside(dependency: Handler | None, handler: Handler) -> bool:
    # A generator closes a session or the like afterwards; it is no part of a handler.
    return (
        inspect.isfunction(dependency)
        and dependency.__module__ == handler.__module__
        and not inspect.isgeneratorfunction(dependency)
        and not inspect.isasyncgenfunction(dependency)
    )
