"""`twinbench doctor`."""

from __future__ import annotations

import sys

import click

from harness.cli.options import Command, json_option
from harness.cli.output import print_json, print_tables, progress_console
from harness.errors import EXIT_INVALID


@click.command(cls=Command)
@json_option
def command(as_json: bool) -> None:
    """Find what would spoil a measurement on this machine (5 s).

    Says of each problem how grave it is and how to fix it.

    \b
    Exit codes: 0 nothing disturbs, 1 something does, 3 the environment failed,
    130 interrupted.

    \b
    Example:
      twinbench doctor
    """
    from harness.calibration.diagnosis import diagnose
    from harness.models import Level
    from harness.report import checkup

    progress_console().print("examining this machine for about 5 s")
    found = diagnose()
    if as_json:
        print_json(found.as_json())
    else:
        print_tables(checkup.diagnosis(found.findings))
    if found.level is Level.DISTURBS:
        sys.exit(EXIT_INVALID)
