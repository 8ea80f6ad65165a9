"""`twinbench list`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli.options import Command, json_option, out_option, stacks_file_option
from harness.cli.output import print_json


@click.command(cls=Command)
@click.argument("what", type=click.Choice(["stacks", "scenarios", "runs"]))
@stacks_file_option
@out_option
@json_option
def command(what: str, stacks_file: Path, out: Path, as_json: bool) -> None:
    """List stacks, scenarios or runs.

    Stacks and scenarios are what can be measured, runs are what was measured: when, with which
    profile, how many cells are valid, and the first comparison of each. Starts nothing.

    \b
    Examples:
      twinbench list stacks
      twinbench list runs --json
    """
    if what == "runs":
        _list_runs(out, as_json=as_json)
        return
    rows = _rows(what, stacks_file)
    if as_json:
        print_json({what: rows})
        return
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        explanation = row.get("isolates") or row.get("question") or ""
        click.echo(f"{row['name']:<{width}}  {explanation}".rstrip())


def _list_runs(out: Path, *, as_json: bool) -> None:
    from harness import report, store

    runs = store.runs_at_a_glance(out)
    if as_json:
        print_json({"runs": store.glance_rows(runs)})
    elif runs:
        for line in report.runs_lines(runs):
            click.echo(line)
    else:
        click.echo(f"no runs in '{out}' yet: 'twinbench run' makes one", err=True)


def _rows(what: str, stacks_file: Path) -> list[dict[str, Any]]:
    from harness.planning.scenarios import load_scenarios, scenario_row
    from harness.planning.stacks import load_stacks, stack_row

    if what == "stacks":
        return [stack_row(stack) for stack in load_stacks(stacks_file).values()]
    return [scenario_row(scenario) for scenario in load_scenarios().values()]
