"""`twinbench list`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from harness.cli.options import Command, json_option, out_option, stacks_file_option
from harness.cli.output import print_json
from harness.models import RunAtAGlance

_HEADS = ("RUN", "STARTED (UTC)", "KIND", "PROFILE", "ROUNDS", "VALID", "SCENARIOS", "FIRST RESULT")
#: So many scenarios are named.
_NAMED = 2


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
    from harness import store

    runs = store.runs_at_a_glance(out)
    if as_json:
        print_json({"runs": store.glance_rows(runs)})
    elif runs:
        for line in runs_lines(runs):
            click.echo(line)
    else:
        click.echo(f"no runs in '{out}' yet: 'twinbench run' makes one", err=True)


def _rows(what: str, stacks_file: Path) -> list[dict[str, Any]]:
    from harness.planning.scenarios import load_scenarios, scenario_row
    from harness.planning.stacks import load_stacks, stack_row

    if what == "stacks":
        return [stack_row(stack) for stack in load_stacks(stacks_file).values()]
    return [scenario_row(scenario) for scenario in load_scenarios().values()]


def runs_lines(runs: Sequence[RunAtAGlance]) -> Iterator[str]:
    """A heading and a line for each run, in columns."""
    rows = [_HEADS, *map(_row, runs)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEADS))]
    for row in rows:
        cells = (f"{text:<{width}}" for text, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _row(run: RunAtAGlance) -> tuple[str, ...]:
    more = len(run.scenarios) - _NAMED
    scenarios = ", ".join(run.scenarios[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return (
        run.name,
        _when(run.started),
        run.kind or "?",
        run.profile,
        str(run.rounds) if run.rounds else "",
        f"{run.valid_cells}/{run.cells}" if run.cells else "",
        scenarios,
        "; ".join(text for text in (run.problem, run.headline) if text),
    )


def _when(started: str) -> str:
    try:
        return f"{datetime.fromisoformat(started).astimezone(UTC):%Y-%m-%d %H:%M}"
    except ValueError:
        return started
