import pytest

from harness.models import Analysis
from tests import analyses
from tests.report.reading import shown

pytestmark = pytest.mark.busy


@pytest.mark.parametrize("width", [60, 80, 100, 120])
@pytest.mark.parametrize("rate_rps", [None, 300])
def test_terminal_table_fits(rate_rps: float | None, width: int) -> None:
    lines = shown(analyses.analysis(rate_rps=rate_rps), width).splitlines()
    assert max(map(len, lines)) <= width
    assert "faster" in "".join(lines)


def test_terminal_table_shows_more_where_there_is_room(whole: Analysis) -> None:
    assert "p99 ms" in shown(whole, 100)
    assert "p99 ms" not in shown(whole, 80)
    assert "[95 %]" in shown(whole, 80)
    assert "…" not in shown(whole, 80)
