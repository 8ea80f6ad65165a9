"""`twinbench sweep`."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import (
    Command,
    Numbers,
    arrivals_option,
    as_record,
    effort_options,
    generators_option,
    json_option,
    out_option,
    profile_option,
    resume_option,
    stack_option,
    stacks_file_option,
)
from harness.errors import BadInput
from harness.models import Plan
from harness.planning.options import RunOptions
from harness.planning.sweep import LADDER, SweepOptions


@click.command(cls=Command)
@click.argument("scenario", required=False)
@stack_option
@profile_option
@click.option(
    "--users",
    "user_values",
    type=Numbers(int),
    default=(),
    metavar="N,N,N[,N...]",
    help="Numbers of connections per stack, rising; each sends when its last reply has come "
    f"(default: {','.join(map(str, LADDER))}).",
)
@click.option(
    "--rate",
    "rate_values",
    type=Numbers(float),
    default=(),
    metavar="R,R,R[,R...]",
    help="Open load instead: numbers of requests per second, rising, sent on a schedule.",
)
@click.option(
    "--workers",
    "worker_values",
    type=Numbers(int),
    default=(),
    metavar="N,N,N[,N...]",
    help="Numbers of worker processes per stack instead, rising, under the scenario's own load.",
)
@click.option(
    "--io-ms",
    "io_values",
    type=Numbers(float),
    default=(),
    metavar="MS,MS,MS[,MS...]",
    help="Latencies of the upstream service instead, rising, for scenarios that wait for it.",
)
@click.option(
    "--queries",
    "query_values",
    type=Numbers(int),
    default=(),
    metavar="N,N,N[,N...]",
    help="Lookups in the database per request instead, rising, for scenarios that ask for them.",
)
@click.option(
    "--work",
    "work_values",
    type=Numbers(int),
    default=(),
    metavar="N,N,N[,N...]",
    help="Units of CPU work per request instead, rising, for scenarios that ask for it.",
)
@arrivals_option
@effort_options("load")
@generators_option
@resume_option
@stacks_file_option
@out_option
@json_option
@as_record(RunOptions)
def command(
    options: RunOptions,
    *,
    scenario: str | None,
    user_values: tuple[int, ...],
    rate_values: tuple[float, ...],
    worker_values: tuple[int, ...],
    io_values: tuple[float, ...],
    query_values: tuple[int, ...],
    work_values: tuple[int, ...],
    resume: str | None,
    stacks_file: Path,
    out: Path,
    as_json: bool,
) -> None:
    """Measure a scenario under many loads and draw the curves.

    The report shows throughput, latency and CPU time against the load, where more load begins to
    bring more waiting than throughput (the knee), and what becomes of the throughput after that.

    \b
    Exit codes: 0 all valid, 1 a cell is invalid, 2 bad input,
    3 the environment failed, 130 interrupted (what was measured is kept).

    \b
    Examples:
      twinbench sweep weather --users 1,3,10,30,100,300,1000
      twinbench sweep hello --stack flask-gthread --stack flask-gevent --profile smoke
      twinbench sweep users-lookup --rate 100,200,400,600 --minutes 8
      twinbench sweep weather --io-ms 0,50,200,500
      twinbench sweep dashboard --work 0,5,20,50
      twinbench sweep --resume results/20260101-120000-quick
    """
    from harness.cli import measuring
    from harness.cli.measured import write_and_print_report
    from harness.cli.output import progress_console

    if resume is not None:
        folder = measuring.resume(resume, out)
    elif scenario is None:
        raise click.UsageError("Missing argument 'SCENARIO'.", click.get_current_context())
    else:
        values = {
            "users": user_values,
            "rate": rate_values,
            "workers": worker_values,
            "io-ms": io_values,
            "queries": query_values,
            "work": work_values,
        }
        given = {axis: numbers for axis, numbers in values.items() if numbers}
        calibration = measuring.calibration_of_this_machine(out)
        slice_s = calibration.slice_s if calibration else None
        plan = _plan(options, SweepOptions(scenario, given), stacks_file, slice_s)
        folder = measuring.measure(plan, out, calibration)
    progress_console().print("writing the report")
    write_and_print_report(folder, as_json=as_json)


def _plan(
    options: RunOptions, sweep: SweepOptions, stacks_file: Path, calibrated_slice_s: float | None
) -> Plan:
    """The plan, if this machine can hold its connections."""
    from harness.machine import open_files
    from harness.planning.plan import load_catalogue
    from harness.planning.sweep import sweep_plan

    catalogue = load_catalogue(stacks_file)
    plan = sweep_plan(catalogue, options, sweep, calibrated_slice_s=calibrated_slice_s)
    if problem := open_files.problem(plan):
        raise BadInput(problem, parameter="--users")
    return plan
