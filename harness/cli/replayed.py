"""`twinbench check` of services of the reader's own: the same requests to each, and what differs."""

from __future__ import annotations

import json
import string
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import click

from harness.cli.output import print_json, print_tables, progress_console
from harness.errors import EXIT_INVALID, BadInput, BadOption
from harness.models import OwnRequest, OwnRequests


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What the reader may decide of a check of own services."""

    a: str | None
    b: str | None
    more: tuple[str, ...]
    get: tuple[str, ...]
    ignore: tuple[str, ...]
    ignore_headers: tuple[str, ...]
    allow_writes: bool
    once: bool
    openapi_a: Path | None
    openapi_b: Path | None
    html: Path | None
    verify_tls: bool

    @property
    def are_given(self) -> bool:
        """Whether any of them is."""
        others = (self.get, self.ignore, self.ignore_headers, self.allow_writes, self.once)
        files = (self.openapi_a, self.openapi_b, self.html)
        named = (self.a, self.b, *self.more)
        return any(others) or any(each is not None for each in (*files, *named)) or not (
            self.verify_tls
        )


def check_services(options: ReplayOptions, *, as_json: bool) -> None:
    """Send the requests to each service, show what differs, and end with the exit code of it."""
    from harness import report, store
    from harness.checking.operations import lacking_operations
    from harness.checking.replay import replay

    urls = _services(options)
    requests = _requests(options)
    documents = _documents(options)
    if options.html is not None and not options.html.absolute().parent.is_dir():
        raise BadOption("--html", options.html, "its folder is not there; make it first")
    unverified = () if options.verify_tls else tuple(urls)
    sendable = [each for each in requests.requests if options.allow_writes or not each.changes_state]
    with _counting(len(sendable)) as request_done:
        found = replay(
            urls,
            requests.requests,
            twice=not options.once,
            allow_writes=options.allow_writes,
            ignore=options.ignore,
            ignore_headers=options.ignore_headers,
            unverified=unverified,
            request_done=request_done,
        )
    lacking, notes = lacking_operations(
        urls, documents, requests.requests, unverified=unverified
    )
    found = replace(found, lacking=lacking, notes=(*requests.notes, *found.notes, *notes))
    if options.html is not None:
        with store.replacing(options.html) as file:
            file.write(report.parity_page(found))
    if as_json:
        page = None if options.html is None else str(options.html)
        print_json({"html": page, **store.parity_as_json(found)})
    else:
        print_tables(report.parity_terminal(found), crop=False)
        if options.html is not None:
            click.echo(f"\nReport: {options.html}")
    if not found.agree:
        sys.exit(EXIT_INVALID)


def resolve_service(text: str, option: str) -> str:
    """The URL of a service that was named. Commands and stacks will be resolved here, too.

    Raises:
        BadInput: It is no URL of HTTP.
    """
    try:
        address = urlsplit(text)
        is_url = address.scheme in ("http", "https") and bool(address.hostname)
        address.port  # noqa: B018 - raises if it is no number
    except ValueError:
        is_url = False
    if not is_url:
        raise BadOption(option, text, "name a service that runs, as in http://127.0.0.1:8000")
    if address.username is not None or address.password is not None:
        raise BadInput(
            f"{option}: an address can't hold a user or password; send a header that has ${{NAME}}",
            parameter=option,
        )
    if address.query or address.fragment:
        raise BadOption(option, text, "name the service without ? and #; --get names a path")
    return text.rstrip("/")


def _services(options: ReplayOptions) -> dict[str, str]:
    """Label -> URL."""
    if options.a is None or options.b is None:
        missing = "--a" if options.a is None else "--b"
        raise BadInput(f"a check of own services compares two: name the other with {missing} URL")
    named = [("--a", options.a), ("--b", options.b), *(("--c", each) for each in options.more)]
    if len(named) > len(string.ascii_lowercase):
        raise BadInput(f"--c: at most {len(string.ascii_lowercase)} services can be compared")
    return {
        label: resolve_service(text, option)
        for label, (option, text) in zip(string.ascii_lowercase, named, strict=False)
    }


def _requests(options: ReplayOptions) -> OwnRequests:
    """What is requested. Other sources than --get will be read here, too."""
    if not options.get:
        raise BadInput("nothing to request: give a path with --get, as in --get /orders/7")
    return OwnRequests(tuple(_get(path) for path in dict.fromkeys(options.get)))


def _get(path: str) -> OwnRequest:
    if not path.startswith("/"):
        raise BadOption("--get", path, "a path begins with /, as in --get /orders/7")
    encoded = quote(path, safe="".join(map(chr, range(0x21, 0x7F))))
    if encoded != path:
        raise BadOption("--get", path, f"write it percent-encoded: {encoded}")
    return OwnRequest(f"GET {path}", "GET", path)


def _documents(options: ReplayOptions) -> dict[str, Mapping[str, Any]]:
    """Label -> the OpenAPI document that was given for it."""
    from harness.checking.operations import is_document

    found = {}
    for label, path in (("a", options.openapi_a), ("b", options.openapi_b)):
        if path is None:
            continue
        option = f"--openapi-{label}"
        try:
            document = json.loads(path.read_bytes())
        except OSError as error:
            raise BadOption(option, path, f"can't be read: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            where = f"line {error.lineno}, " if isinstance(error, json.JSONDecodeError) else ""
            what = error.msg if isinstance(error, json.JSONDecodeError) else "no text"
            raise BadOption(
                option, path, f"{where}{what}: give the OpenAPI document as JSON"
            ) from error
        if not is_document(document):
            raise BadOption(option, path, "it is no OpenAPI document: 'openapi' or 'paths' is missing")
        found[label] = document
    return found


@contextmanager
def _counting(total: int) -> Iterator[Callable[[], None]]:
    """Show a bar with the time left; call what is yielded after each request."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=progress_console(), transient=True) as progress:
        task = progress.add_task("requests", total=total)
        yield lambda: progress.advance(task)


def refuse_mixing(context: click.Context, names: Sequence[str]) -> None:
    """Raise BadInput if an option of the other kind of check was given with one of this kind."""
    for name in names:
        source = context.get_parameter_source(name)
        if source is click.core.ParameterSource.COMMANDLINE:
            option = {"stacks": "--stack", "stacks_file": "--stacks-file"}.get(name, f"--{name}")
            raise BadInput(
                f"{option} belongs to a check of the project's stacks: leave it out, or leave out "
                "--a, --b and what belongs to them"
            )
