"""What the reader may say of services of their own and of requests to them, together with a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import BadInput

if TYPE_CHECKING:
    from harness.models import OwnRequests, Stack


#: Stands in messages for the file that requests were written in.
IN_PYTHON = Path("requests")


@dataclass(frozen=True, slots=True)
class OwnOptions:
    """What was given on the command line, or in Python."""

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
    #: Services that Python gave as records, and requests as the tables of a file have them.
    own_stacks: tuple[Stack, ...] = ()
    own_tables: tuple[Mapping[str, Any], ...] = ()

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
    stacks = [_as_given(stack, given) for stack in (*read.stacks, *named, *given.own_stacks)]
    stacks = with_paths(stacks, given.maps)
    refuse_foreign_hosts(stacks, own_this_host=given.own_this_host)
    sources = replace(
        read.sources,
        paths=(*read.sources.paths, *given.get),
        tables=(*read.sources.tables, *given.own_tables),
        tables_file=read.sources.tables_file or IN_PYTHON,
        har=given.har or read.sources.har,
        access_log=given.access_log or read.sources.access_log,
        openapi=given.openapi or read.sources.openapi,
    )
    requests = sources.read(writes=given.allow_writes, seed=seed)
    requests = with_headers(requests, (*read.headers, *map(_header, given.headers)))
    requests = without_writes(requests, allowed=given.allow_writes)
    users = locustfile or read.locustfile
    mapped = any(stack.own is not None and stack.own.paths for stack in stacks)
    if users is not None and (read.headers or given.headers or mapped):
        raise BadInput(
            f"the users of {users} make their own requests: leave out headers and maps of paths"
        )
    return Compared(tuple(stacks), requests, users, (*read.ignore, *given.ignore))


def _as_given(stack: Stack, given: OwnOptions) -> Stack:
    """A service with what the command line says of all of them."""
    if stack.own is None:
        return stack
    from harness.planning.versus import checked_ready

    own = stack.own
    if given.ready is not None:
        own = replace(own, ready=checked_ready("--ready", given.ready))
    if given.insecure:
        own = replace(own, verify_tls=False)
    return replace(stack, own=own)


def _header(text: str) -> tuple[str, str]:
    """`name: value`, if its value is no credential that would get into results."""
    from harness.planning.requests.credentials import refuse_literal_credentials
    from harness.planning.requests.tables import problem_of_header

    name, colon, value = text.partition(":")
    if not colon or not name.strip() or any(c.isspace() for c in name.strip()):
        raise BadInput("--header: write it as 'name: value'", parameter="--header")
    pair = (name.strip().lower(), value.strip())
    if problem := problem_of_header(*pair):
        raise BadInput(f"--header '{pair[0]}': {problem}", parameter="--header")
    refuse_literal_credentials("--header", headers=(pair,))
    return pair
