"""Services and requests as Python names them -> what plans are made of."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import BadInput

if TYPE_CHECKING:
    from harness.models import Stack

#: As on the command line and in files.
_PLACES = "abcdefgh"


@dataclass(frozen=True, slots=True)
class Service:
    """A service that takes part in a comparison: exactly one of `command`, `url` and `stack`.

    Texts may have `${NAME}`, which is put in when the service is started, and gets into no result.

    Attributes:
        command: Starts it on `{port}`: text, which is split as a shell would do it, or words.
        url: Where it runs already.
        stack: A stack of `twinbench list stacks`.
        name: What the report calls it; empty: a, b, c …, by its place.
        ready: Path that it answers once it is ready, with any status below 500.
        environment: Its variables. It gets PATH, HOME and PORT too, and nothing else of the caller's.
        folder: Working folder; None: that of the caller.
        python: Interpreter, whose folder comes first on PATH; None: the one that calls.
        paths: How paths of requests begin at this service: {"/api/v1/*": "/v1/*"}.
        verify_tls: Whether its certificate must be verified.
    """

    command: str | Sequence[str] = ()
    url: str = ""
    stack: str = ""
    name: str = ""
    ready: str = "/"
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str | Path | None = None
    python: str | Path | None = None
    paths: Mapping[str, str] = field(default_factory=dict)
    verify_tls: bool = True


@dataclass(frozen=True, slots=True)
class Request:
    """A request that is sent to every service.

    Attributes:
        path: Path with its query. It may have `${NAME}`, as may headers and body.
        method: One that changes something (POST, …) is sent only with `allow_writes=True`.
        headers: Name -> value. Credentials must come from the environment: "Bearer ${TOKEN}".
        json: A value that is sent as JSON; None: none.
        body: Text that is sent as it is, in UTF-8; None: none.
        status: Status that the reply must have; None: the one with which a service answers at first.
        weight: How often it is sent, beside the others.
        name: What the report calls it; empty: method and path.
    """

    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    body: str | None = None
    status: int | None = None
    weight: int = 1
    name: str = ""


def stacks_of(services: Sequence[Service | str], known: Mapping[str, Stack]) -> tuple[Stack, ...]:
    """The contenders, the first of which is the baseline.

    Args:
        services: Text is a stack, an address or a command with {port}, as on the command line.
        known: Stacks by name.

    Raises:
        BadInput: Something in a service makes no sense.
    """
    if not 2 <= len(services) <= len(_PLACES):
        raise BadInput(f"2 to {len(_PLACES)} services are compared, and these are {len(services)}")
    return tuple(
        _stack_of(place, service, known) for place, service in zip(_PLACES, services, strict=False)
    )


def _stack_of(place: str, service: Service | str, known: Mapping[str, Stack]) -> Stack:
    from harness.planning.versus import service_of
    from harness.planning.versus_file import service_of_table

    where = f"service {place}"
    match service:
        case str():
            return _with_python(service_of(place, service, known))
        case Service():
            made = service_of_table(where, Path.cwd(), place, _table(service), known)
            return _with_python(made)
    raise BadInput(f"{where} is a {type(service).__name__}: give text or a Service")


def _table(service: Service) -> dict[str, Any]:
    """The same as a table of a file of `twinbench versus`."""
    words = service.command
    fields = {
        "command": words if isinstance(words, str) else list(words),
        "url": service.url,
        "stack": service.stack,
        "name": service.name,
        "ready": "" if service.ready == "/" else service.ready,
        "environment": dict(service.environment),
        "folder": "" if service.folder is None else str(service.folder),
        "python": "" if service.python is None else str(service.python),
        "paths": dict(service.paths),
    }
    given = {name: value for name, value in fields.items() if value}
    return given if service.verify_tls else {**given, "verify-tls": False}


def _with_python(stack: Stack) -> Stack:
    """A service that finds the caller's own interpreter, and what is installed beside it."""
    if stack.own is None or stack.own.url or stack.own.python:
        return stack
    return replace(stack, own=replace(stack.own, python=sys.executable))


def tables_of(requests: Sequence[Request]) -> tuple[dict[str, Any], ...]:
    """The requests as the tables of a file.

    Raises:
        BadInput: One is no Request.
    """
    return tuple(map(_table_of, requests))


def _table_of(request: Request) -> dict[str, Any]:
    if not isinstance(request, Request):
        raise BadInput(f"a request is a {type(request).__name__}: give a Request, or get='/path'")
    fields = {
        "path": request.path,
        "method": request.method,
        "headers": dict(request.headers) or None,
        "json": request.json,
        "body": request.body,
        "status": request.status,
        "weight": request.weight,
        "name": request.name or None,
    }
    return {name: value for name, value in fields.items() if value is not None}
