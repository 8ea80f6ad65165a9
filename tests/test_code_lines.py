"""Lines of code are counted, and the twins' files are found."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.code_lines import code_lines
from harness.planning.files import PROJECT
from harness.planning.scenarios import load_scenarios
from harness.planning.twins import twin_code

SOURCES = sorted((PROJECT / "apps").rglob("*.py"))


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


# ------------------------------------------------------------------------------ twins


def test_every_scenario_finds_a_file_of_each_twin_for_each_of_its_endpoints() -> None:
    for scenario in load_scenarios().values():
        parts = twin_code(scenario.endpoints)
        assert [e for part in parts for e in part.endpoints] == [
            *dict.fromkeys(e for part in parts for e in part.endpoints)
        ]
        assert {e for part in parts for e in part.endpoints} == set(scenario.endpoints)
        for part in parts:
            assert part.of("flask"), (scenario.name, part.name)
            assert part.of("fastapi"), (scenario.name, part.name)


def test_what_features_share_is_there_where_it_is_needed() -> None:
    assert [part.name for part in twin_code(["GET /hello"])] == [
        *("hello", "validation", "OpenAPI document", "application")
    ]
    assert {"database", "upstream"} <= {part.name for part in twin_code(["GET /dashboard/{city}"])}
    (users,) = (p for p in twin_code(["GET /users/{id}", "POST /users/validate"]) if p.endpoints)
    assert users.endpoints == ("GET /users/{id}", "POST /users/validate")
    assert [file.path for file in users.files] == [
        *("apps/flask_twin/users.py", "apps/fastapi_twin/users.py")
    ]


def test_a_model_that_both_twins_can_use_counts_for_the_one_that_needs_it() -> None:
    (validation,) = (p for p in twin_code(["GET /hello"]) if p.name == "validation")
    assert [file.path for file in validation.of("fastapi")] == [
        *("apps/fastapi_twin/validation.py", "apps/domain/new_user.py")
    ]
    assert len(validation.of("flask")) == 1


def test_an_endpoint_that_is_no_more_is_left_out() -> None:
    assert next(part.name for part in twin_code(["GET /gone", "GET /hello"])) == "hello"
