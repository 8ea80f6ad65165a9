"""The charts, a file for each: the words around it and how it is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.errors import UnknownName
from harness.models import Analysis
from harness.report.charts import (
    capacity,
    cost,
    cpu,
    curves,
    latency,
    load_shares,
    memory,
    ratios,
    throughput,
    timeline,
    tradeoff,
    waterfall,
    winners,
    workers,
)
from harness.report.charts.caption import Caption
from harness.report.charts.sheet import Sheet, png
from harness.report.charts.svg import stacks_of, svgs
from harness.report.view import View


@dataclass(frozen=True, slots=True)
class Chart:
    """One question, and how it is answered by a picture."""

    caption: Callable[[View], Caption]
    draw: Callable[[View, Caption], Sheet]
    contents: str  # what the table of contents calls it
    of_requests: bool = False  # whether starts have nothing to show in it
    of_ladders: bool = False
    of_curves: bool = False
    of_workers: bool = False  # whether it is about stacks with several numbers of workers
    of_capacity: bool = False
    of_load_shares: bool = False
    of_maps: bool = False
    of_cost: bool = False

    def has_something(self, view: View) -> bool:
        """Whether the run has anything that the chart shows."""
        if self.of_capacity:
            return bool(view.analysis.capacities)
        if self.of_maps or view.analysis.maps:
            return self.of_maps and bool(view.analysis.maps)
        if self.of_load_shares:
            return bool(load_shares.shown(view))
        if self.of_cost:
            return bool(view.analysis.costings)
        if view.only_searches:
            return False
        if self.of_ladders:
            return bool(view.climbing)
        if self.of_curves:
            return bool(view.curve_sets)
        if self.of_workers and not any(stack.with_its_number for stack in view.stacks.values()):
            return False
        return not self.of_requests or bool(view.answering) or not view.analysis.cells


#: In the order of the page.
CHARTS: Mapping[str, Chart] = {
    "map": Chart(winners.caption, winners.draw, "", of_maps=True),
    "curves": Chart(curves.caption, curves.draw, "", of_curves=True),
    "tradeoff": Chart(tradeoff.caption, tradeoff.draw, "", of_curves=True),
    "capacity": Chart(capacity.caption, capacity.draw, "", of_capacity=True),
    "load-shares": Chart(load_shares.caption, load_shares.draw, "", of_load_shares=True),
    "cost": Chart(cost.caption, cost.draw, "", of_cost=True),
    "ratios": Chart(ratios.caption, ratios.draw, ""),
    "waterfall": Chart(waterfall.caption, waterfall.draw, "", of_ladders=True),
    "throughput": Chart(throughput.caption, throughput.draw, "Throughput", of_requests=True),
    "latency": Chart(latency.caption, latency.draw, "Latency", of_requests=True),
    "cpu": Chart(cpu.caption, cpu.draw, "CPU time"),
    "memory": Chart(memory.caption, memory.draw, "Memory"),
    "workers": Chart(workers.caption, workers.draw, "Workers", of_requests=True, of_workers=True),
    "timeline": Chart(timeline.caption, timeline.draw, "Timeline", of_requests=True),
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart of one run, drawn."""

    caption: Caption
    svg: str  # a whole document
    inline_svg: str  # an element without a heading, with ids of its own
    png: bytes
    stacks: tuple[str, ...] = ()  # those that a reader of the page may hide


def pictures(view: View) -> dict[str, Picture]:
    """The charts that have something to show, each made once."""
    return {
        name: _picture(name, chart, view)
        for name, chart in CHARTS.items()
        if chart.has_something(view)
    }


def chart_of(analysis: Analysis, name: str) -> Sheet:
    """One chart, to be shown or changed by whoever asks for it.

    Raises:
        UnknownName: There is no such chart, or it would show nothing.
    """
    view = View(analysis)
    shown = {key: chart for key, chart in CHARTS.items() if chart.has_something(view)}
    if name not in shown:
        raise UnknownName("chart", name, shown)
    return shown[name].draw(view, shown[name].caption(view))


def _picture(name: str, chart: Chart, view: View) -> Picture:
    caption = chart.caption(view)
    return picture(name, caption, chart.draw(view, caption))


def picture(name: str, caption: Caption, sheet: Sheet) -> Picture:
    """A sheet in all its forms."""
    whole, inline = svgs(sheet, name, caption.alt)
    return Picture(caption, whole, inline, png(sheet), stacks_of(sheet))
