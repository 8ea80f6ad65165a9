"""`twinbench report`."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.measured import write_and_print_report
from harness.cli.options import Command, json_option, out_option


@click.command(cls=Command)
@click.argument("run_name", metavar="[RUN]", required=False)
@out_option
@json_option
def command(run_name: str | None, out: Path, as_json: bool) -> None:
    """Write the report of a run again, from its raw data.

    RUN is a folder, or the name of a run below --out (default: the newest run). No server is
    started.

    \b
    Exit codes: 0 all valid, 1 a cell is invalid, 2 bad input,
    3 the environment failed.

    \b
    Example:
      twinbench report results/20260101-120000-quick
    """
    from harness import store

    write_and_print_report(store.find_run(out, run_name), as_json=as_json)
