"""Each metric is defined once, and the rest of the project agrees with it."""

from dataclasses import fields

import pytest

from harness.analysis.percentiles import QUANTILES
from harness.models import Comparison, Verdict
from harness.report import metrics
from harness.report.metrics import COMPARED, CPU, LATENCIES, MEMORY, PERCENTILES, THROUGHPUT
from harness.report.verdicts import MARKS
from harness.store import SUMMARY_COLUMNS
from tests import analyses


def test_every_metric_is_a_column_of_the_summary() -> None:
    shown = (THROUGHPUT, *LATENCIES, CPU, MEMORY)
    names = {field.name for field in fields(Comparison)}
    assert "metric" in names
    assert all(metric.key in SUMMARY_COLUMNS for metric in shown)
    of_requests = {column for column in SUMMARY_COLUMNS if column.endswith(("_ms", "_rps"))}
    assert of_requests - {"pause_p50_ms", "pause_max_ms"} <= {metric.key for metric in shown}


def test_percentiles_have_the_numbers_of_the_analysis() -> None:
    assert {key: percentile.quantile for key, percentile in PERCENTILES.items()} == QUANTILES
    assert [percentile.label for percentile in PERCENTILES.values()] == [
        "p50",
        "p90",
        "p99",
        "p99.9",
    ]


def test_a_metric_reads_its_figure_from_a_cell() -> None:
    cell = analyses.analysis(scenarios=["hello"]).cells[0]
    assert THROUGHPUT.of(cell) == cell.throughput_rps
    assert metrics.P99.of(cell) == cell.latency_ms["p99"]
    assert CPU.of(cell) == cell.cpu_us_per_request
    assert MEMORY.of(cell).value == cell.pss_mib


def test_its_direction_agrees_with_the_verdicts() -> None:
    decided = [
        made
        for made in analyses.analysis().comparisons
        if made.verdict in (Verdict.FASTER, Verdict.SLOWER)
    ]
    assert {made.metric for made in decided} == set(COMPARED)
    for made in decided:
        better = (made.ratio > 1) == COMPARED[made.metric].more_is_better
        assert better == (made.verdict is Verdict.FASTER)
        metric = COMPARED[made.metric]
        assert {metric.better(), metric.worse()} == {metric.more, metric.less}


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_a_look(verdict: Verdict) -> None:
    assert MARKS[verdict].sign
    signs = [mark.sign for mark in MARKS.values()]
    assert len(signs) == len(set(signs))
