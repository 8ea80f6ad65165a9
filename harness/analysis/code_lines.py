"""Lines of code: those that hold a token of the program. No comments, blank lines or docstrings."""

from __future__ import annotations

import ast
import tokenize
from collections.abc import Collection, Mapping, Sequence

from harness.models import CodeLines

_NO_CODE = frozenset(
    {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
)
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_FLASK, _FASTAPI = "apps/flask_twin/", "apps/fastapi_twin/"
#: Python files that belong to a feature beside those that are called like it. The FastAPI twin has
#: its model of a user in a folder that both twins can import.
_ALSO_FASTAPI: Mapping[str, Sequence[str]] = {"validation": ("apps/domain/new_user.py",)}


def code_lines(source: str, names: Collection[str] | None = None) -> int:
    """Count the lines of code of a Python file, or of some of its top-level definitions.

    Args:
        source: The file's text.
        names: Functions, classes and variables that count, with their decorators; None: all of it.

    Raises:
        KeyError: The file defines no such name.
        SyntaxError: It is not Python.
    """
    module = ast.parse(source)
    lines = _code(source, _docstrings(module))
    if names is None:
        return len(lines)
    spans = {name: _span(node) for node in module.body for name in _defined(node)}
    wanted = set().union(*(spans[name] for name in names))
    return len(lines & wanted)


def lines_by_feature(texts: Mapping[str, str]) -> tuple[CodeLines, ...]:
    """Count both twins' code, feature by feature; validation is a feature of its own.

    Args:
        texts: Path of a Python file -> its text. Files of a twin's folder count, and what the table
            above adds; a feature that only one twin has counts 0 in the other.
    """
    features = sorted(
        {
            path.rpartition("/")[2].removesuffix(".py")
            for path in texts
            if path.startswith((_FLASK, _FASTAPI))
        }
        - {"__init__"}
    )
    return tuple(
        CodeLines(
            feature,
            flask=_of_files(texts, (f"{_FLASK}{feature}.py",)),
            fastapi=_of_files(texts, (f"{_FASTAPI}{feature}.py", *_ALSO_FASTAPI.get(feature, ()))),
        )
        for feature in features
    )


def lines_of(texts: Mapping[str, str], pieces: Sequence[str]) -> int:
    """Count pieces of code: `path`, or `path: name, name`.

    Raises:
        KeyError: There is no such file, or it defines no such name.
    """
    total = 0
    for piece in pieces:
        path, _, listed = piece.partition(":")
        names = [name.strip() for name in listed.split(",") if name.strip()]
        total += code_lines(texts[path.strip()], names or None)
    return total


def _of_files(texts: Mapping[str, str], paths: Sequence[str]) -> int:
    return sum(code_lines(texts[path]) for path in paths if path in texts)


def _code(source: str, docstrings: Collection[tuple[int, int]]) -> set[int]:
    """The lines that hold a token, but for what begins at one of these lines and columns."""
    lines = (f"{line}\n" for line in source.split("\n"))
    return {
        line
        for token in tokenize.generate_tokens(lines.__next__)
        if token.type not in _NO_CODE and token.start not in docstrings
        for line in range(token.start[0], token.end[0] + 1)
    }


def _docstrings(module: ast.Module) -> set[tuple[int, int]]:
    """Where the docstrings of a module, its classes and its functions begin: line and column."""
    return {
        (node.body[0].lineno, node.body[0].col_offset)
        for node in ast.walk(module)
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None
    }


def _span(node: ast.stmt) -> set[int]:
    first = min((mark.lineno for mark in getattr(node, "decorator_list", ())), default=node.lineno)
    return set(range(first, (node.end_lineno or node.lineno) + 1))


def _defined(node: ast.stmt) -> list[str]:
    """The names that a top-level statement binds."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]
