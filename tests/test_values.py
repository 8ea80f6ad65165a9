"""How JSON values are compared, and who may compare them without loading a client for checks."""

from __future__ import annotations

import subprocess
import sys

import pytest

from apps.contract import IntegerAbove, TextLike
from harness.checking.values import differing, fits
from harness.planning.files import PROJECT


def test_the_http_client_of_the_load_process_loads_no_parity_check_and_no_websocket_library() -> (
    None
):
    code = "import sys, harness.load.client; print(*sys.modules)"
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    loaded = set(finished.stdout.split())
    assert "harness.load.client" in loaded
    assert not {"harness.checking.parity", "websockets"} & loaded


def test_equal_values_do_not_differ() -> None:
    value = {"a": [1, 2.0, None, True, "x"], "b": {}}
    assert list(differing(value, {"b": {}, "a": [1, 2.0, None, True, "x"]}, "body")) == []


@pytest.mark.parametrize(
    ("expected", "actual", "difference"),
    [
        (1, 1.0, "body is 1.0 instead of 1"),
        (1, True, "body is True instead of 1"),
        ({"a": 1}, {}, "body.a is missing"),
        ({}, {"a": 1}, "body.a is there and should not be"),
        ({"a": [1]}, {"a": [2]}, "body.a[0] is 2 instead of 1"),
        ([1], [1, 2], "body has 2 elements instead of 1"),
        (IntegerAbove(3), 3, "body is 3 instead of an integer above 3"),
        (TextLike("a+"), "ab", "body is 'ab' instead of a text like a+"),
    ],
)
def test_a_difference_is_named_with_its_place(
    expected: object, actual: object, difference: str
) -> None:
    assert list(differing(expected, actual, "body")) == [difference]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("placeholder", "actual", "fitting"),
    [
        (IntegerAbove(3), 4, True),
        (IntegerAbove(3), 3, False),
        (IntegerAbove(3), 4.0, False),
        (IntegerAbove(0), True, False),
        (TextLike(r"\d+"), "12", True),
        (TextLike(r"\d+"), "12\n", False),
        (TextLike(r"\d+"), 12, False),
    ],
)
def test_a_placeholder_stands_for_values_of_its_type_and_form_alone(
    placeholder: IntegerAbove | TextLike, actual: object, fitting: bool
) -> None:
    assert fits(placeholder, actual) is fitting
