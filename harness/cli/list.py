"""`twinbench list`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from harness.cli.options import Command, json_option, out_option, stacks_file_option
from harness.cli.output import print_json
from harness.errors import BadInput
from harness.models import Analysis, ConnectionsAnalysis, RunAtAGlance

_HEADS = ("RUN", "STARTED (UTC)", "KIND", "PROFILE", "ROUNDS", "VALID", "SCENARIOS", "FIRST RESULT")
#: So many scenarios are named.
_NAMED = 2


@click.command(cls=Command)
@click.argument("what", type=click.Choice(["stacks", "scenarios", "runs", "claims"]))
@click.argument("run_names", metavar="[RUN]...", nargs=-1)
@stacks_file_option
@out_option
@json_option
def command(
    what: str, run_names: tuple[str, ...], stacks_file: Path, out: Path, as_json: bool
) -> None:
    """List stacks, scenarios, runs or claims.

    Stacks and scenarios are what can be measured, runs are what was measured: when, with which
    profile, how many cells are valid, and the first comparison of each. Claims are what is commonly
    said of the frameworks, each with the verdict of the named RUNs, or with the command that measures
    it (default: of runs that are alike, the newest below --out). Starts nothing.

    \b
    Examples:
      twinbench list stacks
      twinbench list runs --json
      twinbench list claims
    """
    if what == "claims":
        _list_claims(run_names, out, as_json=as_json)
        return
    if run_names:
        raise BadInput(f"{run_names[0]}: 'twinbench list {what}' takes no run; only claims do")
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


def _list_claims(names: Sequence[str], out: Path, *, as_json: bool) -> None:
    from harness import report, store
    from harness.analysis.claims import Evidence, judge
    from harness.planning.claims import load_claims, read_sources

    claims = load_claims()
    folders = [_find(out, name) for name in names] or store.newest_of_each(out)
    evidence = [Evidence(_analysed(folder), folder.name) for folder in dict.fromkeys(folders)]
    judged = judge(claims, [*evidence, Evidence(read_sources())])
    if as_json:
        print_json(
            {"runs": [str(folder) for folder in folders], "claims": store.claims_as_json(judged)}
        )
        return
    for line in report.claims_lines(judged):
        click.echo(line)


def _find(out: Path, name: str) -> Path:
    """The folder of a run, or of held connections."""
    from harness import store

    for folder in (Path(name), out / name):
        if store.has_connections(folder):
            return folder
    return store.find_run(out, name)


def _analysed(folder: Path) -> Analysis | ConnectionsAnalysis:
    from harness import store
    from harness.analysis.analyse import analyse
    from harness.analysis.connections import analyse_connections

    if store.has_connections(folder):
        return analyse_connections(store.read_connections(folder))
    return analyse(store.read_run(folder), lambda cell: store.read_samples(folder, cell))


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
