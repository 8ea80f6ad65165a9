"""`twinbench check`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import Command, as_record, json_option, seed_option, stacks_file_option
from harness.cli.output import print_json, progress_console
from harness.cli.own_options import own_options
from harness.cli.replayed import ReplayOptions, check_services, refuse_mixing
from harness.errors import EXIT_INVALID
from harness.planning.own_options import OwnOptions, compared

if TYPE_CHECKING:
    from rich.console import Console


@click.command(cls=Command)
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--stack",
    "stacks",
    multiple=True,
    metavar="NAME",
    help="Stack to check; may be repeated (default: all stacks).",
)
@click.option(
    "--cases",
    type=click.IntRange(min=0, max=1_000_000),
    default=200,
    show_default=True,
    metavar="N",
    help="Number of generated requests, sent in addition to those of the contract.",
)
@seed_option("Seed of the generated requests")
@stacks_file_option
@click.option(
    "--ignore",
    multiple=True,
    metavar="JSONPATH",
    help="Place in JSON that is not compared, with all below it: '$.created_at', '$.items[*].id', "
    "'$..updated'. Known are .name, ['name'], [3], [*], .* and ..name; may be repeated.",
)
@click.option(
    "--ignore-header",
    "ignore_headers",
    multiple=True,
    metavar="NAME",
    help="Header that is not compared; may be repeated.",
)
@click.option(
    "--once",
    is_flag=True,
    help="Send each request once. Without this, each is sent twice or three times to each service, "
    "so that what a service makes up each time (a time, an id) is no difference.",
)
@click.option(
    "--openapi-a",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="OpenAPI document of the first, to find what the other lacks (default: /openapi.json of each).",
)
@click.option(
    "--openapi-b",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The same of the second.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write what was found to this page too.",
)
@json_option
@own_options
@as_record(ReplayOptions)
def command(
    replayed: ReplayOptions,
    *,
    own: OwnOptions,
    file: Path | None,
    stacks: tuple[str, ...],
    cases: int,
    seed: int,
    stacks_file: Path,
    as_json: bool,
) -> None:
    """Send the same requests to services and compare the replies.

    With --a and --b or with a FILE (see 'twinbench init'), these are services of your own, named as for
    'twinbench versus': each of their replies is compared with that of the first in status, body,
    headers, cookies, redirects and encodings. Differences are shown by their cause, worst first.
    Otherwise, they are the project's stacks.

    Replies of stacks to requests of the contract are compared with what the contract promises, to the byte.
    Replies to generated requests are compared with those of the first stack: status, JSON value,
    content-type, allow, location and www-authenticate. Each difference is shown with the smallest
    request that was found for it.

    \b
    Exit codes: 0 no difference, 1 a reply differs, 2 bad input,
    3 the environment failed, 130 interrupted.

    \b
    Examples:
      twinbench check --a http://127.0.0.1:5000 --b http://127.0.0.1:8000 --get /hello
      twinbench check shop.toml --ignore '$..updated' --html parity.html
      twinbench check --stack flask-gthread --stack fastapi-uvicorn
      twinbench check --cases 20000 --seed 1
    """
    if file is not None or own != OwnOptions() or replayed != ReplayOptions():
        refuse_mixing(click.get_current_context())
        check_services(compared(own, file, stacks_file, seed=seed), replayed, as_json=as_json)
        return
    from harness.checking import both
    from harness.planning.stacks import find_stacks
    from harness.processes import children
    from harness.serving.standalone import stacks_with_services

    chosen = find_stacks(stacks_file, stacks)
    breaks = {stack.label: stack.breaks for stack in chosen if stack.breaks}
    console = progress_console()
    count = f"{len(chosen)} stack{'s' if len(chosen) != 1 else ''}"
    console.print(f"starting {count}, seed {seed}")
    with (
        children.scratch_folder("hypothesis") as folder,
        stacks_with_services(chosen) as urls,
        _counting(cases, console) as case_done,
    ):
        # Hypothesis would make a folder of its own in the working directory.
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(folder)
        outcome = both.check(
            urls,
            breaks,
            cases=cases,
            seed=seed,
            case_done=case_done,
            merging_slashes=[stack.label for stack in chosen if stack.merges_slashes],
        )
    if as_json:
        print_json(outcome.as_json())
    else:
        for line in outcome.lines():
            click.echo(line)
    if not outcome.agree:
        sys.exit(EXIT_INVALID)


@contextmanager
def _counting(total: int, console: Console) -> Iterator[Callable[[], None]]:
    """Show a bar with the time left; call what is yielded after each generated request."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("generated requests", total=total)
        yield lambda: progress.advance(task)
