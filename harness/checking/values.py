"""Compares JSON values with expected ones, some parts of which the server may choose.

This module imports the contract and nothing else, because the load process uses it too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from apps.contract import Expected, IntegerAbove, TextLike


def differing(expected: Expected, actual: object, where: str) -> Iterator[str]:
    """Yield one sentence per difference between two JSON values.

    Args:
        expected: the value, with placeholders for what the server chooses.
        actual: the value as it was received.
        where: name of the value; each sentence begins with it and the path to the difference.
    """
    if isinstance(expected, IntegerAbove):
        if not fits(expected, actual):
            yield f"{where} is {actual!r} instead of an integer above {expected.bound}"
    elif isinstance(expected, TextLike):
        if not fits(expected, actual):
            yield f"{where} is {actual!r} instead of a text like {expected.pattern}"
    elif isinstance(expected, dict) and isinstance(actual, dict):
        for name in expected.keys() | actual.keys():
            if name not in actual:
                yield f"{where}.{name} is missing"
            elif name not in expected:
                yield f"{where}.{name} is there and should not be"
            else:
                yield from differing(expected[name], actual[name], f"{where}.{name}")
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            yield f"{where} has {len(actual)} elements instead of {len(expected)}"
        for index, elements in enumerate(zip(expected, actual, strict=False)):
            yield from differing(*elements, f"{where}[{index}]")
    elif type(expected) is not type(actual) or expected != actual:
        # In Python 1 equals 1.0 and True; in JSON they are different values.
        yield f"{where} is {actual!r} instead of {expected!r}"


def fits(placeholder: IntegerAbove | TextLike, actual: object) -> bool:
    """Whether the server may choose this value in place of the placeholder."""
    if isinstance(placeholder, IntegerAbove):
        return type(actual) is int and actual > placeholder.bound
    return isinstance(actual, str) and re.fullmatch(placeholder.pattern, actual) is not None
