"""The report of a run, made from an analysis alone: page, summary, charts and terminal tables.

`view` puts an analysis into the order in which it is read; `words`, `charts` and `sections` say
what the report contains; `page`, `markdown` and `terminal` render it. Nothing here reads or writes
a file of a run. `checkup` shows what `calibrate` and `doctor` found. The folder
may import `planning` and `analysis`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import RenderableType

from harness.models import Advice, Analysis, CodePart, Costing, ProfileAnalysis
from harness.planning.advice import Suggestion
from harness.report.advice import advice_section
from harness.report.between import between_terminal, render_between
from harness.report.charts import chart_of, pictures
from harness.report.connections import connections_terminal, render_connections
from harness.report.junit import junit
from harness.report.markdown import markdown
from harness.report.page import page
from harness.report.parity import parity_page, parity_terminal
from harness.report.profile import drawings, flame_files, profile_terminal, render_profile
from harness.report.pull_request import pull_request
from harness.report.sections import sections
from harness.report.sections.cost import asked
from harness.report.terminal import Terminal
from harness.report.view import View
from harness.report.words.claims import lines as claims_lines
from harness.report.words.heading import heading
from harness.report.words.promises import lines as promise_lines

__all__ = [
    "advice_terminal",
    "between_terminal",
    "chart_of",
    "claims_lines",
    "connections_terminal",
    "cost_terminal",
    "junit",
    "parity_page",
    "parity_terminal",
    "profile_terminal",
    "promise_lines",
    "pull_request",
    "render",
    "render_between",
    "render_connections",
    "render_profile",
    "terminal",
]


def render(
    analysis: Analysis,
    twins: Sequence[CodePart] = (),
    profiles: Sequence[ProfileAnalysis] = (),
) -> dict[str, bytes]:
    """The files of a report: index.html, summary.md, and the charts as SVG and PNG.

    The same analysis gives the same bytes.

    Args:
        analysis: What was measured and what follows from it.
        twins: The code that was measured, to be read side by side.
        profiles: Where the CPU time goes, each in another scenario.

    Returns:
        Path within the report's folder -> content, index.html first.
    """
    view = View(analysis)
    drawn = pictures(view) | drawings(profiles)
    head, declared = heading(view), sections(view, twins, profiles)
    files = {
        "index.html": page(head, declared, drawn).encode(),
        "summary.md": markdown(head, declared, drawn).encode(),
    }
    for name, picture in drawn.items():
        files[f"charts/{name}.svg"] = picture.svg.encode()
        files[f"charts/{name}.png"] = picture.png
    return files | flame_files(profiles)


def terminal(analysis: Analysis) -> RenderableType:
    """The results as tables, as wide as the terminal lets them be."""
    return Terminal(sections(View(analysis)))


def cost_terminal(costing: Costing) -> RenderableType:
    """What each stack needs for a demand, as a table."""
    return Terminal((asked(costing),))


def advice_terminal(
    advice: Advice, suggestions: Sequence[Suggestion], answers: Mapping[str, bool | None]
) -> RenderableType:
    """The answer to a question about a traffic."""
    return Terminal((advice_section(advice, suggestions, answers),))
