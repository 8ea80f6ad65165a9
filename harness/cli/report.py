"""`twinbench report`."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.connections import report_connections
from harness.cli.measured import write_and_print_report
from harness.cli.options import Command, json_option, out_option, same_option
from harness.cli.profile import report_profile


@click.command(cls=Command)
@click.argument("run_name", metavar="[RUN]", required=False)
@same_option(None, "default: as the run was begun with")
@out_option
@json_option
def command(run_name: str | None, same_within: float | None, out: Path, as_json: bool) -> None:
    """Write the report of a run again, from its raw data.

    RUN is a folder, or the name of a run below --out (default: the newest run). A folder of
    `twinbench connections` or `twinbench profile` can be given too. No server is started.

    \b
    Exit codes: 0 all valid, 1 a cell is invalid, 2 bad input,
    3 the environment failed.

    \b
    Example:
      twinbench report results/20260101-120000-quick
      twinbench report --same 1%
    """
    from harness import store
    from harness.planning.options import RunOptions

    if same_within is not None:
        RunOptions(same_within=same_within)  # refuses what makes no sense
    if run_name is not None and store.has_connections(Path(run_name)):
        report_connections(Path(run_name), as_json=as_json)
        return
    if run_name is not None and store.has_profile(Path(run_name)):
        report_profile(Path(run_name), as_json=as_json)
        return
    folder = store.find_run(out, run_name)
    write_and_print_report(folder, as_json=as_json, same_within=same_within)
