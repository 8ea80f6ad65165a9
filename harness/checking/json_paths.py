"""Places in JSON values: how they are written, and expressions that name some of them.

The expressions are a small part of JSONPath (RFC 9535): `$`, `.name`, `['name']`, `[3]`, `[*]`, `.*`
and `..name`. An expression stands for the places that it names and for everything below them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import BadInput

#: Members and elements from the outermost to the innermost.
Place = tuple[str | int, ...]

_STEP = re.compile(
    r"""(?P<dots>\.\.?)(?:(?P<name>[\w-]+)|(?P<star>\*))
      | (?P<deep>\.\.)?\[(?:(?P<index>\d+)|(?P<any>\*)|'(?P<single>(?:[^'\\]|\\.)*)'|"(?P<double>(?:[^"\\]|\\.)*)")\]
    """,
    re.VERBOSE,
)
_PLAIN_NAME = re.compile(r"[^\W\d][\w-]*")
#: Between quotes -> in JSON.
_ESCAPES = {"\\'": "'", '"': '\\"'}
_EXAMPLES = "'$.created_at', '$.items[*].id' or '$..updated'"


@dataclass(frozen=True, slots=True)
class _Step:
    key: str | int | None  # None: any
    is_deep: bool  # at any depth below


@dataclass(frozen=True, slots=True)
class JsonPath:
    """An expression that names places."""

    text: str
    steps: tuple[_Step, ...]

    def covers(self, place: Place) -> bool:
        """Whether it names this place, or one above it."""
        return _covers(self.steps, place)


def _covers(steps: Sequence[_Step], place: Place) -> bool:
    if not steps:
        return True
    first, rest = steps[0], steps[1:]
    starts = range(len(place)) if first.is_deep else range(min(1, len(place)))
    return any(
        (first.key is None or (first.key == place[at] and type(first.key) is type(place[at])))
        and _covers(rest, place[at + 1 :])
        for at in starts
    )


def json_path(text: str, option: str = "--ignore") -> JsonPath:
    """Read an expression.

    Raises:
        BadInput: It is none, or none of those that are understood.
    """
    expression = text.strip()
    if not expression.startswith("$"):
        raise BadInput(
            f"{option} '{text}': a path into JSON begins with $, as in {_EXAMPLES}",
            parameter=option,
        )
    steps = []
    at = 1
    while at < len(expression):
        found = _STEP.match(expression, at)
        if found is None:
            raise BadInput(
                f"{option} '{text}': can't read '{expression[at:]}'; write {_EXAMPLES}",
                parameter=option,
            )
        steps.append(_step(found))
        at = found.end()
    return JsonPath(expression, tuple(steps))


def _step(found: re.Match[str]) -> _Step:
    is_deep = found["dots"] == ".." or found["deep"] is not None
    if found["name"] is not None:
        return _Step(found["name"], is_deep)
    if found["index"] is not None:
        return _Step(int(found["index"]), is_deep)
    quoted = found["single"] if found["single"] is not None else found["double"]
    return _Step(None if quoted is None else _unquoted(quoted), is_deep)


def _unquoted(text: str) -> str:
    """The name that stands between quotes, with the escapes of JSON and of the quotes."""
    doubled = re.sub(r"\\.|\"", lambda found: _ESCAPES.get(found[0], found[0]), text)
    try:
        return str(json.loads(f'"{doubled}"'))
    except ValueError:
        return re.sub(r"\\(.)", r"\1", text)


def written(place: Place, *, is_folded: bool = False) -> str:
    """A place as JSONPath writes it; folded, all elements of a list look the same."""
    return "$" + "".join(_part(key, is_folded=is_folded) for key in place)


def _part(key: str | int, *, is_folded: bool) -> str:
    if isinstance(key, int):
        return "[*]" if is_folded else f"[{key}]"
    if _PLAIN_NAME.fullmatch(key):
        return f".{key}"
    inner = json.dumps(key)[1:-1].replace("'", "\\'")
    return f"['{inner}']"
