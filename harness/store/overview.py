"""What there is in the results folder, at a glance: run.json and the small tables, no samples."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.models import ROUNDS_FOR_A_VERDICT, RunAtAGlance
from harness.store.folders import list_runs

_CONNECTIONS = "connections"
_PROFILES = "profiles"


def runs_at_a_glance(out: Path) -> list[RunAtAGlance]:
    """Runs below `out`, oldest first, then what `twinbench connections` and `profile` left there.

    A run that can't be read is listed with the reason. No raw data is read, so a hundred runs take
    less than a second.
    """
    runs = [_run(out / name, name) for name in list_runs(out)]
    held = sorted((out / _CONNECTIONS).glob("*/connections.json"))
    runs += [_held(path.parent, f"{_CONNECTIONS}/{path.parent.name}") for path in held]
    profiled = sorted((out / _PROFILES).glob("*/profile.json"))
    return runs + [_profiled(path.parent, f"{_PROFILES}/{path.parent.name}") for path in profiled]


def newest_of_each(out: Path) -> list[Path]:
    """Folders of the runs that can say something, of those that are alike the newest.

    Two runs are alike if the same command measured the same scenarios and stacks, or held connections
    of the same stacks in the same ways. Runs that were cut off, that can't be read, or of fewer rounds
    than a verdict needs are left out. The newest comes first; reference runs count as the oldest.
    """
    folders = [out / name for name in list_runs(out)]
    held = sorted(path.parent for path in (out / _CONNECTIONS).glob("*/connections.json"))
    newest: dict[object, Path] = {}
    for folder, file in (
        *((folder, "run.json") for folder in folders),
        *((folder, "connections.json") for folder in held),
    ):
        try:
            record = _object(folder / file)
            plan, ended = record["plan"], record.get("ended")
            stacks = tuple(str(stack["label"]) for stack in plan["stacks"])
            blocks = [*plan.get("blocks", ()), *plan.get("cells", ()), *plan.get("held", ())]
            asked = tuple(dict.fromkeys(_asked(block) for block in blocks))
            key = _kind(record["command"]), asked, stacks
            enough = int(plan["rounds"]) >= ROUNDS_FOR_A_VERDICT
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        if ended and enough:
            newest.pop(key, None)  # so that it moves to the end
            newest[key] = folder
    return list(reversed(newest.values()))


def _asked(block: Any) -> str:
    """A block's scenario, or how connections are held."""
    return block if isinstance(block, str) else str(block["scenario"]["name"])


def _run(folder: Path, name: str) -> RunAtAGlance:
    try:
        record = _object(folder / "run.json")
        plan = record["plan"]
        blocks = [*plan.get("blocks", ()), *plan.get("cells", ())]  # schema 2 called them cells
        scenarios = tuple(dict.fromkeys(str(block["scenario"]["name"]) for block in blocks))
        kind = _kind(record["command"])
        profile, started = str(plan["profile"]), str(record["started"])
        ended = record.get("ended")
        cells = [row for row in _rows(folder / "summary.csv") if not row.get("endpoint")]
        capacities = _rows(folder / "capacity.csv")
        comparisons = _rows(folder / "comparisons.csv")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        return RunAtAGlance(name, problem=f"can't be read: {_reason(error)}")
    valid = [row.get("valid") == "true" for row in (*cells, *capacities)]
    problem = "" if ended else "cut off"
    if ended and not valid:
        problem = "no tables: 'twinbench report' makes them"
    return RunAtAGlance(
        name,
        kind=kind,
        profile=profile,
        started=started,
        ended=ended,
        scenarios=scenarios,
        rounds=max((int(row["rounds"] or 0) for row in (*cells, *capacities)), default=0),
        cells=len(valid),
        valid_cells=sum(valid),
        headline=_headline(comparisons, capacities),
        problem=problem,
    )


