"""The command `advise`."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from harness.cli.options import (
    Command,
    headroom_option,
    json_option,
    out_option,
    price_options,
    rate_to_serve_option,
    refuse_demand,
    slo_option,
)
from harness.cli.output import print_json, print_tables
from harness.errors import EXIT_INVALID, BadInput, BadOption, UnknownName
from harness.models import Demand, Prices, Question, Slo
from harness.planning.advice import QUESTIONS, first_command, suggestions

if TYPE_CHECKING:
    from harness.models import ConnectionsAnalysis, RunRecord

F = TypeVar("F", bound=Callable[..., Any])
_MOST_QUERIES = 1_000
_MOST_MS = 60_000.0


def _yes_no_options(function: F) -> F:
    """An option for each question that no measurement answers."""
    options = [
        click.option(
            f"--{asked.option}/--no-{asked.option}",
            default=None,
            help=f"{asked.text} Left open by default.",
        )
        for asked in QUESTIONS.values()
    ]
    return functools.reduce(lambda inner, option: option(inner), reversed(options), function)


@click.command(cls=Command)
@click.argument("run_name", metavar="[RUN]", required=False)
@rate_to_serve_option
@click.option(
    "--io-ms",
    type=float,
    required=True,
    metavar="MS",
    help="How long a request waits for another service.",
)
@click.option(
    "--cpu-ms",
    type=float,
    required=True,
    metavar="MS",
    help="How long a request computes in Python, on the machine that was measured and beside what "
    "the stack itself needs.",
)
@click.option(
    "--db-queries",
    type=int,
    required=True,
    metavar="N",
    help="Rows that a request looks up by primary key.",
)
@slo_option("What has to be kept, such as 'p99<200ms,errors<0.1%'.")
@click.option(
    "--connections",
    type=int,
    metavar="N",
    help="Connections that are open but idle meanwhile (default: not asked).",
)
@click.option(
    "--from",
    "baseline",
    metavar="STACK",
    help="The stack that changes start from (default: the run's first).",
)
@headroom_option("rate")
@price_options
@_yes_no_options
@out_option
@json_option
def command(
    *,
    run_name: str | None,
    rate: float,
    io_ms: float,
    cpu_ms: float,
    db_queries: int,
    slo: Slo,
    connections: int | None,
    baseline: str | None,
    headroom: float,
    vcpu_hour: float,
    gib_hour: float,
    out: Path,
    as_json: bool,
    **answers: bool | None,
) -> None:
    """Say which stacks would serve a traffic, from what was measured.

    RUN is a finished run of the scenario dashboard under several loads (default: the newest that was
    measured on this machine). Nothing is measured, and nothing is predicted outside the measured
    loads. The answer says how wrong such predictions are, and what would make it surer.

    \b
    Exit codes: 0 at least one stack has an answer, 1 none has, 2 bad input.

    \b
    Examples:
      twinbench advise --rate 800 --io-ms 60 --cpu-ms 2 --db-queries 3 --slo 'p99<200ms'
      twinbench advise --rate 50 --io-ms 0 --cpu-ms 5 --db-queries 1 --slo 'p50<20ms' --openapi --json
    """
    from harness import report, store
    from harness.analysis.advice import advise
    from harness.analysis.analyse import analyse
    from harness.machine import environment

    question = Question(
        demand=Demand(rate, headroom),
        io_ms=io_ms,
        cpu_ms=cpu_ms,
        queries=db_queries,
        slo=slo,
        connections=connections,
        baseline=baseline,
        prices=Prices(vcpu_hour, gib_hour),
    )
    _refuse_nonsense(question)
    folder, record = _find(out, run_name, question)
    labels = [stack.label for stack in record.plan.stacks]
    if baseline is not None and baseline not in labels:
        raise UnknownName("stack", baseline, labels)
    held_run, held = _connections(out) if connections is not None else ("", None)
    advice = advise(
        analyse(record, lambda cell: store.read_samples(folder, cell)),
        question,
        run=str(folder),
        other_machine=not environment.is_of_this_machine(record.environment),
        connections=held,
        held_run=held_run,
    )
    surer = list(suggestions(advice))
    by_option = {option: answers[option.replace("-", "_")] for option in QUESTIONS}
    if as_json:
        print_json(
            {
                **store.advice_as_json(advice),
                "suggestions": [{"why": each.why, "command": each.command} for each in surer],
                "answers": by_option,
            }
        )
    else:
        print_tables(report.advice_terminal(advice, surer, by_option))
    if not advice.known:
        sys.exit(EXIT_INVALID)


def _refuse_nonsense(question: Question) -> None:
    refuse_demand(question.demand, question.prices)
    for option, value in (("--io-ms", question.io_ms), ("--cpu-ms", question.cpu_ms)):
        if not 0 <= value <= _MOST_MS:
            raise BadOption(option, f"{value:g}", f"give 0 to {_MOST_MS:,.0f} milliseconds")
    if not 0 <= question.queries <= _MOST_QUERIES:
        raise BadOption("--db-queries", question.queries, f"give 0 to {_MOST_QUERIES:,} lookups")
    if question.connections is not None and question.connections < 1:
        raise BadOption("--connections", question.connections, "give 1 or more, or leave it out")


def _find(out: Path, name: str | None, question: Question) -> tuple[Path, RunRecord]:
    """The run to answer from: the one that is named, or the newest of this machine.

    One whose loads lie around the question comes before a newer one that does not reach it.
    """
    from harness import store
    from harness.analysis.advice import is_grid, reaches
    from harness.machine import environment

    advice = f"'{first_command(question)}' measures what is needed"
    if name is not None:
        folder = store.find_run(out, name)
        record = store.read_run(folder)
        if not is_grid(record):
            raise BadInput(
                f"{folder} is no finished run of dashboard with --io-ms, --queries and --work: {advice}"
            )
        return folder, record
    newest = None
    for each in reversed(store.list_runs(out)):
        try:
            record = store.read_run(out / each)
        except BadInput:
            continue  # of another version, or damaged: older ones may do
        if is_grid(record) and environment.is_of_this_machine(record.environment):
            if reaches(record, question):
                return out / each, record
            newest = newest or (out / each, record)
    if newest is None:
        raise BadInput(f"no run of this machine in '{out}' can tell: {advice}")
    return newest


def _connections(out: Path) -> tuple[str, ConnectionsAnalysis | None]:
    """The newest measurement of open connections on this machine, and what follows from it."""
    from harness import store
    from harness.analysis.connections import analyse_connections
    from harness.machine import environment

    folders = sorted((out / "connections").glob("*/connections.json"), reverse=True)
    for folder in (path.parent for path in folders):
        try:
            record = store.read_connections(folder)
        except BadInput:
            continue  # of another version, or damaged: older ones may do
        if record.ended is not None and environment.is_of_this_machine(record.environment):
            return str(folder), analyse_connections(record)
    return "", None
