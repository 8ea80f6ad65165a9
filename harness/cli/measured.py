"""What commands print of a run once its report is written."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.cli.output import print_json, print_tables
from harness.errors import EXIT_INVALID, BadInput
from harness.library.reports import Judging, write_run_report
from harness.models import Analysis, FailOutcome, Inconclusive


def write_and_print_report(
    folder: Path,
    *,
    as_json: bool,
    as_markdown: bool = False,
    same_within: float | None = None,
    judging: Judging | None = None,
) -> None:
    """Make tables, charts and page from a run's raw data.

    Exits with 1 if a cell is invalid, a promise is broken, or one is inconclusive where it has to be
    decided.

    Args:
        folder: The run's.
        as_json: Whether to print JSON rather than tables.
        as_markdown: Whether to print a short text for a pull request.
        same_within: What is too small a difference to matter; None: as the run was begun with.
        judging: What a pipeline asks of the run; None: what it was begun with.
    """
    from harness import report, store

    judging = judging or Judging()
    analysis = write_run_report(folder, same_within, judging)
    if judging.junit is not None:
        store.write_file(judging.junit, report.junit(analysis, judging.inconclusive))
    page = folder / "report" / "index.html"
    if as_json:
        print_json({"run": str(folder), "report": str(page), **store.analysis_as_json(analysis)})
    elif as_markdown:
        click.echo(report.pull_request(analysis), nl=False)
    else:
        print_tables(report.terminal(analysis))
        click.echo(f"\nReport: {page}")
    for line in report.promise_lines(analysis.fail_ifs):
        click.echo(line, err=True)
    valid = analysis.valid and all(part.valid == part.cells for part in analysis.parts)
    if not valid or _fails(analysis, judging.inconclusive):
        sys.exit(EXIT_INVALID)


def _fails(analysis: Analysis, inconclusive: Inconclusive) -> bool:
    """Whether a promise is broken, or could not be decided where it has to be."""
    outcomes = {each.outcome for each in analysis.fail_ifs}
    undecided = FailOutcome.INCONCLUSIVE in outcomes and inconclusive is Inconclusive.FAIL
    return FailOutcome.BROKEN in outcomes or undecided


def find_saved_run(out: Path, name: str) -> Path | None:
    """The folder of the run that promises compare with; None without one.

    Raises:
        BadInput: There is no such run, it can't be read, or it was cut off.
    """
    from harness import store

    if not name:
        return None
    folder = store.find_run(out, name)
    if store.read_run(folder).ended is None:
        raise BadInput(
            f"--against {name}: the run was cut off before its end: "
            f"'twinbench run --resume {folder}' finishes it",
            parameter="--against",
        )
    return folder
