"""stacks.toml -> Stack records, with messages that name file, line and what is wrong."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import BadOption, StacksFileError, UnknownName
from harness.models import Stack, worker_number

#: The fields that an entry may have, and the type of each value.
_FIELDS: Mapping[str, type] = {
    "twin": str,
    "app": str,
    "server": str,
    "isolates": str,
    "like": str,
    "workers": str,
    "options": list,
    "breaks": list,
    "settings": dict,
}
_REQUIRED = ("twin", "app", "server", "isolates")
#: Fields that say what tells a stack from its neighbour, so that an entry does not inherit them.
_NOT_INHERITED = ("isolates", "like")
_TWINS = ("flask", "fastapi")
SERVERS = ("gunicorn", "uvicorn", "granian", "werkzeug")
_WORKERS = re.compile(r"[1-9][0-9]{0,2}|n|2n|2n\+1")
_TOML_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)  # it becomes part of file names
_APP = re.compile(r"[\w.]+:\w+")


def load_stacks(path: Path) -> dict[str, Stack]:
    """Every stack of the file, in its order.

    Raises:
        StacksFileError: The file is missing, is not TOML, or has a malformed entry.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise StacksFileError(path, None, f"can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise StacksFileError(path, line, "is not UTF-8 text") from error
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _TOML_LINE.search(str(error))
        problem = _TOML_LINE.sub("", str(error)).strip()
        line_count = text.count("\n") + 1
        raise StacksFileError(path, int(found[1]) if found else line_count, problem) from error
    if not tables:
        raise StacksFileError(path, None, "has no stack: add a table such as [flask-gthread]")
    stacks: dict[str, Stack] = {}
    complete: dict[str, Mapping[str, Any]] = {}
    for name, table in tables.items():
        complete[name], stacks[name] = _stack(path, text, name, table, complete)
    return stacks


def find_stacks(path: Path, names: Sequence[str]) -> list[Stack]:
    """The stacks of these names, each once, in this order; all stacks if no name is given.

    Raises:
        UnknownName: The file has no such stack.
        StacksFileError: As `load_stacks`.
    """
    stacks = load_stacks(path)
    for name in names:
        if name not in stacks:
            raise UnknownName("stack", name, stacks)
    return [stacks[name] for name in dict.fromkeys(names or stacks)]


def stack_row(stack: Stack) -> dict[str, Any]:
    """What `twinbench list stacks --json` says of a stack."""
    return {
        "name": stack.name,
        "twin": stack.twin,
        "server": stack.server,
        "isolates": stack.isolates,
    }


def _stack(
    path: Path, text: str, name: str, table: Any, above: Mapping[str, Mapping[str, Any]]
) -> tuple[Mapping[str, Any], Stack]:
    """The entry with what it inherits from its neighbour above, and the stack that it makes."""

    def fail(problem: str, key: str | None = None) -> StacksFileError:
        return StacksFileError(path, _line_of(text, name, key), f"stack '{name}': {problem}")

    if not _NAME.fullmatch(name):
        raise fail("a name may have letters, digits, '-', '_' and '.' only")
    if not isinstance(table, dict):
        raise StacksFileError(
            path, _line_of_key(text, name), f"'{name}' stands outside a table such as [{name}]"
        )
    for key, value in table.items():
        if key not in _FIELDS:
            raise fail(f"unknown field '{key}'; known: {', '.join(_FIELDS)}", key)
        if not isinstance(value, _FIELDS[key]):
            wanted = {"str": "text in quotes", "list": "a list", "dict": "a table"}
            raise fail(f"'{key}' must be {wanted[_FIELDS[key].__name__]}", key)
    if "like" in table:
        if table["like"] not in above:
            raise fail(f"it is like '{table['like']}', but no such stack stands above it", "like")
        table = _inheriting(above[table["like"]], table)
    for key in _REQUIRED:
        if not table.get(key):
            raise fail(f"field '{key}' is missing")
    if table["twin"] not in _TWINS:
        raise fail(f"twin '{table['twin']}' is not one of: {', '.join(_TWINS)}", "twin")
    if table["server"] not in SERVERS:
        raise fail(f"server '{table['server']}' is not one of: {', '.join(SERVERS)}", "server")
    if not _APP.fullmatch(table["app"]):
        raise fail(f"app '{table['app']}' is not of the form 'package.module:factory'", "app")
    workers = table.get("workers", "")
    if workers and not _WORKERS.fullmatch(workers):
        raise fail(
            f"workers '{workers}' is not one of: a number such as '3', 'n', '2n', '2n+1'", "workers"
        )
    for key in ("options", "breaks"):
        if not all(isinstance(item, str) for item in table.get(key, [])):
            raise fail(f"'{key}' must be a list of texts in quotes", key)
    settings = table.get("settings", {})
    for key, value in settings.items():
        if not isinstance(value, str):
            raise fail(f"setting '{key}' must be text in quotes", key)
    return table, Stack(
        name=name,
        label=name,
        twin=table["twin"],
        app=table["app"],
        server=table["server"],
        isolates=table["isolates"],
        options=tuple(table.get("options", [])),
        settings=settings,
        workers=workers,
        breaks=tuple(table.get("breaks", [])),
    )


def worker_count(stack: Stack, workers: int, cores: Sequence[int]) -> int:
    """Worker processes of a stack: its own number, or else the number that all stacks share.

    Args:
        stack: The stack.
        workers: The plan's number.
        cores: Cores that the servers are confined to; empty if they have the whole machine.
    """
    return stack.worker_processes(workers, _number_of(cores))


def worker_numbers(text: str, cores: Sequence[int]) -> tuple[int, ...]:
    """The numbers of worker processes that `1,2,2n+1` stands for.

    Where one of them follows from the cores, their order does too: they come out rising, those that
    are equal once. Numbers alone stay as they were given.

    Args:
        text: Numbers, `n`, `2n` and `2n+1`, with commas between them.
        cores: As for `worker_count`.

    Raises:
        BadOption: It has something else in it.
    """
    numbers = []
    parts = [part.strip() for part in text.split(",")]
    for part in parts:
        try:
            numbers.append(worker_number(part, _number_of(cores)))
        except ValueError:
            advice = "write whole numbers, n, 2n or 2n+1, several like 1,2,2n+1"
            raise BadOption("--workers", f"'{part}'", advice) from None
    if any("n" in part for part in parts):
        return tuple(sorted(set(numbers)))
    return tuple(numbers)


def _number_of(cores: Sequence[int]) -> int:
    return len(cores) or os.cpu_count() or 1


def _inheriting(neighbour: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with what it does not say itself taken from its neighbour's, setting by setting."""
    inherited = {key: value for key, value in neighbour.items() if key not in _NOT_INHERITED}
    settings = {**inherited.get("settings", {}), **table.get("settings", {})}
    return {**inherited, **table, "settings": settings}


def _line_of(text: str, name: str, key: str | None) -> int | None:
    """The line of a field inside its table, or else of the table's heading."""
    heading: int | None = None
    headings = (name, f"{name}.settings")
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.split("#")[0].strip()
        if bare.startswith("["):
            inside = bare.strip("[] ").replace('"', "") in headings
            if inside and heading is None:
                heading = number
            if inside and key and bare.strip("[] ").endswith(f".{key}"):
                return number
        elif inside and key and re.match(rf'"?{re.escape(key)}"?\s*=', bare):
            return number
    return heading


def _line_of_key(text: str, key: str) -> int | None:
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf'\s*"?{re.escape(key)}"?\s*=', line):
            return number
    return None
