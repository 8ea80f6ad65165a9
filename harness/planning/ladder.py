"""ladder.toml -> the steps from Flask to FastAPI, and those of them that a scenario measures."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.models import Step, StepKind

#: Every request goes through a server and a framework. A ladder without these steps would
#: attribute their cost to other steps.
ALWAYS = (StepKind.SERVER, StepKind.FRAMEWORK)


def load_ladder(path: Path) -> tuple[Step, ...]:
    """Every step, starting at the lowest rung; steps after the goal are marked as beyond it.

    Raises:
        BadInput: The file is missing, is not TOML, or has a malformed step.
    """
    try:
        value = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: can't be read as TOML: {error}") from error
    start, goal, entries = value.get("start"), value.get("goal"), value.get("step")
    if not isinstance(start, str) or not isinstance(goal, str) or not isinstance(entries, list):
        raise BadInput(
            f"{path}: needs 'start' and 'goal', each a stack's name, and tables [[step]]"
        )
    steps: list[Step] = []
    for number, entry in enumerate(entries, 1):
        before = steps[-1].after if steps else start
        step = _step(f"{path}: step {number}", entry, before)
        steps.append(replace(step, beyond=any(earlier.after == goal for earlier in steps)))
    rungs = [start, *(step.after for step in steps)]
    if len(set(rungs)) < len(rungs):
        raise BadInput(f"{path}: each rung must be a different stack: {', '.join(rungs)}")
    if goal not in rungs[1:]:
        raise BadInput(f"{path}: no step leads to the goal '{goal}'")
    return tuple(steps)


def _step(where: str, entry: Any, before: str) -> Step:
    texts = ("kind", "change", "stack")
    if (
        not isinstance(entry, dict)
        or set(entry) != set(texts)
        or not all(isinstance(text, str) and text for text in entry.values())
    ):
        raise BadInput(f"{where}: must have {', '.join(texts)}, each a text, and nothing else")
    if entry["kind"] not in list(StepKind):
        known = ", ".join(StepKind)
        raise BadInput(f"{where}: kind '{entry['kind']}' is not one of: {known}")
    return Step(StepKind(entry["kind"]), entry["change"], before, entry["stack"])


def climbed(steps: Sequence[Step], kinds: Collection[StepKind]) -> tuple[Step, ...]:
    """The steps of these kinds, joined so that each begins at the rung where the last one ended.

    Rungs that differ only in other kinds are interchangeable. One of them is kept: the goal if it
    is among them, so that the total ends there, and otherwise the first.
    """
    if not steps:
        return ()
    kept: list[Step] = []
    interchangeable = [[steps[0].before]]
    for step in steps:
        if step.kind in kinds:
            kept.append(step)
            interchangeable.append([step.after])
        else:
            interchangeable[-1].append(step.after)
    goal = next((step.before for step in steps if step.beyond), steps[-1].after)
    first, *others = interchangeable
    rungs = [first[0], *(goal if goal in group else group[0] for group in others)]
    return tuple(
        replace(step, before=before, after=after)
        for step, (before, after) in zip(kept, pairwise(rungs), strict=True)
    )
