"""What the report says, section by section, in the order in which it is read.

Each section is declared once; `page`, `markdown` and `terminal` render it.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.models import CodePart, ProfileAnalysis
from harness.report.content import Section
from harness.report.profile import within_run
from harness.report.sections import (
    answers,
    capacity,
    claims,
    code,
    comparisons,
    cost,
    curves,
    environment,
    gates,
    maps,
    measurements,
    method,
    overview,
    parts,
    promises,
    published,
    replies,
    resources,
)
from harness.report.view import View


def sections(
    view: View, twins: Sequence[CodePart] = (), profiles: Sequence[ProfileAnalysis] = ()
) -> tuple[Section, ...]:
    """The sections that a run has something for.

    Args:
        view: What everything but the code is made from.
        twins: The twins' code, for a run that measures both.
        profiles: Where the CPU time goes in some of its scenarios.
    """
    if view.only_searches:
        return _present(
            capacity.capacity(view),
            replies.replies(view),
            cost.example(view),
            claims.claims(view),
            method.method(view),
            environment.environment(view),
            environment.repeat(view),
            overview.remarks(view),
        )
    if view.analysis.maps:
        # So many loads that an answer and a panel for each would hide the map.
        return _present(
            promises.promises(view),
            maps.grids(view),
            maps.maps(view),
            measurements.measurements(view),
            gates.gates(view),
            method.method(view),
            method.limits(view),
            environment.environment(view),
            environment.repeat(view),
            overview.remarks(view),
        )
    return _present(
        promises.promises(view),
        overview.table(view),
        answers.answers(view),
        answers.surprises(view),
        replies.replies(view),
        claims.claims(view),
        parts.parts(view),
        curves.curves(view),
        capacity.capacity(view),
        cost.example(view),
        comparisons.comparisons(view),
        comparisons.steps(view),
        published.published(view),
        measurements.charts(view),
        measurements.measurements(view),
        resources.resources(view),
        within_run(profiles),
        code.side_by_side(view, twins),
        gates.gates(view),
        method.method(view),
        method.limits(view),
        environment.environment(view),
        environment.repeat(view),
        overview.remarks(view),
    )


def _present(*sections: Section | None) -> tuple[Section, ...]:
    return tuple(section for section in sections if section is not None)
