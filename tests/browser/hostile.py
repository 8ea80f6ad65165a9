"""A run with names that a page could take for something else than names."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from harness.models import Analysis
from tests import analyses

T = TypeVar("T")

SCENARIOS: Mapping[str, str] = {
    "hello": '<script>alert("scenario")</script>',
    "weather": "long-" * 40,
    "users-validate": "\u0634\u0628\u0643\u0629 \u0627\u0644\u0637\u0642\u0633",  # right to left
}
STACKS: Mapping[str, str] = {
    "flask-gthread": "\"'><img src=x onerror=alert(1)>",
    "fastapi-httpx2": "&lt;b&gt;" + "wide" * 50,
    "fastapi-aiohttp": "\u05e2\u05d1\u05e8\u05d9\u05ea } </style><style>*{display:none}",
}


def with_hostile_names() -> Analysis:
    """The usual run, three of its scenarios and three of its stacks renamed."""
    usual = analyses.analysis(scenarios=list(SCENARIOS))
    return _renamed(usual, {**SCENARIOS, **STACKS})


def _renamed(thing: T, names: Mapping[str, str]) -> T:
    """The same with other names, wherever a text is one of them."""
    found: Any = thing
    if isinstance(thing, str):
        found = names.get(thing, thing) if type(thing) is str else thing
    elif dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        fields = [field.name for field in dataclasses.fields(thing) if field.init]
        found = dataclasses.replace(
            thing, **{name: _renamed(getattr(thing, name), names) for name in fields}
        )
    elif isinstance(thing, Mapping):
        found = {_renamed(key, names): _renamed(value, names) for key, value in thing.items()}
    elif isinstance(thing, tuple) and hasattr(thing, "_fields"):
        found = type(thing)(*(_renamed(each, names) for each in thing))
    elif isinstance(thing, tuple | list):
        found = type(thing)(_renamed(each, names) for each in thing)
    return found  # type: ignore[no-any-return]
