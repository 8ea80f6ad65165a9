"""The command `capacity`."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import (
    Command,
    Name,
    as_record,
    json_option,
    out_option,
    seed_option,
    slo_option,
    stacks_file_option,
)
from harness.planning.capacity import CapacityOptions
from harness.planning.options import DEFAULT_PROFILE, PROFILES


@click.command(cls=Command)
@click.argument("scenario", type=Name(), metavar="SCENARIO")
@slo_option(
    "What has to be kept, such as 'p99<100ms,errors<0.1%': bounds on p50, p90, p99 or p999 "
    "in ms or s, and on the share of errors, joined by commas."
)
@click.option(
    "--stack",
    "stacks",
    multiple=True,
    type=Name(),
    metavar="NAME",
    help="Stack to measure; may be repeated. The first is the baseline (default: the stacks that "
    "the scenario names).",
)
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    callback=lambda _context, _parameter, name: PROFILES[name],
    default=DEFAULT_PROFILE,
    show_default=True,
    help="How many rounds to measure, and how long the windows of a search are.",
)
@click.option(
    "--rounds",
    type=int,
    metavar="N",
    help="Search N times, each with freshly started servers (default: the profile's).",
)
@click.option(
    "--minutes",
    type=float,
    metavar="M",
    help="Search as often as likely fits into this time, but at least 3 times.",
)
@click.option(
    "--generators",
    type=int,
    default=1,
    show_default=True,
    metavar="N",
    help="Number of processes that send the load.",
)
@click.option(
    "--io-ms",
    type=float,
    metavar="MS",
    help="Latency of the upstream service, for scenarios that wait for it (default: 50).",
)
@click.option(
    "--queries",
    type=int,
    metavar="N",
    help="Lookups in the database per request, for scenarios that ask for them (dashboard).",
)
@click.option(
    "--work",
    type=int,
    metavar="N",
    help="Units of CPU work per request, for scenarios that ask for it (dashboard).",
)
@seed_option("Seed of all random orders")
@stacks_file_option
@out_option
@json_option
@as_record(CapacityOptions)
def command(options: CapacityOptions, *, stacks_file: Path, out: Path, as_json: bool) -> None:
    """Find the highest rate at which each stack keeps a promise.

    Requests come at random times, as from many users (open load). Every round searches anew, with
    fresh processes; stacks take turns, each at rates of its own. After a search, latency is measured
    at 25, 50, 75 and 90 % of the stack's own capacity. 'twinbench run --resume' goes on with a
    search that was interrupted.

    \b
    Exit codes: 0 all valid, 1 a capacity is not valid, 2 bad input,
    3 the environment failed, 130 interrupted (what was measured is kept).

    \b
    Examples:
      twinbench capacity hello --slo 'p99<20ms,errors<0.1%'
      twinbench capacity weather --slo 'p99<200ms' --stack flask-gthread --stack fastapi-aiohttp
      twinbench capacity users-validate --slo 'p90<10ms' --profile smoke
    """
    from datetime import UTC, datetime

    from harness import store
    from harness.cli.measured import write_and_print_report
    from harness.cli.output import progress_console
    from harness.cli.progress import showing
    from harness.library.keeping import keeping
    from harness.machine import environment
    from harness.measuring import runner
    from harness.planning.capacity import plan_capacity
    from harness.planning.plan import load_catalogue
    from harness.report import formats

    plan = plan_capacity(load_catalogue(stacks_file), options)
    calibration = store.read_calibration(out, environment.fingerprint())
    folder = store.create_run(out, f"capacity-{plan.profile}", datetime.now(UTC))
    console = progress_console()
    stacks = formats.plural(len(plan.stacks), "stack")
    rounds = formats.plural(plan.rounds, "round")
    console.print(
        f"searching where {stacks} keep {options.slo.text} in {options.scenario}: {rounds}, "
        f"seed {plan.seed} → {folder}",
        soft_wrap=True,
    )
    with keeping(folder), showing(plan, console, folder) as listener:
        runner.run(plan, folder, listener, calibration=calibration)
    console.print("writing the report")
    write_and_print_report(folder, as_json=as_json)
