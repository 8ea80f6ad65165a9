"""Bars of CPU time per request, or per start."""

from __future__ import annotations

from collections.abc import Sequence

from harness.models import CellSummary, Estimate, Measures
from harness.report import formats
from harness.report.charts.caption import Caption, as_alt, cell_facts, joined, loads, whiskers
from harness.report.charts.panels import bar_panels
from harness.report.charts.sheet import Sheet, styled
from harness.report.view import Part, View
from harness.report.words.method import TEST_CLIENT_HOLDS


def caption(view: View) -> Caption:
    """The words around the chart."""
    of_requests = bool(view.answering) or not view.parts
    of_starts = len(view.answering) < len(view.parts)
    has_test_client = any(
        part.plan.scenario.measures is Measures.TEST_CLIENT for part in view.parts
    )
    return Caption(
        title=(
            "How much CPU time does one request cost the server?"
            if of_requests
            else "How much CPU time does a start take?"
        ),
        note=joined(
            _what(of_requests=of_requests, of_starts=of_starts), loads(view.parts), whiskers(view)
        ),
        reading=(
            "Shorter bars are better. CPU time per request is far steadier than throughput on a "
            "busy machine, and it is what a request costs in capacity: database, upstream and load "
            "generator are not included." + (f" {TEST_CLIENT_HOLDS}" if has_test_client else "")
        ),
        alt=as_alt(_facts(view.parts)),
    )


def _what(*, of_requests: bool, of_starts: bool) -> str:
    """What the bars are."""
    whole = "CPU time of the server's whole process tree"
    if not of_starts:
        return f"{whole} per request, in µs"
    if not of_requests:
        return f"{whole} from spawn until at rest, in ms"
    return f"{whole} per request, in µs; per start until at rest, in ms"


def _facts(parts: Sequence[Part]) -> list[str]:
    return [
        fact
        for part in parts
        for fact in cell_facts((part,), _of_start if part.counts_starts else _of_request)
    ]


def _of_request(cell: CellSummary) -> str:
    return f"{formats.number(cell.cpu_us_per_request.value)} µs of CPU per request"


def _of_start(cell: CellSummary) -> str:
    return f"{formats.number(cell.cpu_us_per_request.value / 1000)} ms of CPU per start"


@styled
def draw(view: View, caption: Caption) -> Sheet:
    """A panel for each part."""
    return bar_panels(view, caption, view.parts, _cost, unit=_unit)


def _unit(part: Part) -> str:
    return "ms per start" if part.counts_starts else ""


def _cost(part: Part, cell: CellSummary) -> Estimate:
    """In µs, or in ms of starts: a start costs thousands of times what a request does."""
    cost = cell.cpu_us_per_request
    if not part.counts_starts:
        return cost
    return Estimate(cost.value / 1000, cost.low / 1000, cost.high / 1000)
