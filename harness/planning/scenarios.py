"""Scenario files -> Scenario records.

Declarations are read from a file's source: importing the file would import Locust, which patches
the standard library.
"""

from __future__ import annotations

import ast
import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apps import contract
from harness.errors import BadInput
from harness.models import Kind, Measures, Scenario, StepKind
from harness.planning.files import PROJECT, SCENARIOS_FOLDER
from harness.planning.ladder import ALWAYS

#: Fields of a Scenario that its class does not declare: they follow from its file and endpoints.
_DERIVED = ("name", "file", "needs", "settle_s")
_DECLARED = tuple(
    field.name for field in dataclasses.fields(Scenario) if field.name not in _DERIVED
)
_REQUIRED = tuple(
    field.name
    for field in dataclasses.fields(Scenario)
    if field.name in _DECLARED and field.default is dataclasses.MISSING
)
#: What of a scenario's requests a load may decide, if the scenario says so.
ASKED = ("queries", "work")
#: Declarations that are seconds.
_SECONDS = ("least_slice_s", "most_slice_s", "warmup_s")


def load_scenarios(folder: Path = SCENARIOS_FOLDER) -> dict[str, Scenario]:
    """Every scenario by name, ordered by kind and then by name.

    Raises:
        BadInput: A scenario file lacks a declaration, or one makes no sense.
    """
    scenarios = [
        _read_scenario(path) for path in sorted(folder.glob("*.py")) if path.name[0] != "_"
    ]
    order = list(Kind)
    scenarios.sort(key=lambda scenario: order.index(scenario.kind))
    return {scenario.name: scenario for scenario in scenarios}


def scenario_row(scenario: Scenario) -> dict[str, Any]:
    """What `twinbench list scenarios --json` says of a scenario."""
    return {
        "name": scenario.name,
        "kind": str(scenario.kind),
        "question": scenario.question,
        "stacks": list(scenario.stacks),
    }


def _read_scenario(path: Path) -> Scenario:
    try:
        module = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        raise BadInput(f"{path}: can't be read as Python: {error}") from error
    classes = [node for node in module.body if isinstance(node, ast.ClassDef)]
    if len(classes) != 1:
        raise BadInput(f"{path}: has {len(classes)} classes; a scenario file has one user class")
    values: dict[str, Any] = {}
    for node in classes[0].body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in _DECLARED:
                try:
                    values[name] = ast.literal_eval(node.value)
                except ValueError:
                    raise BadInput(f"{path}:{node.lineno}: '{name}' must be a literal") from None
    missing = [name for name in _REQUIRED if name not in values]
    if missing:
        raise BadInput(f"{path}: the class lacks {', '.join(missing)}")
    for name, choice in (("kind", Kind), ("measures", Measures)):
        if name in values:
            try:
                values[name] = choice(values[name])
            except ValueError:
                known = ", ".join(f"'{member}'" for member in choice)
                raise BadInput(f"{path}: {name} '{values[name]}' is not one of: {known}") from None
    problem = _wrong_value(values)
    if problem:
        raise BadInput(f"{path}: {problem}")
    values["stacks"] = tuple(values["stacks"])
    values["endpoints"] = tuple(values["endpoints"])
    values["ladder"] = tuple(map(StepKind, values.get("ladder", ())))
    values["asks"] = tuple(values.get("asks", ()))
    try:
        values["needs"] = contract.needs(values["endpoints"])
    except ValueError as error:
        raise BadInput(f"{path}: 'endpoints' has names that are {error}") from None
    # Relative where it can be: run.json is meant to be read elsewhere.
    file = path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path
    return Scenario(name=path.stem.replace("_", "-"), file=file.as_posix(), **values)


def _wrong_value(values: Mapping[str, Any]) -> str:
    """The first problem of a declaration; empty if there is none."""
    stacks, endpoints = values["stacks"], values["endpoints"]
    numbers = [values[name] for name in _SECONDS if name in values]
    if not isinstance(values["question"], str) or not values["question"]:
        return "'question' must be text"
    if not _are_texts(stacks) or len(set(stacks)) < len(stacks):
        return "'stacks' must be different names, at least one"
    if not _are_texts(endpoints):
        return "'endpoints' must be what the users request, such as ('GET /hello',)"
    if values.get("measures") is Measures.STARTS and list(endpoints) != ["GET /healthz"]:
        return "'endpoints' of starts must be ('GET /healthz',), which says that a server is ready"
    if not isinstance(values["users"], int) or values["users"] < 1:
        return "'users' must be a whole number from 1 on"
    if not all(isinstance(number, int | float) for number in numbers):
        return "'least_slice_s', 'most_slice_s' and 'warmup_s' must be numbers of seconds"
    least_s, most_s = values.get("least_slice_s", 0.0), values.get("most_slice_s", math.inf)
    if values["warmup_s"] < 0 or values.get("least_slice_s", 1) <= 0 or most_s <= 0:
        return "'least_slice_s' and 'most_slice_s' must be more than 0, 'warmup_s' not negative"
    if most_s < least_s:
        return "'most_slice_s' must not be less than 'least_slice_s'"
    asks = values.get("asks", ())
    if not isinstance(asks, tuple | list) or any(name not in ASKED for name in asks):
        return f"'asks' must name what a load may decide: {', '.join(ASKED)}"
    return _wrong_ladder(values.get("ladder", ()))


def _are_texts(value: Any) -> bool:
    return (
        isinstance(value, tuple | list)
        and bool(value)
        and all(isinstance(text, str) for text in value)
    )


def _wrong_ladder(kinds: Any) -> str:
    if not isinstance(kinds, tuple | list):
        return "'ladder' must be kinds of step, such as ('server', 'framework', 'handlers')"
    if any(kind not in list(StepKind) for kind in kinds) or len(set(kinds)) < len(kinds):
        return f"'ladder' must name different kinds of: {', '.join(StepKind)}"
    missing = [kind for kind in ALWAYS if kind not in kinds]
    if kinds and missing:
        return f"'ladder' lacks {', '.join(missing)}, which every request goes through"
    return ""