def _kind(command: Sequence[str]) -> str:
    """The word after `twinbench`: run, sweep, capacity."""
    words = list(command)
    after = words[words.index("twinbench") + 1 :] if "twinbench" in words else []
    return after[0] if after else "run"


def _held(folder: Path, name: str) -> RunAtAGlance:
    try:
        record = _object(folder / "connections.json")
        plan, started, ended = record["plan"], str(record["started"]), record.get("ended")
        profile, rounds, held = str(plan["profile"]), int(plan["rounds"]), plan["held"]
        scenarios = tuple(str(each) for each in held)
        rows = _rows(folder / "connections.csv")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        return RunAtAGlance(name, kind=_CONNECTIONS, problem=f"can't be read: {_reason(error)}")
    known = [row for row in rows if row.get("kib_per_connection")]
    return RunAtAGlance(
        name,
        kind=_CONNECTIONS,
        profile=profile,
        started=started,
        ended=ended,
        scenarios=scenarios,
        rounds=rounds,
        headline=(
            f"{known[0]['held']}: {known[0]['stack']} "
            f"{float(known[0]['kib_per_connection']):.3g} KiB per connection"
            if known
            else ""
        ),
        problem="" if ended else "cut off",
    )


def _profiled(folder: Path, name: str) -> RunAtAGlance:
    try:
        record = _object(folder / "profile.json")
        plan, started, ended = record["plan"]["run"], str(record["started"]), record.get("ended")
        profile, rounds = str(plan["profile"]), int(plan["rounds"])
        scenarios = tuple(str(block["scenario"]["name"]) for block in plan["blocks"])
        rows = [row for row in _rows(folder / "profile.csv") if row["share"]]
        largest = max(rows, key=lambda row: float(row["share"]), default=None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        return RunAtAGlance(name, kind="profile", problem=f"can't be read: {_reason(error)}")
    return RunAtAGlance(
        name,
        kind="profile",
        profile=profile,
        started=started,
        ended=ended,
        scenarios=scenarios,
        rounds=rounds,
        headline=(
            f"{largest['stack']}: {100 * float(largest['share']):.0f} % {largest['group']}"
            if largest
            else ""
        ),
        problem="" if ended else "cut off",
    )


def _headline(
    comparisons: Sequence[Mapping[str, str]], capacities: Sequence[Mapping[str, str]]
) -> str:
    """The first comparison that decides something; of a search, the first ratio of capacities."""
    for row in comparisons:
        if "secondary" not in row["family"] and row["family"] != "ladder":
            what = f"{row['scenario']}: {row['candidate']} ÷ {row['baseline']}"
            if not row["ratio"] or row["verdict"] in ("invalid", "overloaded"):
                return f"{what} {row['verdict']}"
            return f"{what} {float(row['ratio']):.2f} × {row['verdict']}"
    for row in capacities:
        if row["ratio"]:
            what = f"{row['scenario']}: {row['stack']} ÷ {row['baseline']}"
            return f"{what} {float(row['ratio']):.2f} × capacity"
    return ""


def _object(path: Path) -> dict[str, Any]:
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise TypeError(f"{path.name} is no object")
    return value


def _rows(path: Path) -> list[dict[str, str]]:
    """Rows of a table; none where it was not written."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _reason(error: Exception) -> str:
    match error:
        case OSError(strerror=str(words)):
            return words
        case KeyError():
            return f"{error} is missing"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def glance_rows(runs: Sequence[RunAtAGlance]) -> list[dict[str, Any]]:
    """What `twinbench list runs --json` says, a row for each run."""
    return [
        {
            "name": run.name,
            "kind": run.kind or None,
            "profile": run.profile or None,
            "started": run.started or None,
            "ended": run.ended,
            "scenarios": list(run.scenarios),
            "rounds": run.rounds,
            "cells": run.cells,
            "valid_cells": run.valid_cells,
            "headline": run.headline or None,
            "problem": run.problem or None,
        }
        for run in runs
    ]
