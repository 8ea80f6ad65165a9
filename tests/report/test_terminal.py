import pytest

from harness.models import Analysis
from tests import analyses
from tests.report.odd import ODD
from tests.report.reading import folded, shown

pytestmark = pytest.mark.busy


@pytest.mark.parametrize("width", [60, 80, 100, 120])
@pytest.mark.parametrize("rate_rps", [None, 300])
def test_terminal_table_fits(rate_rps: float | None, width: int) -> None:
    lines = shown(analyses.analysis(rate_rps=rate_rps), width).splitlines()
    assert max(map(len, lines)) <= width
    assert "faster" in "".join(lines)


@pytest.mark.parametrize("case", ODD)
def test_odd_runs_fit_too(case: str) -> None:
    for width in (60, 80, 120):
        assert max(map(len, shown(ODD[case], width).splitlines())) <= width


def test_a_terminal_says_which_ratio_it_shows_where_not_all_are_the_same(whole: Analysis) -> None:
    words = "users-validate: the ratio is that of the median latency, p50"
    assert words in folded(shown(ODD["open and closed load"], 80))
    assert "the ratio is that of" not in shown(whole, 80)
    assert "the ratio is that of" not in shown(ODD["open load"], 80)


def test_terminal_table_shows_more_where_there_is_room(whole: Analysis) -> None:
    assert "p99 ms" in shown(whole, 100)
    assert "p99 ms" not in shown(whole, 80)
    assert "[95 %]" in shown(whole, 80)
    assert "…" not in shown(whole, 80)
