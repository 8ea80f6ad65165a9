"""Options that name services of the reader's own and what to request of them: versus, check."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from harness.errors import BadInput, BadOption

if TYPE_CHECKING:
    from harness.models import OwnRequests, Stack

F = TypeVar("F", bound=Callable[..., Any])

_EXISTING = click.Path(path_type=Path, dir_okay=False)


@dataclass(frozen=True, slots=True)
class OwnOptions:
    """What was given on the command line."""

    a: str | None = None
    b: str | None = None
    c: str | None = None
    d: str | None = None
    e: str | None = None
    f: str | None = None
    g: str | None = None
    h: str | None = None
    ready: str | None = None
    maps: tuple[str, ...] = ()
    own_this_host: bool = False
    insecure: bool = False
    get: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    har: Path | None = None
    access_log: Path | None = None
    openapi: Path | None = None
    allow_writes: bool = False
    ignore: tuple[str, ...] = ()

    @property
    def services(self) -> Mapping[str, str]:
        """Place -> what was named there."""
        given = {place: getattr(self, place) for place in "abcdefgh"}
        return {place: text for place, text in given.items() if text is not None}


@dataclass(frozen=True, slots=True)
class Compared:
    """What is compared and what is requested, from the command line and a file together."""

    stacks: tuple[Stack, ...]  # the first is the baseline
    requests: OwnRequests
    locustfile: Path | None
    ignore: tuple[str, ...]


def own_options(function: F) -> F:
    """All of them; the command gets one `OwnOptions`, by the name `own`."""
    options = (
        *(
            click.option(
                f"--{place}",
                place,
                metavar="SERVICE",
                hidden=place > "c",
                help=text,
            )
            for place, text in zip(
                "abcdefgh",
                (
                    "Baseline: a stack, the address of a service that runs already, or a command that "
                    "starts one on {port}.",
                    "What is compared with it, in the same form.",
                    "Another one; there may be more, up to --h.",
                    *("Another one.",) * 5,
                ),
                strict=True,
            )
        ),
        click.option(
            "--ready",
            metavar="PATH",
            help="Path that a service answers once it is ready, with a status below 500 (default: /).",
        ),
        click.option(
            "--map",
            "maps",
            multiple=True,
            metavar="MAP",
            help="How paths begin at a service, as in 'b:/api/v1/*=/v1/*'; may be repeated.",
        ),
        click.option(
            "--i-own-this-host",
            "own_this_host",
            is_flag=True,
            help="Allow load on services that are not on this machine.",
        ),
        click.option(
            "--insecure", is_flag=True, help="Accept certificates that can't be verified."
        ),
        click.option(
            "--get", multiple=True, metavar="PATH", help="Request GET PATH; may be repeated."
        ),
        click.option(
            "--header",
            "headers",
            multiple=True,
            metavar="HEADER",
            help="Header of every request, such as 'authorization: Bearer ${TOKEN}'; ${NAME} is taken "
            "from the environment and gets into no result.",
        ),
        click.option("--har", type=_EXISTING, metavar="FILE", help="Requests from a HAR file."),
        click.option(
            "--access-log",
            type=_EXISTING,
            metavar="FILE",
            help="Requests from an access log (common or combined form, also gzip).",
        ),
        click.option(
            "--openapi",
            type=_EXISTING,
            metavar="FILE",
            help="Valid requests, generated from an OpenAPI document.",
        ),
        click.option(
            "--allow-writes", is_flag=True, help="Also send requests that may change state."
        ),
    )
    names = {field.name for field in fields(OwnOptions)}

    @functools.wraps(function)
    def command(**given: Any) -> Any:
        own = {name: given.pop(name) for name in names & given.keys()}
        return function(own=OwnOptions(**own), **given)

    decorated = cast("F", command)
    return functools.reduce(lambda inner, option: option(inner), reversed(options), decorated)


def compared(
    given: OwnOptions,
    file: Path | None,
    stacks_file: Path,
    *,
    seed: int,
    locustfile: Path | None = None,
) -> Compared:
    """Read everything that was named, and refuse what makes no sense.

    Raises:
        BadInput: Something is missing, malformed, or must not be loaded.
    """
    from harness.planning.requests.sources import Sources
    from harness.planning.stacks import load_stacks
    from harness.planning.versus import (
        refuse_foreign_hosts,
        service_of,
        with_headers,
        with_paths,
        without_writes,
    )
    from harness.planning.versus_file import VersusFile, read_versus_file

    known = load_stacks(stacks_file)
    read = VersusFile((), Sources()) if file is None else read_versus_file(file, known)
    named = tuple(service_of(place, text, known) for place, text in given.services.items())
    stacks = [_as_given(stack, given) for stack in (*read.stacks, *named)]
    stacks = with_paths(stacks, given.maps)
    refuse_foreign_hosts(stacks, own_this_host=given.own_this_host)
    sources = replace(
        read.sources,
        paths=(*read.sources.paths, *given.get),
        har=given.har or read.sources.har,
        access_log=given.access_log or read.sources.access_log,
        openapi=given.openapi or read.sources.openapi,
    )
    requests = sources.read(writes=given.allow_writes, seed=seed)
    requests = with_headers(requests, (*read.headers, *map(_header, given.headers)))
    requests = without_writes(requests, allowed=given.allow_writes)
    return Compared(
        tuple(stacks), requests, locustfile or read.locustfile, (*read.ignore, *given.ignore)
    )


def _as_given(stack: Stack, given: OwnOptions) -> Stack:
    """A service with what the command line says of all of them."""
    if stack.own is None:
        return stack
    own = stack.own
    if given.ready is not None:
        if not given.ready.startswith("/"):
            raise BadOption("--ready", given.ready, "give a path that begins with '/'")
        own = replace(own, ready=given.ready)
    if given.insecure:
        own = replace(own, verify_tls=False)
    return replace(stack, own=own)


def _header(text: str) -> tuple[str, str]:
    """`name: value`, if its value is no credential that would get into results."""
    from harness.planning.requests.credentials import refuse_literal_credentials

    name, colon, value = text.partition(":")
    if not colon or not name.strip() or any(c.isspace() for c in name.strip()):
        raise BadInput("--header: write it as 'name: value'", parameter="--header")
    pair = (name.strip().lower(), value.strip())
    refuse_literal_credentials("--header", headers=(pair,))
    return pair
