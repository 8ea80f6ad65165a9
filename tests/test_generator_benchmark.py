"""How `make bench-generator` reads and compares figures; no test judges a speed."""

import pytest

from harness.errors import LoadFailed
from tests.benchmarks import generator

WRK = """
  Latency Distribution
     50%  {median}
     75%  126.00us
Requests/sec: 117042.55
"""


@pytest.mark.parametrize(("median", "us"), [("61.00us", 61.0), ("1.20ms", 1200.0), ("2.00s", 2e6)])
def test_the_output_of_wrk_is_read_in_all_its_units(median: str, us: float) -> None:
    assert generator.parse_wrk(WRK.format(median=median)) == (117042.55, us)


@pytest.mark.parametrize("output", ["", WRK.format(median="61.00us") + "Non-2xx responses: 3"])
def test_output_without_figures_or_with_failures_is_refused(output: str) -> None:
    with pytest.raises(LoadFailed):
        generator.parse_wrk(output)


@pytest.mark.parametrize(
    ("target", "met"), [("≥ 0.6", True), ("≥ 0.9", False), ("≤ 1.15", True), ("≤ 0.7", False)]
)
def test_a_target_is_met_by_the_ratio_of_the_rounds(target: str, met: bool) -> None:
    row = generator.compared("ours ÷ wrk", [70, 160], [100, 200], "requests/s", target)
    assert row.ratio.replace("\u00a0", " ").startswith("0.75 ×")
    assert row.met is met


def test_without_wrk_there_is_a_figure_and_no_ratio() -> None:
    row = generator.compared("ours ÷ wrk", [100, 100], [], "requests/s", "≥ 0.6")
    assert (row.figure, row.ratio, row.met) == ("100 requests/s", "", None)
