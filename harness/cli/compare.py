"""`twinbench compare`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.cli.options import Command, json_option, out_option, same_option
from harness.cli.output import print_json, print_tables
from harness.errors import EXIT_INVALID, BadInput
from harness.models import SAME_WITHIN, Analysis


@click.command(cls=Command)
@click.argument("run_names", metavar="RUN RUN [RUN]...", nargs=-1)
@same_option(SAME_WITHIN, f"default: {SAME_WITHIN:.0%}")
@click.option(
    "--report",
    "report_folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Write index.html, summary.md and the chart to this folder too.",
)
@out_option
@json_option
def command(
    run_names: tuple[str, ...],
    same_within: float,
    report_folder: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    """Say what changed from one run to others.

    Each RUN is a folder, or the name of a run below --out. Every later run is compared with the
    first: an upgrade, another machine, a history. What decides is the ratio of two stacks inside
    each run, which hardly depends on how fast the machine was then. Nothing is measured.

    \b
    Exit codes: 0 no headline ratio changed beyond the noise, and all can be
    compared; 1 one changed or can't be compared; 2 bad input;
    3 the report can't be written.

    \b
    Examples:
      twinbench compare 20260101-120000-quick 20260108-120000-quick
      twinbench compare results/before results/after --same 5% --report results/upgrade
    """
    from harness import report, store
    from harness.analysis.between import MOST_RUNS, compare_runs
    from harness.planning.options import RunOptions

    RunOptions(same_within=same_within)  # refuses what makes no sense
    if not 2 <= len(run_names) <= MOST_RUNS:
        raise BadInput(
            f"compare takes 2 to {MOST_RUNS} runs, and {len(run_names)} were named: "
            "'twinbench list runs' shows them"
        )
    folders = [_find(out, name) for name in run_names]
    analyses = {folder: _analysed(folder) for folder in dict.fromkeys(folders)}
    compared = compare_runs([(folder.name, analyses[folder]) for folder in folders], same_within)
    page = None
    if report_folder is not None:
        store.write_report(report_folder, report.render_between(compared))
        page = report_folder / "index.html"
    if as_json:
        print_json({"report": str(page) if page else None, **store.between_as_json(compared)})
    else:
        print_tables(report.between_terminal(compared))
        if page:
            click.echo(f"\nReport: {page}")
    if compared.changed or not compared.comparable:
        sys.exit(EXIT_INVALID)


def _find(out: Path, name: str) -> Path:
    from harness import store

    for folder in (Path(name), out / name):
        if store.has_connections(folder):
            raise BadInput(f"{folder} holds connections, which compare can't read: name runs")
    return store.find_run(out, name).resolve()


def _analysed(folder: Path) -> Analysis:
    """The analysis of a finished run, made from its raw data.

    Raises:
        BadInput: The run was cut off.
    """
    from harness import store
    from harness.analysis.analyse import analyse

    record = store.read_run(folder)
    if record.ended is None:
        raise BadInput(
            f"{folder} was cut off before its end: 'twinbench run --resume {folder}' finishes it"
        )
    return analyse(record, lambda cell: store.read_samples(folder, cell))
