"""From measured rounds to the report: tables, charts and page, from a run's raw data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from harness.errors import BadInput
from harness.models import (
    Analysis,
    ConnectionsAnalysis,
    FailIf,
    Inconclusive,
    MeasuredPart,
    RunRecord,
)


@dataclass(frozen=True, slots=True)
class Judging:
    """What a pipeline asks of a run."""

    fail_ifs: tuple[FailIf, ...] = ()  # empty: those that the run was begun with
    against: Path | None = None  # the saved run that they compare with; likewise
    inconclusive: Inconclusive = Inconclusive.FAIL
    junit: Path | None = None  # where JUnit XML goes


def write_connections_report(folder: Path) -> ConnectionsAnalysis:
    """Make table, chart and page of held connections."""
    from harness import report, store
    from harness.analysis.connections import analyse_connections

    analysis = analyse_connections(store.read_connections(folder))
    store.write_connection_table(folder, analysis)
    store.write_report(folder / "report", report.render_connections(analysis))
    return analysis


def write_run_report(
    folder: Path, same_within: float | None = None, judging: Judging | None = None
) -> Analysis:
    """Make tables, charts and page of a run and of its parts."""
    from harness import report, store
    from harness.analysis import fail_ifs
    from harness.analysis.analyse import analyse
    from harness.analysis.claims import Evidence, judge
    from harness.analysis.profiles import analyse_profile
    from harness.analysis.published import beside
    from harness.measuring.saved import saved_run
    from harness.planning.claims import load_claims, read_sources
    from harness.planning.published import load_published
    from harness.planning.twins import twin_code

    record = store.read_run(folder)
    if same_within is not None:
        record = _judged_within(record, same_within)
    if not record.rounds:
        raise BadInput(f"{folder}: no block was measured to its end, so there is nothing to show")
    analysis = analyse(record, lambda cell: store.read_samples(folder, cell))
    conditions, against = _promises(record, judging or Judging())
    parts = {within: _write_part(within) for within in store.parts_within(folder)}
    evidence = [Evidence(analysis, folder.name)]
    evidence += [Evidence(of, within.name) for within, of in parts.items()]
    if record.plan.parts:  # and not only a scenario or two, which say nothing of the code
        evidence.append(Evidence(read_sources()))
    analysis = replace(
        analysis,
        claims=judge(load_claims(), evidence),
        published=beside(load_published(), analysis),
        fail_ifs=fail_ifs.judge(conditions, analysis, saved_run(against) if against else None),
        parts=tuple(_measured_part(folder, within, of) for within, of in parts.items()),
    )
    store.write_tables(folder, analysis)
    endpoints = [each for block in record.blocks for each in block.scenario.endpoints]
    profiles = [
        analyse_profile(store.read_profile(within), partial(store.read_stacks, within))
        for within in store.profiles_within(folder)
    ]
    files = report.render(analysis, twin_code(endpoints), profiles)
    store.write_report(folder / "report", files)
    return analysis


def _promises(record: RunRecord, judging: Judging) -> tuple[tuple[FailIf, ...], Path | None]:
    """The conditions, and the saved run that they compare with; those of the run if none are given."""
    begun_with = Path(record.plan.against) if record.plan.against else None
    conditions = judging.fail_ifs or record.plan.fail_ifs
    against = judging.against or (None if judging.fail_ifs else begun_with)
    for option, given in (("--against", judging.against), ("--junit", judging.junit)):
        if given and not conditions:
            raise BadInput(f"{option} {given} is about promises: give a --fail-if 'p99>1.10' too")
    return conditions, against


def _write_part(folder: Path) -> Analysis | ConnectionsAnalysis:
    """Make the report of a part of a whole run."""
    from harness import store

    if store.has_connections(folder):
        return write_connections_report(folder)
    return write_run_report(folder, None)


def _measured_part(
    run: Path, folder: Path, analysis: Analysis | ConnectionsAnalysis
) -> MeasuredPart:
    if isinstance(analysis, ConnectionsAnalysis):
        usable = [not each.reason for each in analysis.memory]
    else:
        cells = [cell.valid for cell in analysis.cells]
        usable = cells + [found.valid for found in analysis.capacities]
    return MeasuredPart(folder.name, len(usable), sum(usable), folder.relative_to(run).as_posix())


def _judged_within(record: RunRecord, same_within: float) -> RunRecord:
    """The record with another difference that is too small to matter, and a note that says so."""
    begun_with = record.plan.same_within
    note = (
        f"this report calls differences within ±{same_within:.3g} too small to matter, as "
        f"'--same' asked; the run was begun with ±{begun_with:.3g}"
    )
    plan = replace(record.plan, same_within=same_within)
    notes = record.notes if same_within == begun_with else (*record.notes, note)
    return replace(record, plan=plan, notes=notes)
