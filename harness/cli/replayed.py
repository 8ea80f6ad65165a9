"""`twinbench check` of services of the reader's own: the same requests to each, and what differs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.output import print_json, print_tables, progress_console
from harness.errors import EXIT_INVALID, BadInput, BadOption

if TYPE_CHECKING:
    from harness.models import ParityFound, Stack
    from harness.planning.own_options import Compared


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What the reader may decide of a check of own services, beside what they are."""

    ignore_headers: tuple[str, ...] = ()
    once: bool = False
    openapi_a: Path | None = None
    openapi_b: Path | None = None
    html: Path | None = None


def check_services(given: Compared, options: ReplayOptions, *, as_json: bool) -> None:
    """Send the requests to each service, show what differs, and end with the exit code of it.

    Raises:
        BadInput: Something is missing or makes no sense.
        EnvironmentFailed: A service does not start, or can't be reached.
    """
    from harness import report, store

    _refuse(given, options)
    documents = _documents(given.stacks, options)
    found = _found(given, options, documents)
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


def _refuse(given: Compared, options: ReplayOptions) -> None:
    from harness.checking.json_paths import json_path

    if len(given.stacks) < 2:
        raise BadInput("a check of own services compares two: name both, with --a and --b")
    labels = [stack.label for stack in given.stacks]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise BadInput(f"two services are called '{twice}': give each a name of its own")
    if given.locustfile is not None and not given.requests.requests:
        raise BadInput("a check sends requests, and a locustfile has none: give --get PATH instead")
    if not given.requests.requests:
        notes = f" ({'; '.join(given.requests.notes)})" if given.requests.notes else ""
        raise BadInput(f"nothing to request{notes}: give a path with --get, as in --get /orders/7")
    for text in given.ignore:  # before anything is started
        json_path(text)
    if options.html is not None and not options.html.absolute().parent.is_dir():
        raise BadOption("--html", options.html, "its folder is not there; make it first")


def _documents(stacks: Sequence[Stack], options: ReplayOptions) -> dict[str, Mapping[str, Any]]:
    """Label -> the OpenAPI document that was given for it."""
    from harness.planning.requests.openapi_document import read_document

    given = zip(stacks, (options.openapi_a, options.openapi_b), strict=False)
    return {stack.label: read_document(path) for stack, path in given if path is not None}


def _found(
    given: Compared, options: ReplayOptions, documents: Mapping[str, Mapping[str, Any]]
) -> ParityFound:
    from harness.checking.operations import lacking_operations
    from harness.checking.replay import replay
    from harness.planning.requests.variables import expand_request
    from harness.serving.own import Secrets

    requests = given.requests.requests
    own = {stack.label: stack.own for stack in given.stacks if stack.own is not None}
    paths = {label: each.path_of for label, each in own.items()}
    requested = {
        label: replace(each, paths=tuple((here, before) for before, here in each.paths)).path_of
        for label, each in own.items()
    }
    unverified = [label for label, each in own.items() if not each.verify_tls]
    put_in = partial(expand_request, environ=os.environ)
    with _running(given.stacks) as urls, _counting(len(requests)) as request_done:
        found = replay(
            urls,
            requests,
            twice=not options.once,
            allow_writes=True,  # who did not allow it has none of them here
            ignore=given.ignore,
            ignore_headers=options.ignore_headers,
            unverified=unverified,
            paths=paths,
            expand=put_in,
            redacted=Secrets.of(given.stacks, requests).hidden,
            request_done=request_done,
        )
        lacking, notes = lacking_operations(
            urls,
            documents,
            tuple(map(put_in, requests)),
            unverified=unverified,
            paths=paths,
            requested=requested,
        )
    return replace(found, lacking=lacking, notes=(*given.requests.notes, *found.notes, *notes))


@contextmanager
def _running(stacks: Sequence[Stack]) -> Iterator[dict[str, str]]:
    """Start what does not run yet; yield label -> URL."""
    from harness.serving.standalone import stacks_with_services

    starting = [stack.label for stack in stacks if not stack.is_running]
    if starting:
        progress_console().print(f"starting {', '.join(starting)}")
    needs = None if any(stack.own is None for stack in stacks) else ()
    with stacks_with_services(stacks, needs=needs) as urls:
        yield urls


@contextmanager
def _counting(total: int) -> Iterator[Callable[[], None]]:
    """Show a bar with the time left; call what is yielded after each request."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=progress_console(), transient=True) as progress:
        task = progress.add_task("requests", total=total)
        yield lambda: progress.advance(task)


def refuse_mixing(context: click.Context) -> None:
    """Raise BadInput for an option that belongs to a check of the project's stacks."""
    for name, option in (("stacks", "--stack"), ("cases", "--cases")):
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise BadInput(
                f"{option} belongs to a check of the project's stacks: leave it out, or leave out "
                "--a, --b and what belongs to them"
            )
