import math

import pytest

from harness.report import formats

pytestmark = pytest.mark.busy


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (4123, "4,120"),
        (51.23, "51.2"),
        (9.996, "10.0"),
        (0.51234, "0.512"),
        (0, "0"),
        (math.nan, formats.NOTHING),
    ],
)
def test_numbers_have_three_digits(value: float, words: str) -> None:
    assert formats.number(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (2.3442, "2.34 ×"),
        (1, "1.00 ×"),
        (12.34, "12.3 ×"),
        (0.2081, "0.21 ×"),
        (0.5, "0.50 ×"),
        (0.0334, "0.033 ×"),
    ],
)
def test_ratios_have_the_digits_that_matter(value: float, words: str) -> None:
    assert formats.ratio(value).replace(formats.NBSP, " ") == words


def test_a_limit_far_from_its_ratio_has_decimals_of_its_own() -> None:
    interval = formats.ratio_interval(0.61, 0.002764, 134.78).replace(formats.NBSP, " ")
    assert interval == "[0.0028, 135]"


def test_limits_have_the_decimals_of_their_ratio() -> None:
    interval = formats.ratio_interval(1.02, 0.9904, 1.0512).replace(formats.NBSP, " ")
    assert interval == "[0.99, 1.05]"
    assert formats.ratio_interval(1.02, math.nan, math.nan) == "no interval"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(45, "45 s"), (60, "1 min"), (380, "6 min 20 s"), (3900, "1 h 5 min"), (59.9, "60 s")],
)
def test_durations_read_as_spoken(seconds: float, words: str) -> None:
    assert formats.duration(seconds).replace(formats.NBSP, " ") == words


def test_a_percent_sign_stands_apart_from_its_figure_and_urls_stay_as_they_are() -> None:
    assert formats.clean("95% of 1.5%, /S%C3%A3o") == (
        f"95{formats.NBSP}% of 1.5{formats.NBSP}%, /S%C3%A3o"
    )
    assert formats.clean("/a1%2F") == "/a1%2F"
