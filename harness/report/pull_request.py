"""A run in a few lines of Markdown, to be pasted into a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.models import Analysis
from harness.report import formats
from harness.report.content import Block, Finding, Findings, Output, Section, Table
from harness.report.markdown import excerpt
from harness.report.sections import sections
from harness.report.view import View
from harness.report.words.heading import title, when

#: Sections whose first table is what the reader came for. A run has one of them.
_HEADLINES = ("comparisons", "capacity", "map")
_ALL = "cells"
_REMARKS = "remarks"
_PROMISES = "promises"


def pull_request(analysis: Analysis) -> str:
    """Headline table, validity and machine; every measurement where the reader unfolds it."""
    view = View(analysis)
    declared = sections(view)
    headlines = list(_tables(declared, _HEADLINES))
    return excerpt(
        title(view),
        headlines[0] if headlines else None,
        (Finding(_validity(view)), *_remarks(declared), Finding(_where(view))),
        tuple(_tables(declared, (_ALL,))),
        next((section for section in declared if section.id == _PROMISES), None),
    )


def _blocks(declared: Sequence[Section], names: Sequence[str]) -> Iterator[Block]:
    return (block for section in declared if section.id in names for block in section.blocks)


def _tables(declared: Sequence[Section], names: Sequence[str]) -> Iterator[Table]:
    for block in _blocks(declared, names):
        if isinstance(block, Table) and Output.MARKDOWN in block.outputs:
            yield block


def _remarks(declared: Sequence[Section]) -> Iterator[Finding]:
    """What is invalid or was disturbed, and why."""
    for block in _blocks(declared, (_REMARKS,)):
        if isinstance(block, Findings):
            yield from block.findings


def _validity(view: View) -> str:
    """How many measurements can be used."""
    valid = [cell.valid for cell in view.analysis.cells]
    valid += [found.valid for found in view.analysis.capacities]
    if not valid:
        return "No measurement has finished."
    counted = formats.plural(len(valid), "measurement")
    return f"{sum(valid):,} of {counted} valid, {view.rounds_words}."


def _where(view: View) -> str:
    """Machine, versions and run."""
    known = view.run.environment
    cores = known.get("usable_cores")
    machine = (
        formats.plural(len(cores), "core") if isinstance(cores, Sequence) else "",
        str(known.get("cpu") or ""),
    )
    facts = (" of ".join(filter(None, machine)), str(known.get("python") or ""), *_versions(view))
    place = ", ".join(formats.clean(fact) for fact in facts if fact)
    moment = when(view.run.started, view.run.ended)
    return f"{place or 'The machine is not known'}. Run {view.run.run_id}, {moment}."


def _versions(view: View) -> Iterator[str]:
    """Frameworks and servers of the stacks, as in `flask 3.1.3`."""
    packages = view.run.environment.get("packages")
    if not isinstance(packages, Mapping):
        return
    versions = {str(name).lower(): str(version) for name, version in packages.items()}
    stacks = view.stacks.values()
    for name in dict.fromkeys((*(each.twin for each in stacks), *(each.server for each in stacks))):
        if name in versions:
            yield f"{name} {versions[name]}"
