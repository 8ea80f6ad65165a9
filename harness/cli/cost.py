"""`twinbench cost`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.cli.options import (
    Command,
    headroom_option,
    json_option,
    out_option,
    price_options,
    rate_to_serve_option,
    refuse_demand,
)
from harness.cli.output import print_json, print_tables
from harness.errors import EXIT_INVALID, BadInput
from harness.models import Demand, Prices


@click.command(cls=Command)
@click.argument("run_name", metavar="[RUN]", required=False)
@rate_to_serve_option
@headroom_option("capacity")
@price_options
@out_option
@json_option
def command(
    run_name: str | None,
    rate: float,
    headroom: float,
    vcpu_hour: float,
    gib_hour: float,
    out: Path,
    as_json: bool,
) -> None:
    """Say how many containers a traffic takes and what they cost.

    RUN is a run of 'twinbench capacity' (default: the newest run). Nothing is measured.

    \b
    Exit codes: 0 every stack has a figure, 1 some have none, 2 bad input.

    \b
    Examples:
      twinbench cost --rate 2000
      twinbench cost results/20260101-120000-capacity-quick --rate 2000 --vcpu-hour 0.03
    """
    demand, prices = Demand(rate, headroom), Prices(vcpu_hour, gib_hour)
    refuse_demand(demand, prices)
    from harness import report, store
    from harness.analysis.analyse import analyse
    from harness.analysis.cost import costing

    folder = store.find_run(out, run_name)
    analysis = analyse(store.read_run(folder), lambda cell: store.read_samples(folder, cell))
    if not analysis.capacities:
        raise BadInput(
            f"{folder} has no capacity: 'twinbench capacity SCENARIO --slo \"p99<100ms\"' finds one"
        )
    made = costing(analysis.capacities, demand, prices)
    if as_json:
        print_json(
            {
                "run": str(folder),
                "rate_rps": rate,
                "headroom": headroom,
                "costs": store.cost_rows(made),
                "not_known": {found.stack: found.reason for found in made.unknown},
            }
        )
    else:
        print_tables(report.cost_terminal(made))
    if made.unknown:
        sys.exit(EXIT_INVALID)
