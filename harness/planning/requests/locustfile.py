"""A team's own locustfile -> what can be said of it without running it.

The source is parsed and not imported: importing it would import Locust, which patches the standard
library. Bases that come from other files can't be followed, so what only running can tell is left
to the load process.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BadInput

_SHAPE = "LoadTestShape"
#: What from elsewhere has this in its name is taken for a class of users.
_USER = "User"


@dataclass(frozen=True, slots=True)
class LocustfileFacts:
    """What a locustfile has."""

    users: tuple[
        str, ...
    ]  # its User classes that are not abstract, as far as the file itself tells
    notes: tuple[str, ...] = ()  # what of it is not done, a sentence each


@dataclass(frozen=True, slots=True)
class _Class:
    name: str
    bases: tuple[str, ...]
    abstract: bool


def check_locustfile(path: Path) -> LocustfileFacts:
    """Read which users a locustfile has.

    Raises:
        BadInput: The file is missing, is not Python, or has no User class that is not abstract.
    """
    module = _parsed(path)
    classes = [_class_of(node) for node in module.body if isinstance(node, ast.ClassDef)]
    by_name = {each.name: each for each in classes}
    imported = _imported(module)
    users = [each for each in classes if _is_user(each, by_name, imported)]
    usable = tuple(each.name for each in users if not each.abstract)
    if not usable and not _may_import_users(module, imported):
        if users:
            raise BadInput(
                f"{path}: all its User classes are abstract: "
                f"{', '.join(each.name for each in users)}; leave out 'abstract = True' in one"
            )
        raise BadInput(
            f"{path}: has no User class: a locustfile has a subclass of HttpUser or FastHttpUser"
        )
    notes = []
    if shapes := [each.name for each in classes if _SHAPE in each.bases]:
        notes.append(
            f"{shapes[0]} of {path.name} is left out: --users decides how many users there are"
        )
    return LocustfileFacts(usable, tuple(notes))


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes(), filename=str(path))
    except OSError as error:
        raise BadInput(f"{path}: can't be read: {error.strerror}") from error
    except SyntaxError as error:
        raise BadInput(f"{path}:{error.lineno}: {error.msg}") from error
    except ValueError as error:  # a null byte
        raise BadInput(f"{path}: is no Python source: {error}") from error


def _class_of(node: ast.ClassDef) -> _Class:
    abstract = False
    for statement in node.body:
        target: ast.expr | None = None
        if isinstance(statement, ast.Assign):
            target = statement.targets[0]
        elif isinstance(statement, ast.AnnAssign):
            target = statement.target
        if isinstance(target, ast.Name) and target.id == "abstract":
            value = getattr(statement, "value", None)
            abstract = isinstance(value, ast.Constant) and bool(value.value)
    return _Class(node.name, tuple(filter(None, map(_last_name, node.bases))), abstract)


def _last_name(base: ast.expr) -> str:
    """`HttpUser` of `locust.HttpUser` or `HttpUser[...]`; empty for anything else."""
    if isinstance(base, ast.Name):
        return base.id
    if isinstance(base, ast.Attribute):
        return base.attr
    return _last_name(base.value) if isinstance(base, ast.Subscript) else ""


def _imported(module: ast.Module) -> dict[str, str]:
    """Name in the file -> name where it comes from, of everything that is imported from somewhere."""
    return {
        alias.asname or alias.name: alias.name
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _is_user(each: _Class, known: dict[str, _Class], imported: dict[str, str]) -> bool:
    """Whether a class is one of users, as far as the file tells."""
    seen: set[str] = set()
    left = list(each.bases)
    while left:
        base = left.pop()
        if base in seen:
            continue
        seen.add(base)
        if base in known:
            left += known[base].bases
        elif _USER in imported.get(base, base):  # Locust's own, or `from common import ApiUser`
            return True
    return False


def _may_import_users(module: ast.Module, imported: dict[str, str]) -> bool:
    """Whether users may come from another file: only running the file can tell."""
    from_elsewhere = {
        alias.asname or alias.name
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] != "locust"
        for alias in node.names
    }
    return "*" in from_elsewhere or any(_USER in imported[name] for name in from_elsewhere)
