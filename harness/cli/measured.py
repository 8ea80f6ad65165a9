"""What commands print of a run once its report is written."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.cli.output import print_json, print_tables
from harness.errors import EXIT_INVALID
from harness.library.reports import write_run_report


def write_and_print_report(
    folder: Path, *, as_json: bool, as_markdown: bool = False, same_within: float | None = None
) -> None:
    """Make tables, charts and page from a run's raw data; exit with 1 if a cell is invalid.

    Args:
        folder: The run's.
        as_json: Whether to print JSON rather than tables.
        as_markdown: Whether to print a short text for a pull request.
        same_within: What is too small a difference to matter; None: as the run was begun with.
    """
    from harness import report, store

    analysis = write_run_report(folder, same_within)
    page = folder / "report" / "index.html"
    if as_json:
        print_json({"run": str(folder), "report": str(page), **store.analysis_as_json(analysis)})
    elif as_markdown:
        click.echo(report.pull_request(analysis), nl=False)
    else:
        print_tables(report.terminal(analysis))
        click.echo(f"\nReport: {page}")
    if not (analysis.valid and all(part.valid == part.cells for part in analysis.parts)):
        sys.exit(EXIT_INVALID)
