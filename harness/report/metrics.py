"""Every metric of the report, defined once: its unit, its direction and the words for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.analysis.percentiles import QUANTILES
from harness.models import CellSummary, Estimate
from harness.report import formats

_UNKNOWN = Estimate(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True, slots=True)
class Percentile:
    """A percentile of latency that the report shows."""

    key: str  # as in CellSummary.latency_ms: "p999"
    quantile: float  # in 0…1
    label: str  # "p99.9"
    words: str  # in a sentence: "median"


PERCENTILES: Mapping[str, Percentile] = {
    key: Percentile(
        key,
        quantile,
        label=f"p{100 * quantile:g}",
        words="median" if quantile == 0.5 else f"p{100 * quantile:g}",
    )
    for key, quantile in QUANTILES.items()
}


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric by which stacks are described or compared."""

    key: str  # its column in the CSV files
    name: str  # in a sentence: "median latency"
    unit: str  # beside a figure that stands alone: "ms"
    heading: str  # above ratios: "Median latency"
    column: str  # above figures: "p50 ms"
    more_is_better: bool
    #: What a stack did, with the ratio to the baseline; "as Flask" can follow.
    ratio: str
    same: str  # what two stacks did that can't be told apart
    more: str  # what a stack did whose ratio is above 1; "than Flask" can follow
    less: str  # the same of a ratio below 1
    above: str  # which direction of an axis is which: "more requests"
    below: str
    percentile: Percentile | None = None  # of a latency

    def of(self, cell: CellSummary) -> Estimate:
        """The figure of a cell."""
        if self.percentile:
            return cell.latency_ms.get(self.percentile.key, _UNKNOWN)
        if self.key == MEMORY.key:
            return replace(_UNKNOWN, value=cell.pss_mib)
        estimate: Estimate = getattr(cell, self.key)
        return estimate

    def with_unit(self, value: float) -> str:
        """As in `4,120 requests/s`."""
        return f"{formats.number(value)}{formats.NBSP}{self.unit}"

    def better(self) -> str:
        """What the better of two stacks did."""
        return self.more if self.more_is_better else self.less

    def worse(self) -> str:
        """What the worse of two stacks did."""
        return self.less if self.more_is_better else self.more


def _latency(percentile: Percentile, heading: str, whose: str) -> Metric:
    return Metric(
        key=f"latency_{percentile.key}_ms",
        name=f"{percentile.words} latency",
        unit="ms",
        heading=heading,
        column=f"{percentile.label} ms",
        more_is_better=False,
        ratio=f"took {{ratio}} as long for {whose}",
        same=f"took the same time for {whose}",
        more=f"took more time for {whose}",
        less=f"took less time for {whose}",
        above="more time",
        below="less time",
        percentile=percentile,
    )


THROUGHPUT = Metric(
    key="throughput_rps",
    name="requests per second",
    unit="requests/s",
    heading="Requests/s",
    column="Requests/s",
    more_is_better=True,
    ratio="served {ratio} as many requests per second",
    same="served the same number of requests per second",
    more="served more requests per second",
    less="served fewer requests per second",
    above="more requests",
    below="fewer requests",
)
MEDIAN = _latency(PERCENTILES["p50"], "Median latency", "the median request")
P90 = _latency(PERCENTILES["p90"], "p90 latency", "the slowest of ten requests")
P99 = _latency(PERCENTILES["p99"], "p99 latency", "the slowest of a hundred requests")
P999 = _latency(PERCENTILES["p999"], "p99.9 latency", "the slowest of a thousand requests")
LATENCIES = (MEDIAN, P90, P99, P999)
CPU = Metric(
    key="cpu_us_per_request",
    name="CPU time per request",
    unit="µs",
    heading="CPU per request",
    column="CPU µs",
    more_is_better=False,
    ratio="used {ratio} as much CPU time per request",
    same="used the same CPU time per request",
    more="used more CPU time per request",
    less="used less CPU time per request",
    above="more CPU time",
    below="less CPU time",
)
MEMORY = Metric(
    key="pss_mib",
    name="memory",
    unit="MiB",
    heading="Memory",
    column="Memory MiB",
    more_is_better=False,
    ratio="took {ratio} as much memory",
    same="took the same memory",
    more="took more memory",
    less="took less memory",
    above="more memory",
    below="less memory",
)

#: In place of MEDIAN and CPU where a sample is a start and not a request.
START = replace(
    MEDIAN,
    name="median start time",
    heading="Median start",
    ratio="took {ratio} as long to start",
    same="took the same time to start",
    more="took more time to start",
    less="took less time to start",
)
CPU_OF_START = replace(CPU, name="CPU time per start", heading="CPU per start")

#: What stacks are compared by, in the order of the report's columns.
COMPARED: Mapping[str, Metric] = {metric.key: metric for metric in (THROUGHPUT, MEDIAN, P99, CPU)}
COMPARED_STARTS: Mapping[str, Metric] = {**COMPARED, START.key: START, CPU.key: CPU_OF_START}
#: What can decide a scenario, in the order of the report.
HEADLINES = (THROUGHPUT, MEDIAN, START)
