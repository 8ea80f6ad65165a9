"""Options that name services of the reader's own and what to request of them: versus, check."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from harness.planning.own_options import OwnOptions

F = TypeVar("F", bound=Callable[..., Any])

_EXISTING = click.Path(path_type=Path, dir_okay=False)


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
