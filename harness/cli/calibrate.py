"""`twinbench calibrate`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.cli.options import Command, json_option, out_option, stacks_file_option
from harness.cli.output import print_json, print_tables, progress_console
from harness.errors import EXIT_INVALID


@click.command(cls=Command)
@click.option(
    "--seconds",
    type=float,
    default=120.0,
    show_default=True,
    metavar="S",
    help="About how long the whole calibration takes.",
)
@click.option(
    "--stack",
    default="fastapi-uvicorn",
    show_default=True,
    metavar="NAME",
    help="Stack that is compared with itself.",
)
@stacks_file_option
@out_option
@json_option
def command(seconds: float, stack: str, stacks_file: Path, out: Path, as_json: bool) -> None:
    """Check that a stack does not differ from itself on this machine.

    Also finds how small a difference can be told apart, how many requests per second a load
    process can send, how the speed of the servers' core moves, and what disturbs this machine.
    The result is kept for this machine. The reports of later runs with the same --out quote it,
    and their slices are as long as the core's noise asks for.

    \b
    Exit codes: 0 kept, 1 the comparison was not valid (nothing is kept),
    2 bad input, 3 the environment failed, 130 interrupted.

    \b
    Example:
      twinbench calibrate --seconds 60
    """
    import secrets
    from datetime import UTC, datetime

    from harness import store
    from harness.calibration import calibrate, noise
    from harness.cli.progress import showing
    from harness.library.keeping import keeping
    from harness.planning.plan import load_catalogue
    from harness.report import checkup

    seed = secrets.randbelow(1_000_000)
    plan = noise.aa_plan(load_catalogue(stacks_file), stack=stack, seconds=seconds, seed=seed)
    folder = store.create_run(out / "calibration", plan.profile, datetime.now(UTC))
    console = progress_console()
    console.print(f"comparing {stack} with itself for {seconds:g} s → {folder}", soft_wrap=True)
    with (
        keeping(folder, resumable=False),
        showing(plan, console, folder, within_s=seconds) as listener,
    ):
        found = calibrate.calibrate(plan, folder, out, listener, within_s=seconds)
    if as_json:
        print_json(found.as_json())
    else:
        tables = checkup.calibrated(
            found.analysis,
            found.calibration,
            found.findings,
            seconds=found.seconds,
            run=found.folder,
            file=found.file,
        )
        print_tables(tables, crop=False)  # paths are there to be copied
    if not found.analysis.valid:
        sys.exit(EXIT_INVALID)
