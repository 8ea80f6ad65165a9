"""ladder.toml -> the steps from Flask to FastAPI, and those of them that a scenario measures."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.models import Step, StepKind
from harness.planning.toml_file import read_toml

#: Every request goes through a server and a framework. A ladder without these steps would
#: attribute their cost to other steps.
ALWAYS = (StepKind.SERVER, StepKind.FRAMEWORK)


def load_ladder(path: Path) -> tuple[Step, ...]:
    """Every step, starting at the lowest rung; steps after the goal are marked as beyond it.

    Raises:
        BadInput: The file is missing, is not TOML, or has a malformed step.
    """
    value = read_toml(path)
    start, goal, entries = value.get("start"), value.get("goal"), value.get("step")
    if not isinstance(start, str) or not isinstance(goal, str) or not isinstance(entries, list):
        raise BadInput(
            f"{path}: needs 'start' and 'goal', each a stack's name, and tables [[step]]"
        )
    steps: list[Step] = []
    for number, entry in enumerate(entries, 1):
        before = steps[-1].after if steps else start
        beyond = any(earlier.after == goal for earlier in steps)
        step = _step(f"{path}: step {number}", entry, before, goal=goal if beyond else None)
        steps.append(step)
    rungs = [start, *(step.after for step in steps)]
    if len(set(rungs)) < len(rungs):
        raise BadInput(f"{path}: each rung must be a different stack: {', '.join(rungs)}")
    if goal not in rungs[1:]:
        raise BadInput(f"{path}: no step leads to the goal '{goal}'")
    return tuple(steps)


def _step(where: str, entry: Any, before: str, *, goal: str | None) -> Step:
    """A step from the rung `before`; `goal` only if it lies beyond it."""
    texts = ("kind", "change", "stack")
    if (
        not isinstance(entry, dict)
        or set(entry) - {"from"} != set(texts)
        or not all(isinstance(text, str) and text for text in entry.values())
    ):
        raise BadInput(f"{where}: must have {', '.join(texts)}, each a text, and nothing else")
    if entry["kind"] not in list(StepKind):
        known = ", ".join(StepKind)
        raise BadInput(f"{where}: kind '{entry['kind']}' is not one of: {known}")
    before = entry.get("from", before)
    if "from" in entry and before != goal:
        raise BadInput(f"{where}: 'from' may only name the goal, in a step beyond it")
    return Step(StepKind(entry["kind"]), entry["change"], before, entry["stack"], goal is not None)


def climbed(steps: Sequence[Step], kinds: Collection[StepKind]) -> tuple[Step, ...]:
    """The steps of these kinds, each from the rung that an earlier one of them led to.

    Rungs that differ only in other kinds are interchangeable. One of them is kept: the goal if it
    is among them, so that the total ends there, and otherwise the first.
    """
    if not steps:
        return ()
    kept_of = {steps[0].before: steps[0].before}  # a rung -> the one that is kept in its place
    for step in steps:
        kept_of[step.after] = step.after if step.kind in kinds else kept_of[step.before]
    *_, goal = (step.after for step in steps if not step.beyond)
    if kept_of[goal] != steps[0].before:
        kept_of = {rung: goal if kept == kept_of[goal] else kept for rung, kept in kept_of.items()}
    return tuple(
        replace(step, before=kept_of[step.before], after=kept_of[step.after])
        for step in steps
        if step.kind in kinds
    )


def ends(steps: Sequence[Step]) -> tuple[str, str]:
    """Names of the lowest rung and of the goal: both twins as they are commonly run."""
    way = [step for step in steps if not step.beyond]
    return way[0].before, way[-1].after


def framework_step(steps: Sequence[Step]) -> tuple[str, str]:
    """Names of the rungs before and after the step that changes the framework and nothing else."""
    step = next(step for step in steps if step.kind is StepKind.FRAMEWORK)
    return step.before, step.after
