"""`twinbench check`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import Command, json_option, seed_option, stacks_file_option
from harness.cli.output import print_json, progress_console
from harness.errors import EXIT_INVALID

if TYPE_CHECKING:
    from rich.console import Console


@click.command(cls=Command)
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
@json_option
def command(
    stacks: tuple[str, ...], cases: int, seed: int, stacks_file: Path, as_json: bool
) -> None:
    """Send the same requests to every stack and compare the replies.

    Replies to requests of the contract are compared with what the contract promises, to the byte.
    Replies to generated requests are compared with those of the first stack: status, JSON value,
    content-type, allow, location and www-authenticate. Each difference is shown with the smallest
    request that was found for it.

    \b
    Exit codes: 0 no difference, 1 a reply differs, 2 bad input,
    3 the environment failed, 130 interrupted.

    \b
    Examples:
      twinbench check --stack flask-gthread --stack fastapi-uvicorn
      twinbench check --cases 20000 --seed 1
    """
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
