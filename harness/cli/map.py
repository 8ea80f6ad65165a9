"""The command `map`."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import (
    Command,
    Numbers,
    as_record,
    json_option,
    out_option,
    profile_option,
    resume_option,
    seed_option,
    stack_option,
    stacks_file_option,
)
from harness.errors import BadInput
from harness.models import Plan
from harness.planning.map import MapOptions


@click.command(cls=Command)
@stack_option
@profile_option
@click.option(
    "--io-ms",
    type=Numbers(float),
    default=(),
    metavar="MS,MS[,MS...]",
    help="Latencies of the upstream service, rising (default: the profile's, 0 to 500).",
)
@click.option(
    "--users",
    type=Numbers(int),
    default=(),
    metavar="N,N[,N...]",
    help="Numbers of connections per stack, rising (default: the profile's, 1 to 100).",
)
@click.option(
    "--work",
    type=Numbers(int),
    default=(),
    metavar="N[,N...]",
    help="Units of CPU work per request, rising (default: 0,10).",
)
@click.option(
    "--queries",
    type=int,
    default=0,
    show_default=True,
    metavar="N",
    help="Lookups in the database per request.",
)
@click.option(
    "--minutes",
    type=float,
    metavar="M",
    help="Time for all rounds: 5 of every tile, and further ones near the line where the winner "
    "changes (default: 14 in quick, 60 in full).",
)
@seed_option("Seed of all random orders")
@resume_option
@stacks_file_option
@out_option
@json_option
@as_record(MapOptions)
def command(
    options: MapOptions, *, resume: str | None, stacks_file: Path, out: Path, as_json: bool
) -> None:
    """Draw under which loads which stack serves more.

    The loads differ in upstream latency, users and CPU work.

    Each tile is the scenario dashboard under one load. It has the colour of the stack that serves more
    requests, with the ratio, or none if the difference lies inside the noise. The default pair is
    flask-gevent and fastapi-aiohttp, which neither a number of threads nor a slow HTTP client limits.

    \b
    Exit codes: 0 all valid, 1 a tile is invalid, 2 bad input,
    3 the environment failed, 130 interrupted (what was measured is kept).

    \b
    Examples:
      twinbench map
      twinbench map --profile smoke
      twinbench map --io-ms 0,50,200 --users 1,10,100 --work 5 --queries 3
      twinbench map --stack flask-gthread --stack fastapi-uvicorn --minutes 10
      twinbench map --resume results/20260101-120000-map-quick
    """
    from harness.cli import measuring
    from harness.cli.measured import write_and_print_report
    from harness.cli.output import progress_console

    if resume is not None:
        folder = measuring.resume(resume, out)
    else:
        calibration = measuring.calibration_of_this_machine(out)
        plan = _plan(options, stacks_file, calibration.slice_s if calibration else None)
        folder = measuring.measure(plan, out, calibration)
    progress_console().print("writing the report")
    write_and_print_report(folder, as_json=as_json)


def _plan(options: MapOptions, stacks_file: Path, calibrated_slice_s: float | None) -> Plan:
    """The plan, if this machine can hold its connections."""
    from harness.machine import open_files
    from harness.planning.map import map_plan
    from harness.planning.plan import load_catalogue

    plan = map_plan(load_catalogue(stacks_file), options, calibrated_slice_s=calibrated_slice_s)
    if problem := open_files.problem(plan):
        raise BadInput(problem, parameter="--users")
    return plan
