"""Expressions that name places in JSON."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checking.json_paths import json_path, written
from harness.errors import BadInput

PLACES = st.lists(st.text(max_size=6) | st.integers(0, 99), max_size=5).map(tuple)


@pytest.mark.parametrize(
    ("expression", "covered", "others"),
    [
        ("$", [(), ("a",), ("a", 0)], []),
        ("$.a", [("a",), ("a", "b"), ("a", 3)], [(), ("b",), ("b", "a"), ("A",)]),
        (
            "$.items[*].id",
            [("items", 0, "id"), ("items", 9, "id")],
            [("items",), ("items", 0), ("items", 0, "x")],
        ),
        ("$.items[3]", [("items", 3), ("items", 3, "x")], [("items", 33), ("items", "3")]),
        ("$..updated", [("updated",), ("a", 0, "updated"), ("updated", "x")], [("a",), ("b", "c")]),
        ("$.a..b.c", [("a", "b", "c"), ("a", "x", 0, "b", "c")], [("b", "c"), ("a", "b")]),
        ("$.*", [("a",), (0,)], [()]),
        ("$..[0]", [(0,), ("a", 0)], [("a", 1)]),
        ("$['odd name']", [("odd name",)], [("odd",)]),
        ("$['it\\'s']", [("it's",)], []),
        ('$["a"].b-c', [("a", "b-c")], [("a", "b")]),
        (" $.a ", [("a",)], []),
    ],
)
def test_an_expression_covers_places_and_what_is_below_them(
    expression: str, covered: list[tuple[str | int, ...]], others: list[tuple[str | int, ...]]
) -> None:
    path = json_path(expression)
    assert [place for place in covered if not path.covers(place)] == []
    assert [place for place in others if path.covers(place)] == []


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "created_at",
        ".a",
        "$a",
        "$.",
        "$..",
        "$.a[",
        "$.a[-1]",
        "$.a[?(@.x)]",
        "$.a[1:2]",
        "$.a b",
        "$['a]",
    ],
)
def test_what_is_none_is_refused_with_an_example(expression: str) -> None:
    with pytest.raises(BadInput, match=r"--ignore .*'\$\.created_at'"):
        json_path(expression)


@given(PLACES)
def test_a_place_as_it_is_written_names_itself(place: tuple[str | int, ...]) -> None:
    path = json_path(written(place))
    assert path.covers(place)
    assert not any(path.covers(place[:end]) for end in range(len(place)))
    assert written(place).isprintable()


@given(PLACES)
def test_folded_places_name_all_elements(place: tuple[str | int, ...]) -> None:
    other = tuple(key + 1 if isinstance(key, int) else key for key in place)
    assert written(place, is_folded=True) == written(other, is_folded=True)
    assert json_path(written(place, is_folded=True)).covers(other)
