"""Lines of code are those that a program needs to run."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.code_lines import code_lines, lines_by_feature, lines_of
from harness.planning.claims import read_sources
from harness.planning.files import PROJECT

SOURCES = sorted((PROJECT / "apps").rglob("*.py"))

SOURCE = '''"""What the module does,
in two lines."""

# A comment.
import re  # and another

LIMIT = (
    1,
    # why it is so

    2,
)


@cached
def one(value: int) -> int:
    """Docstring."""
    text = """a text
that counts"""
    return value


class Two:
    """Docstring."""

    async def three(self) -> None:
        """Docstring
        of two lines."""
        self.x: int = 1
'''


def test_comments_blank_lines_and_docstrings_do_not_count() -> None:
    assert code_lines(SOURCE) == 1 + 4 + 5 + 3
    assert code_lines('"""Only words."""\n\n# and more\n') == 0


def test_some_definitions_are_counted_with_their_decorators() -> None:
    assert code_lines(SOURCE, ["one"]) == 5
    assert code_lines(SOURCE, ["LIMIT", "Two"]) == 4 + 3
    with pytest.raises(KeyError, match="absent"):
        code_lines(SOURCE, ["absent"])


def test_a_piece_of_code_is_a_file_or_some_of_its_definitions() -> None:
    texts = {"a.py": SOURCE, "b.py": "x = 1\n"}
    assert lines_of(texts, ["a.py: one, LIMIT", "b.py"]) == 5 + 4 + 1


def test_both_twins_are_counted_feature_by_feature_and_validation_apart() -> None:
    texts = {
        "apps/flask_twin/__init__.py": "x = 1\n",
        "apps/flask_twin/hello.py": "x = 1\n",
        "apps/fastapi_twin/hello.py": "x = 1\ny = 2\n",
        "apps/flask_twin/validation.py": "x = 1\ny = 2\nz = 3\n",
        "apps/fastapi_twin/validation.py": "x = 1\n",
        "apps/domain/new_user.py": "x = 1\n",
        "apps/fastapi_twin/handlers.py": "x = 1\n",
    }
    found = {each.feature: (each.flask, each.fastapi) for each in lines_by_feature(texts)}
    assert found == {"handlers": (0, 1), "hello": (1, 2), "validation": (3, 2)}


def test_the_twins_themselves_can_be_counted() -> None:
    features = {each.feature: each for each in lines_by_feature(read_sources())}
    assert features["weather"].flask > 0
    assert features["weather"].fastapi > 0


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", 0),
        ("\n\n# only a comment\n", 0),
        ('"""A module."""\n', 0),
        ('"""A module.\n\nOver several lines.\n"""\nx = 1\n', 1),
        ("x = 1", 1),  # no end of line
        ("x = 1  # why\n", 1),
        ("x = 1; y = 2\n", 1),
        ("x = [\n    1,\n\n    # two\n    2,\n]\n", 4),  # neither the blank line nor the comment
        ('class A:\n    """Doc."""\n\n    x = 1\n', 2),
        ('def f():\n    """Doc."""\n', 1),
        ('async def f():\n    """Doc\n    more."""\n    return 1\n', 2),
        ('def f(): """Doc."""\n', 1),
        ('x = """a\nb"""\n', 2),  # a text, not a docstring
        ('x = 1\n"""no docstring"""\n', 2),
        ('f"""a{1}\nb"""\n', 2),
        ("@decorated\ndef f(\n    a: int,\n) -> None: ...\n", 4),
        ("x = 1 + \\\n    2\n", 2),
        ('"""Doc."""; x = 1\n', 1),
    ],
)
def test_lines_with_code_are_counted_and_no_others(text: str, lines: int) -> None:
    assert code_lines(text) == lines


def test_what_is_no_python_is_refused() -> None:
    with pytest.raises(SyntaxError):
        code_lines("def f(:\n")


@given(st.sampled_from(SOURCES), st.data())
def test_comments_and_blank_lines_change_nothing(path: Path, data: st.DataObject) -> None:
    text = path.read_text()
    ends = {node.end_lineno for node in ast.parse(text).body}
    after = data.draw(st.sampled_from(sorted(ends)) if ends else st.just(0))
    lines = text.splitlines(keepends=True)
    changed = "".join([*lines[:after], "\n# a comment\n\n", *lines[after:]])
    assert code_lines(changed) == code_lines(text)
