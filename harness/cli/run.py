"""`twinbench run`."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import (
    Command,
    Name,
    Numbers,
    Percent,
    as_record,
    json_option,
    out_option,
    same_option,
    seed_option,
    stacks_file_option,
)
from harness.errors import BadInput
from harness.models import SAME_WITHIN, Arrivals, Plan
from harness.planning.options import DEFAULT_PROFILE, PROFILES, RunOptions

#: Options that `--resume` leaves any use for; a run that was begun has its plan.
_BESIDE_RESUME = frozenset({"resume", "out", "as_json"})


@click.command(cls=Command)
@click.argument(
    "scenarios", nargs=-1, type=Name(), metavar="[SCENARIO]...", envvar="TWINBENCH_SCENARIOS"
)
@click.option(
    "--stack",
    "stacks",
    multiple=True,
    type=Name(),
    metavar="NAME",
    envvar="TWINBENCH_STACKS",
    help="Stack to measure; may be repeated. The first is the baseline. Name a stack twice to "
    "compare it with itself (default: the stacks that each scenario names).",
)
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    callback=lambda _context, _parameter, name: PROFILES[name],
    default=DEFAULT_PROFILE,
    show_default=True,
    envvar="TWINBENCH_PROFILE",
    help="How many rounds and seconds to measure.",
)
@click.option(
    "--users",
    type=Numbers(int),
    default=(),
    metavar="N[,N...]",
    help="Connections per stack, each of which sends when its last reply has come; several "
    "numbers are several loads. With --rate, the most connections (default: 1,000).",
)
@click.option(
    "--rate",
    "rates_rps",
    type=Numbers(float),
    default=(),
    metavar="R[,R...]",
    help="Open load: send R requests per second on a schedule; several numbers are several loads.",
)
@click.option(
    "--arrivals",
    type=click.Choice([str(arrivals) for arrivals in Arrivals]),
    callback=lambda _context, _parameter, name: Arrivals(name) if name else None,
    help=f"Arrival process for open load (default: {Arrivals.POISSON}).",
)
@click.option(
    "--rounds",
    type=int,
    metavar="N",
    envvar="TWINBENCH_ROUNDS",
    help="Measure exactly N rounds, each with freshly started servers (default: as many as fit "
    "into the time).",
)
@click.option(
    "--minutes",
    type=float,
    metavar="M",
    help="Time for all rounds: at least 5 of every scenario, and further ones where intervals are "
    "wide (default: the profile's).",
)
@click.option(
    "--slice",
    "slice_s",
    type=float,
    metavar="S",
    help="Seconds that a stack is loaded before the next has its turn (default: the scenario's).",
)
@seed_option("Seed of all random orders")
@click.option(
    "--precision",
    type=Percent(),
    metavar="P",
    help="Stop measuring a scenario when its intervals are narrower than ±P, such as 3% "
    "(default: the profile's; with --rounds, measure every round).",
)
@same_option(SAME_WITHIN, f"default: {SAME_WITHIN:.0%}")
@click.option(
    "--generators",
    type=int,
    default=1,
    show_default=True,
    metavar="N",
    help="Number of processes that send the load.",
)
@click.option(
    "--workers",
    "worker_counts",
    type=Numbers(int),
    default=(),
    metavar="N[,N...]",
    help="Worker processes per stack; several numbers measure each stack with each of them "
    "(default: 1, or what the stack says).",
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
    "--ladder/--no-ladder",
    "ladder",
    default=None,
    help="Also measure the steps between Flask and FastAPI (default: only in profile full).",
)
@click.option("--resume", metavar="RUN", help="Continue a run that was interrupted.")
@stacks_file_option
@out_option
@json_option
@as_record(RunOptions)
def command(
    options: RunOptions, *, resume: str | None, stacks_file: Path, out: Path, as_json: bool
) -> None:
    """Measure scenarios and write the report.

    If no scenario is named, the core scenarios are measured; `twinbench list scenarios` has all.

    The environment variables TWINBENCH_SCENARIOS, TWINBENCH_STACKS, TWINBENCH_PROFILE,
    TWINBENCH_ROUNDS and TWINBENCH_OUT replace options that are not given.

    \b
    Exit codes: 0 all valid, 1 a cell is invalid, 2 bad input,
    3 the environment failed, 130 interrupted (what was measured is kept).

    \b
    Examples:
      twinbench run
      twinbench run hello --profile smoke --json
      twinbench run users-lookup --minutes 10 --precision 2%
      twinbench run hello --users 4,64
      twinbench run hello --workers 1,2,4
      twinbench run weather --io-ms 0,5,50,200
      twinbench run weather --ladder
      twinbench run weather --stack flask-gthread --stack fastapi-aiohttp --users 200
      twinbench run hello --stack fastapi-uvicorn --stack fastapi-uvicorn
      twinbench run users-lookup --rate 300 --arrivals constant
      twinbench run --resume results/20260101-120000-quick
    """
    from harness.cli.measured import write_and_print_report
    from harness.cli.output import progress_console

    folder = _resume(resume, out) if resume is not None else _measure(options, stacks_file, out)
    progress_console().print("writing the report")
    write_and_print_report(folder, as_json=as_json)


def _measure(options: RunOptions, stacks_file: Path, out: Path) -> Path:
    """Plan and measure a new run; the run's folder."""
    from datetime import UTC, datetime

    from harness import store
    from harness.cli.foresight import can_find
    from harness.cli.measured import keeping
    from harness.cli.output import progress_console
    from harness.cli.progress import showing
    from harness.machine import environment
    from harness.measuring import runner
    from harness.planning.plan import load_catalogue, make_plan

    plan = make_plan(load_catalogue(stacks_file), options)
    calibration = store.read_calibration(out, environment.fingerprint())
    folder = store.create_run(out, plan.profile, datetime.now(UTC))
    console = progress_console()
    console.print(f"measuring {_summary(plan)} → {folder}", soft_wrap=True)
    if foreseen := can_find(plan, calibration):
        console.print(foreseen, soft_wrap=True, highlight=False)
    with keeping(folder), showing(plan, console) as listener:
        runner.run(plan, folder, listener, calibration=calibration)
    return folder


