"""`twinbench report`."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.connections import report_connections
from harness.cli.measured import find_saved_run, write_and_print_report
from harness.cli.options import Command, fail_if_options, json_option, out_option, same_option
from harness.cli.profile import report_profile
from harness.errors import BadInput
from harness.library.reports import Judging
from harness.models import FailIf, Inconclusive


@click.command(cls=Command)
@click.argument("run_name", metavar="[RUN]", required=False)
@same_option(None, "default: as the run was begun with")
@fail_if_options
@out_option
@json_option
@click.option(
    "--markdown",
    "as_markdown",
    is_flag=True,
    help="Print a short text for a pull request, as Markdown, rather than tables.",
)
def command(
    run_name: str | None,
    same_within: float | None,
    fail_ifs: tuple[FailIf, ...],
    against: str,
    inconclusive: Inconclusive,
    junit: Path | None,
    out: Path,
    as_json: bool,
    as_markdown: bool,
) -> None:
    """Write the report of a run again, from its raw data.

    RUN is a folder, or the name of a run below --out (default: the newest run). A folder of
    `twinbench connections` or `twinbench profile` can be given too. No server is started.

    \b
    Exit codes: 0 all valid, 1 a cell is invalid or a promise of --fail-if
    is not kept, 2 bad input, 3 the environment failed.

    \b
    Example:
      twinbench report results/20260101-120000-quick
      twinbench report --same 1%
      twinbench report --fail-if 'p99>1.10' --against 20260101-120000-quick
      twinbench report --markdown | gh pr comment --body-file -
    """
    from harness import store
    from harness.planning.options import RunOptions

    if same_within is not None:
        RunOptions(same_within=same_within)  # refuses what makes no sense
    if as_markdown and as_json:
        raise BadInput("--json and --markdown can't be given together: one of them is printed")
    for option, given in (
        ("--fail-if", fail_ifs),
        ("--against", against),
        ("--junit", junit),
        ("--same", same_within is not None),
        ("--markdown", as_markdown),
    ):
        if given and run_name is not None and _is_no_run(Path(run_name)):
            raise BadInput(f"{run_name} is no run whose stacks are compared: leave out {option}")
    if run_name is not None and store.has_connections(Path(run_name)):
        report_connections(Path(run_name), as_json=as_json)
        return
    if run_name is not None and store.has_profile(Path(run_name)):
        report_profile(Path(run_name), as_json=as_json)
        return
    folder = store.find_run(out, run_name)
    write_and_print_report(
        folder,
        as_json=as_json,
        as_markdown=as_markdown,
        same_within=same_within,
        judging=Judging(fail_ifs, find_saved_run(out, against), inconclusive, junit),
    )


def _is_no_run(folder: Path) -> bool:
    """Whether a folder holds something else than requests to stacks."""
    from harness import store

    return store.has_connections(folder) or store.has_profile(folder)
