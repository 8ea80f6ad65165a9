"""Counts lines of Python code."""

from __future__ import annotations

import ast
import tokenize

#: What stands on a line without being code.
_NO_CODE = frozenset(
    {
        *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
        *(tokenize.ENCODING, tokenize.ENDMARKER),
    }
)


def code_lines(text: str) -> int:
    """How many lines of a Python file are code: no comments, blank lines and docstrings.

    A statement over several lines counts as many lines, and so does a text that is no docstring.

    Raises:
        SyntaxError: The text is no Python.
    """
    docstrings = _docstrings(ast.parse(text))
    lines: set[int] = set()
    # tokenize reads a last line without its end as two tokens; both are on the same line.
    for token in tokenize.generate_tokens(iter(text.splitlines(keepends=True)).__next__):
        if token.type not in _NO_CODE and token.start not in docstrings:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines)


def _docstrings(module: ast.Module) -> set[tuple[int, int]]:
    """Where the docstrings of a module, its classes and its functions begin: line and column."""
    found: set[tuple[int, int]] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            match node.body:
                case [ast.Expr(value=ast.Constant(value=str())) as first, *_]:
                    found.add((first.lineno, first.col_offset))
    return found