def _resume(name: str, out: Path) -> Path:
    """Measure what an interrupted run lacks; the run's folder."""
    from harness import store
    from harness.cli.measured import keeping
    from harness.cli.output import progress_console
    from harness.cli.progress import showing
    from harness.measuring import runner

    _refuse_options_beside_resume()
    folder = store.find_run(out, name)
    record = store.read_run(folder)
    console = progress_console()
    console.print(f"continuing {_summary(record.plan)} → {folder}", soft_wrap=True)
    with (
        keeping(folder, remove_empty=False),
        showing(record.plan, console, measured=record.rounds) as listener,
    ):
        runner.resume(folder, listener)
    return folder


def _refuse_options_beside_resume() -> None:
    context = click.get_current_context()
    for param in context.command.params:
        if param.name in _BESIDE_RESUME:
            continue
        source = context.get_parameter_source(param.name or "")
        if source is click.core.ParameterSource.COMMANDLINE:
            name = param.opts[0] if isinstance(param, click.Option) else "SCENARIO"
            raise BadInput(f"--resume continues the run's own plan: leave out {name}")


def _summary(plan: Plan) -> str:
    """What is going to be measured, in one line."""
    loads = max(
        sum(1 for block in plan.blocks if block.scenario.name == name)
        for name in {block.scenario.name for block in plan.blocks}
    )
    counts = [
        (len({block.scenario.name for block in plan.blocks}), "scenario"),
        *([(loads, "load")] if loads > 1 else []),
        (len(plan.stacks), "stack"),
        (plan.rounds, "round"),
    ]
    counted = ", ".join(f"{count} {word}{'s' if count != 1 else ''}" for count, word in counts)
    if plan.budget_s is not None and plan.precision is not None:
        counted += (
            f" and more within {plan.budget_s / 60:g} minutes where intervals are wider than "
            f"±{100 * plan.precision:g} %"
        )
    return f"{counted}, seed {plan.seed}"
