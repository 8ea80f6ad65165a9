"""`twinbench profile`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from harness.cli.options import (
    Command,
    json_option,
    out_option,
    seed_option,
    stack_option,
    stacks_file_option,
)
from harness.cli.output import print_json, print_tables, progress_console
from harness.errors import EXIT_INVALID, BadInput
from harness.planning.profile import PROFILES, profile_plan


@click.command(cls=Command)
@click.argument("scenario")
@stack_option
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    default="quick",
    show_default=True,
    help="How many rounds and seconds to sample.",
)
@click.option(
    "--seconds",
    type=float,
    metavar="S",
    help="Seconds under the sampler, for each stack in each round (default: the profile's).",
)
@click.option("--rounds", type=int, metavar="N", help="Rounds of fresh servers.")
@seed_option("Seed of the order")
@stacks_file_option
@out_option
@json_option
def command(
    *,
    scenario: str,
    stacks: tuple[str, ...],
    profile: str,
    seconds: float | None,
    rounds: int | None,
    seed: int,
    stacks_file: Path,
    out: Path,
    as_json: bool,
) -> None:
    """Show where the CPU time of servers goes in a scenario.

    Loads each stack as a run does, samples what its processes spend CPU time on, and says which share
    is the server's, the framework's, the validation's, and so on, with a flame graph of each stack
    and its context switches per request. With the folder of a run as --out, 'twinbench report' of
    that run shows it too. Nothing of this is a measurement of speed: taking samples takes time.

    \b
    Exit codes: 0 all valid, 1 requests failed or a server ended, 2 bad input,
    3 the environment failed,
    130 interrupted (whole rounds are kept).

    \b
    Examples:
      twinbench profile hello
      twinbench profile weather --stack fastapi-uvicorn --stack fastapi-aiohttp
      twinbench profile users-validate --profile smoke --seconds 3 --json
      twinbench profile hello --out results/20260101-120000-quick
    """
    from datetime import UTC, datetime

    from harness import store
    from harness.measuring import by_profile
    from harness.planning.plan import load_catalogue

    plan = profile_plan(
        load_catalogue(stacks_file),
        scenario,
        effort=PROFILES[profile],
        seed=seed,
        stacks=stacks,
        seconds=seconds,
        rounds=rounds,
    )
    folder = store.create_run(
        out / store.PROFILES_FOLDER, f"{scenario}-{profile}", datetime.now(UTC)
    )
    _say(f"sampling {plan.block.key}, seed {seed} → {folder}")
    with _keeping(folder):
        by_profile.measure(plan, folder, _say)
    report_profile(folder, as_json=as_json)


def _say(what: str) -> None:
    progress_console().print(what, highlight=False, soft_wrap=True)


@contextmanager
def _keeping(folder: Path) -> Iterator[None]:
    """If something ends the block early, say what is left of it."""
    from harness import store
    from harness.processes.interrupts import interrupts

    try:
        yield
    except BaseException as error:
        interrupts.acknowledge()
        if store.has_profile(folder):
            error.add_note(f"kept the whole rounds: 'twinbench report {folder}' shows them")
        else:
            store.remove_run(folder)
        raise


def report_profile(folder: Path, *, as_json: bool) -> None:
    """Make tables, charts and page from what was sampled; exit with 1 if a figure can't be used."""
    from harness import report, store
    from harness.analysis.profiles import analyse_profile

    record = store.read_profile(folder)
    if not record.rounds:
        raise BadInput(f"{folder}: no round was sampled to its end, so there is nothing to show")
    analysis = analyse_profile(record, lambda sampled: store.read_stacks(folder, sampled))
    store.write_profile_tables(folder, analysis)
    store.write_report(folder / "report", report.render_profile(analysis))
    page = folder / "report" / "index.html"
    if as_json:
        print_json(
            {
                "valid": analysis.valid,
                "run": str(folder),
                "report": str(page),
                "seed": record.plan.run.seed,
                "shares": store.profile_rows(analysis),
                "stacks": store.profile_stack_rows(analysis),
                "problems": list(analysis.problems),
            }
        )
    else:
        print_tables(report.profile_terminal(analysis))
        click.echo(f"\nReport: {page}")
    if not analysis.valid:
        sys.exit(EXIT_INVALID)
