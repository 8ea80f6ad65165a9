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

    Stacks and scenarios are what can be measured, runs are what was measured. Starts nothing.

    \b
    Example:
      twinbench list stacks
    """
    rows = _rows(what, stacks_file, out)
    if as_json:
        print_json({what: rows})
        return
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        explanation = row.get("isolates") or row.get("question") or ""
        click.echo(f"{row['name']:<{width}}  {explanation}".rstrip())


def _rows(what: str, stacks_file: Path, out: Path) -> list[dict[str, Any]]:
    from harness import store
    from harness.planning.scenarios import load_scenarios, scenario_row
    from harness.planning.stacks import load_stacks, stack_row

    match what:
        case "stacks":
            return [stack_row(stack) for stack in load_stacks(stacks_file).values()]
        case "scenarios":
            return [scenario_row(scenario) for scenario in load_scenarios().values()]
    return [{"name": name} for name in store.list_runs(out)]
