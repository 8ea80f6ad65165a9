"""`twinbench versus`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import (
    Command,
    Numbers,
    Promise,
    arrivals_option,
    as_record,
    effort_options,
    fail_if_options,
    generators_option,
    json_option,
    out_option,
    profile_option,
    rates_option,
    resume_option,
    stacks_file_option,
)
from harness.cli.own_options import own_options
from harness.errors import BadInput
from harness.models import Inconclusive, Plan, Slo
from harness.planning.options import RunOptions
from harness.planning.own_options import OwnOptions

if TYPE_CHECKING:
    from harness.models import Calibration


@click.command(cls=Command)
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@own_options
@click.option(
    "--locustfile",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Your own Locust users instead of requests: their tasks, waits and weights, unchanged.",
)
@profile_option
@click.option(
    "--users",
    type=Numbers(int),
    default=(),
    metavar="N[,N...]",
    help="Connections per service, each of which sends when its last reply has come; three numbers or "
    "more make a curve (default: 4). With --rate, the most connections.",
)
@rates_option
@arrivals_option
@click.option(
    "--slo",
    type=Promise(),
    metavar="PROMISE",
    help="Search for the highest rate at which each service keeps a promise, such as "
    "'p99<100ms,errors<0.1%'.",
)
@effort_options("load")
@generators_option
@fail_if_options
@resume_option
@stacks_file_option
@out_option
@json_option
@as_record(RunOptions)
def command(
    options: RunOptions,
    *,
    own: OwnOptions,
    file: Path | None,
    locustfile: Path | None,
    slo: Slo | None,
    inconclusive: Inconclusive,
    junit: Path | None,
    resume: str | None,
    stacks_file: Path,
    out: Path,
    as_json: bool,
) -> None:
    """Measure services of your own beside each other or the twins.

    Each service is a stack, the address of one that runs already, or a command that starts one on
    {port}; a FILE (see 'twinbench init') can say more of it: its interpreter, folder and environment.
    Services that twinbench starts are fresh in each round, pinned and metered. Of those that run
    already it sees the replies only, and says so.

    Requests are --get paths, or come from a file. Load goes to the named addresses only; a redirect
    is a reply like any other and is not followed.

    \b
    Exit codes: 0 all valid, 1 a cell is invalid or a promise of --fail-if
    is not kept, 2 bad input, 3 a service or the environment failed,
    130 interrupted (what was measured is kept).

    \b
    Examples:
      twinbench versus --a 'gunicorn shop.wsgi:app -b 127.0.0.1:{port}' \\
          --b 'uvicorn shop.asgi:app --port {port}' --get /orders/7
      twinbench versus --a http://127.0.0.1:8000 --b http://127.0.0.1:8001 --har shop.har
      twinbench versus --a flask-gthread --b 'python app.py {port}' --get /hello --profile smoke
      twinbench versus shop.toml --users 1,4,16,64
      twinbench versus shop.toml --slo 'p99<100ms'
      twinbench versus shop.toml --fail-if 'throughput<0.95,errors>0' --junit gate.xml
    """
    from harness.cli import measuring
    from harness.cli.measured import write_and_print_report
    from harness.cli.output import progress_console
    from harness.library.reports import Judging

    if resume is not None:
        folder = measuring.resume(resume, out)
    else:
        options = measuring.with_saved_run(options, out, junit)
        calibration = measuring.calibration_of_this_machine(out)
        plan = _plan(options, own, file, locustfile, slo, stacks_file, calibration)
        folder = measuring.measure(plan, out, calibration)
    progress_console().print("writing the report")
    judging = Judging(inconclusive=inconclusive, junit=junit)
    write_and_print_report(folder, as_json=as_json, judging=judging)


def _plan(
    options: RunOptions,
    own: OwnOptions,
    file: Path | None,
    locustfile: Path | None,
    slo: Slo | None,
    stacks_file: Path,
    calibration: Calibration | None,
) -> Plan:
    """What is to be measured, if it can be."""
    from harness.cli.output import progress_console
    from harness.machine import open_files
    from harness.planning.own_options import compared
    from harness.planning.versus import versus_catalogue, versus_plan

    given = compared(own, file, stacks_file, seed=options.seed, locustfile=locustfile)
    for note in given.requests.notes:
        progress_console().print(note, soft_wrap=True, highlight=False)
    used = "" if given.locustfile is None else _locustfile(given.locustfile, options, slo)
    catalogue = versus_catalogue(given.stacks, given.requests.requests, used)
    plan = versus_plan(
        catalogue,
        options,
        slo=slo,
        calibrated_slice_s=calibration.slice_s if calibration else None,
    )
    if problem := open_files.problem(plan):
        raise BadInput(problem, parameter="--users")
    return plan


def _locustfile(path: Path, options: RunOptions, slo: Slo | None) -> str:
    """The absolute path of a locustfile, if its users can be run."""
    from harness.cli.output import progress_console
    from harness.planning.requests.locustfile import check_locustfile

    for note in check_locustfile(path).notes:
        progress_console().print(note, soft_wrap=True, highlight=False)
    if slo is not None or options.rates_rps:
        option = "--slo" if slo is not None else "--rate"
        raise BadInput(
            f"{option} needs requests that can be sent on a schedule, and users of a locustfile send "
            "when their waits are over: leave it out, or give requests in place of --locustfile",
            parameter=option,
        )
    return str(path.resolve())
