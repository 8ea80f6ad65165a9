"""How the handlers are called, by setting: as they are written, all `def`, or all `async def`.

A handler is written once, as is usual: `async def` where it waits for something, `def` where it
computes. Over a driver and a client that do what is awaited at once (`psycopg-sync`; `requests` or
`httpx-sync`) an `async def` never gives up control, so that it can just as well be called as a plain function:
it is then what somebody who writes synchronous FastAPI would have written.

The dependencies that stand beside a handler, in the module of the feature, are a part of it and
called as it is. Those that all features share (session, client) have settings of their own.
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
            f"{handler.__qualname__} waits for something that only the event loop can bring, "
            "so that TWIN_HANDLERS=def can't call it"
        )

    return driven if inspect.iscoroutinefunction(handler) else plain


def _async_def(handler: Handler) -> Handler:
    """The handler as an `async def`, which FastAPI calls in the event loop, whatever it does."""

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


#: Drivers and clients that never wait for the event loop.
SYNCHRONOUS_DRIVERS = ("psycopg-sync",)
SYNCHRONOUS_CLIENTS = ("requests", "httpx-sync")


def run_in_threads(settings: Settings) -> bool:
    """Whether all handlers do, so that what they depend on should too.

    Raises:
        ValueError: They can't, since driver or client would wait for the event loop.
    """
    if settings.handlers != "def":
        return False
    if (
        settings.database_driver not in SYNCHRONOUS_DRIVERS
        or settings.http_client not in SYNCHRONOUS_CLIENTS
    ):
        raise ValueError(
            "TWIN_HANDLERS=def wants what is synchronous under it: "
            f"TWIN_DATABASE_DRIVER={' or '.join(SYNCHRONOUS_DRIVERS)} and "
            f"TWIN_HTTP_CLIENT={' or '.join(SYNCHRONOUS_CLIENTS)}"
        )
    return True


def adapted(router: APIRouter, settings: Settings) -> APIRouter:
    """The router with its handlers as the settings want them."""
    kind = settings.variant("handlers", KINDS, AS_WRITTEN)
    if kind is _as_written:
        return router
    result = copy.copy(router)
    result.routes = [copy.copy(route) for route in router.routes]
    for route in result.routes:
        if isinstance(route, APIRoute):
            route.endpoint = _of_kind(kind, route.endpoint)  # including a router builds on this
    return result


@functools.cache  # what two depend on stays one dependency, which FastAPI calls once for both
def _of_kind(kind: Kind, handler: Handler) -> Handler:
    """The handler, and the dependencies beside it, called in this way."""
    wrapper = kind(handler)
    functools.update_wrapper(wrapper, handler)
    # FastAPI would look through __wrapped__, and see what the handler was before.
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
    """The annotation of a parameter, with the dependencies beside the handler called in this way."""
    if get_origin(annotation) is not Annotated:
        return annotation
    plain, *metadata = get_args(annotation)
    adapted = [
        dataclasses.replace(one, dependency=_of_kind(kind, one.dependency))
        if isinstance(one, Depends) and _is_beside(one.dependency, handler)
        else one
        for one in metadata
    ]
    return Annotated[(plain, *adapted)]


def _is_beside(dependency: Handler | None, handler: Handler) -> bool:
    # What yields its value has a session or the like to close, and is nobody's handler.
    return (
        inspect.isfunction(dependency)
        and dependency.__module__ == handler.__module__
        and not inspect.isgeneratorfunction(dependency)
        and not inspect.isasyncgenfunction(dependency)
    )
