"""`twinbench connections`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from harness.cli.measuring import refuse_options_beside_resume
from harness.cli.options import (
    Command,
    Name,
    Numbers,
    json_option,
    out_option,
    seed_option,
    stacks_file_option,
)
from harness.cli.output import print_json, print_tables, progress_console
from harness.errors import EXIT_INVALID, BadInput
from harness.models import Held
from harness.planning.connections import PROFILES, connections_plan


@click.command(cls=Command)
@click.option(
    "--stack",
    "stacks",
    multiple=True,
    type=Name(),
    metavar="NAME",
    help="Stack to measure; may be repeated (default: flask-gthread, flask-gevent, "
    "fastapi-uvicorn).",
)
@click.option(
    "--connections",
    "counts",
    type=Numbers(int),
    default=(),
    metavar="N[,N...]",
    help="Numbers of connections to hold, rising (default: the profile's, up to 10,000).",
)
@click.option(
    "--held",
    multiple=True,
    type=click.Choice([str(held) for held in Held]),
    help="State in which connections are held: idle after one request, WebSockets, or with a "
    "request that never ends; may be repeated (default: all three).",
)
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    default="quick",
    show_default=True,
    help="How many rounds and connections to measure, and how long an ordinary client waits.",
)
@click.option("--rounds", type=int, metavar="N", help="Rounds of fresh servers.")
@seed_option("Seed of the order")
@click.option(
    "--resume",
    metavar="FOLDER",
    help="Continue where a measurement was interrupted; takes no other options than --json.",
)
@stacks_file_option
@out_option
@json_option
def command(
    *,
    stacks: tuple[str, ...],
    counts: tuple[int, ...],
    held: tuple[str, ...],
    profile: str,
    rounds: int | None,
    seed: int,
    resume: str | None,
    stacks_file: Path,
    out: Path,
    as_json: bool,
) -> None:
    """Measure the cost of connections that are held open.

    Opens more and more connections to a fresh server and leaves them alone: idle after one
    request, as WebSockets, or with a request that never ends. Reports the memory that each takes,
    and how long an ordinary client waits meanwhile.

    \b
    Exit codes: 0 all valid, 1 a server ended or never answered, 2 bad input,
    3 the environment failed, 130 interrupted (what was measured is kept).

    \b
    Examples:
      twinbench connections
      twinbench connections --profile smoke --json
      twinbench connections --held half-sent --connections 100,700
      twinbench connections --resume results/connections/20260101-120000-quick
    """
    from datetime import UTC, datetime

    from harness import store
    from harness.machine import open_files
    from harness.measuring import by_connections
    from harness.planning.stacks import load_stacks

    if resume is not None:
        refuse_options_beside_resume()
        folder = Path(resume)
        store.read_connections(folder)
        with _keeping(folder, is_new=False):
            by_connections.resume(folder, _say)
        report_connections(folder, as_json=as_json)
        return
    plan = connections_plan(
        load_stacks(stacks_file),
        profile=PROFILES[profile],
        seed=seed,
        stacks=stacks,
        held=[Held(each) for each in held],
        counts=counts,
        rounds=rounds,
    )
    open_files.check_held(max(plan.counts))
    folder = store.create_run(out / "connections", plan.profile, datetime.now(UTC))
    numbers = ", ".join(f"{count:,}" for count in plan.counts)
    _say(f"holding {numbers} connections, seed {plan.seed} → {folder}")
    with _keeping(folder, is_new=True):
        by_connections.measure(plan, folder, _say)
    report_connections(folder, as_json=as_json)


def _say(what: str) -> None:
    progress_console().print(what, highlight=False, soft_wrap=True)


@contextmanager
def _keeping(folder: Path, *, is_new: bool) -> Iterator[None]:
    """If something ends the block early, say how to go on with what was measured."""
    from harness import store
    from harness.processes.interrupts import interrupts

    try:
        yield
    except BadInput:
        raise  # nothing began
    except BaseException as error:
        interrupts.acknowledge()
        if store.has_connections(folder):
            error.add_note(
                f"kept what was measured: 'twinbench report {folder}' shows it, "
                f"'twinbench connections --resume {folder}' goes on"
            )
        elif is_new:
            store.remove_run(folder)
        raise


def report_connections(folder: Path, *, as_json: bool) -> None:
    """Make table, chart and page from what was measured; exit with 1 if a figure can't be used."""
    from harness import report, store
    from harness.library.reports import write_connections_report

    analysis = write_connections_report(folder)
    page = folder / "report" / "index.html"
    if as_json:
        rows = store.connection_rows(analysis)
        print_json(
            {
                "valid": analysis.valid,
                "run": str(folder),
                "report": str(page),
                "seed": analysis.record.plan.seed,
                "connections": rows,
                "problems": list(analysis.problems),
            }
        )
    else:
        print_tables(report.connections_terminal(analysis))
        click.echo(f"\nReport: {page}")
    if not analysis.valid:
        sys.exit(EXIT_INVALID)
