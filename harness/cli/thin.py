"""`twinbench thin`."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import Command, out_option
from harness.errors import BadInput


@click.command(cls=Command)
@click.argument("run_name", metavar="RUN")
@out_option
def command(run_name: str, out: Path) -> None:
    """Make a run smaller, to keep it in a repository.

    All samples of RUN go into one file of about a third of the size. Times are rounded to the
    microsecond, and status and size of replies are left out, which no figure needs. Every request
    stays in the count, so the report can be made again from it, and its figures are the same but for
    that rounding. The report is made again, and says so. The parts of a whole run are thinned too.
    This can't be undone: keep a copy if you need every nanosecond.

    RUN is a folder, or the name of a run below --out.

    \b
    Exit codes: 0 done, 2 bad input, 3 the environment failed.

    \b
    Example:
      twinbench thin results/20260101-120000-quick
    """
    from harness import store
    from harness.library.reports import write_run_report

    folder = store.find_run(out, run_name)
    runs = {folder: store.read_run(folder)}
    for part in store.parts_within(folder):
        if (part / "run.json").is_file():
            runs[part] = store.read_run(part)
    for path, record in runs.items():
        if record.ended is None:
            raise BadInput(
                f"{path} was not measured to its end: continue it first, with: "
                f"twinbench run --resume {folder}"
            )
    before = _size(folder)
    for path, record in runs.items():
        with store.writing(path):
            store.thin_samples(path, record)
    write_run_report(folder)
    now = _size(folder)
    click.echo(f"samples of {folder}: {before / 1e6:.1f} MB before, {now / 1e6:.1f} MB now")


def _size(folder: Path) -> int:
    """Bytes of the samples of a run and of its parts."""
    return sum(path.stat().st_size for path in folder.rglob("*.parquet"))
