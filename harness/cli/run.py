"""`twinbench run`."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import (
    WORKERS_BY_CORES,
    Command,
    Name,
    Numbers,
    WorkerCounts,
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
    stack_option,
    stacks_file_option,
)
from harness.models import Inconclusive
from harness.planning.options import RunOptions


@click.command(cls=Command)
@click.argument(
    "scenarios", nargs=-1, type=Name(), metavar="[SCENARIO]...", envvar="TWINBENCH_SCENARIOS"
)
@stack_option
@profile_option
@click.option(
    "--users",
    type=Numbers(int),
    default=(),
    metavar="N[,N...]",
    help="Connections per stack, each of which sends when its last reply has come; several "
    "numbers are several loads. With --rate, the most connections (default: 1,000).",
)
@rates_option
@arrivals_option
@effort_options("scenario")
@generators_option
@click.option(
    "--workers",
    "worker_counts",
    type=WorkerCounts(),
    default=(),
    metavar="N[,N...]",
    help="Worker processes per stack; several numbers measure each stack with each of them "
    f"(default: 1, or what the stack says). {WORKERS_BY_CORES}",
)
@click.option(
    "--io-ms",
    type=Numbers(float),
    default=(),
    metavar="MS[,MS...]",
    help="Latency of the upstream service, for scenarios that wait for it; several numbers are "
    "several loads (default: 50).",
)
@click.option(
    "--queries",
    type=Numbers(int),
    default=(),
    metavar="N[,N...]",
    help="Lookups in the database per request, for scenarios that ask for them (dashboard); several "
    "numbers are several loads.",
)
@click.option(
    "--work",
    type=Numbers(int),
    default=(),
    metavar="N[,N...]",
    help="Units of CPU work per request, for scenarios that ask for it (dashboard); several numbers "
    "are several loads.",
)
@click.option(
    "--ladder/--no-ladder",
    "ladder",
    default=None,
    help="Also measure the steps between Flask and FastAPI (default: only in profile full).",
)
@click.option(
    "--claims/--no-claims",
    "claims",
    default=None,
    help="Also measure what the claims need beside the scenarios: curves, worker processes, a "
    "capacity, held connections, and where the CPU time goes (default: only in profile full, if "
    "neither scenarios, stacks nor loads are chosen).",
)
@fail_if_options
@resume_option
@stacks_file_option
@out_option
@json_option
@as_record(RunOptions)
def command(
    options: RunOptions,
    *,
    claims: bool | None,
    inconclusive: Inconclusive,
    junit: Path | None,
    resume: str | None,
    stacks_file: Path,
    out: Path,
    as_json: bool,
) -> None:
    """Measure scenarios and write the report.

    If no scenario is named, the core scenarios are measured; `twinbench list scenarios` has all.
    With --profile full, that is every scenario, and whatever else the claims need; 'twinbench list
    claims' has them. It is planned for an hour.

    The environment variables TWINBENCH_SCENARIOS, TWINBENCH_STACKS, TWINBENCH_PROFILE,
    TWINBENCH_ROUNDS and TWINBENCH_OUT replace options that are not given.

    \b
    Exit codes: 0 all valid, 1 a cell is invalid or a promise of --fail-if
    is not kept, 2 bad input, 3 the environment failed, 130 interrupted
    (what was measured is kept).

    \b
    Examples:
      twinbench run
      twinbench run hello --profile smoke --json
      twinbench run users-lookup --minutes 10 --precision 2%
      twinbench run hello --users 4,64
      twinbench run hello --workers 1,2,4
      twinbench run hello --workers 1,2n+1
      twinbench run weather --io-ms 0,5,50,200
      twinbench run dashboard --users 10,100 --queries 0,3 --work 0,10
      twinbench run weather --ladder
      twinbench run --profile full
      twinbench run weather --stack flask-gthread --stack fastapi-aiohttp --users 200
      twinbench run hello --stack fastapi-uvicorn --stack fastapi-uvicorn
      twinbench run users-lookup --rate 300 --arrivals constant
      twinbench run hello --fail-if 'throughput<0.95,errors>0' --junit gate.xml
      twinbench run --resume results/20260101-120000-quick
    """
    from harness.cli import measuring
    from harness.cli.measured import write_and_print_report
    from harness.cli.output import progress_console
    from harness.library.reports import Judging
    from harness.planning.claims import load_claims
    from harness.planning.parts import is_whole, whole_plan
    from harness.planning.plan import load_catalogue, make_plan

    if resume is not None:
        folder = measuring.resume(resume, out)
    else:
        options = measuring.with_saved_run(options, out, junit)
        calibration = measuring.calibration_of_this_machine(out)
        catalogue = load_catalogue(stacks_file)
        slice_s = calibration.slice_s if calibration else None
        if is_whole(options, claims, stacks_file):
            plan = whole_plan(catalogue, options, load_claims(), calibrated_slice_s=slice_s)
        else:
            plan = make_plan(catalogue, options, calibrated_slice_s=slice_s)
        folder = measuring.measure(plan, out, calibration)
    progress_console().print("writing the report")
    write_and_print_report(
        folder, as_json=as_json, judging=Judging(inconclusive=inconclusive, junit=junit)
    )
