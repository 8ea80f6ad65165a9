"""Reads JSON from bodies, which may contain something else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

#: Stands for the value of a body that is not JSON; None is the value of `null`.
NO_VALUE = object()


def parsed(body: bytes) -> Any:
    """Return the JSON value of a body, or NO_VALUE."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return NO_VALUE


def texts_in(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value, except the names of members."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from texts_in(member)
    elif isinstance(value, list):
        for element in value:
            yield from texts_in(element)
