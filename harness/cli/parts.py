"""Measures the parts of a whole run, each into a folder of its own."""

from __future__ import annotations

from pathlib import Path

from harness.errors import TwinbenchError
from harness.models import Calibration, ConnectionsPlan, Plan, ProfilePlan, RunRecord
from harness.planning.parts import Part


def missing_parts(folder: Path, record: RunRecord) -> list[Part]:
    """The parts of a run that were not measured to their end.

    Args:
        folder: The run's.
        record: Its plan says which parts it has.
    """
    if not record.plan.parts:
        return []
    from harness.planning.parts import parts
    from harness.planning.plan import load_catalogue

    cores = max(1, len(record.placement.servers))
    planned = parts(load_catalogue(), seed=record.plan.seed, cores=cores)
    return [
        part
        for part in planned
        if part.name in record.plan.parts and not _ended(folder / _where(part))
    ]


def measure_parts(folder: Path, record: RunRecord) -> None:
    """Measure what is missing, part by part; a part that fails does not keep the others from it.

    Raises:
        TwinbenchError: The first that a part failed with, after all others were measured.
        Interrupted: At once; what was measured is kept.
    """
    failed: list[TwinbenchError] = []
    missing = missing_parts(folder, record)
    for number, part in enumerate(missing, 1):
        _say(f"part {number} of {len(missing)}: {part.name}")
        try:
            _measure(part, folder / _where(part), record.calibration)
        except TwinbenchError as error:
            error.add_note(f"while {part.name} was measured; the other parts were")
            _say(f"{part.name} failed: {error}")
            failed.append(error)
    if failed:
        raise failed[0]


def _measure(part: Part, within: Path, calibration: Calibration | None) -> None:
    from harness import store

    store.make_part(within)
    match part.plan:
        case Plan():
            _measure_run(part.plan, within, calibration)
        case ConnectionsPlan():
            _measure_connections(part.plan, within)
        case ProfilePlan():
            _measure_profile(part.plan, within)


def _where(part: Part) -> Path:
    """The folder of a part within that of the run; profiles are where a report looks for them."""
    from harness import store

    is_profile = isinstance(part.plan, ProfilePlan)
    return Path(store.PROFILES_FOLDER if is_profile else store.PARTS_FOLDER) / part.name


def _measure_run(plan: Plan, folder: Path, calibration: Calibration | None) -> None:
    from harness.cli.output import progress_console
    from harness.cli.progress import showing
    from harness.measuring import runner

    console = progress_console()
    begun = (folder / "run.json").is_file()
    _say(f"{'continuing' if begun else 'measuring'} {folder.name} → {folder}")
    if begun:
        from harness import store

        record = store.read_run(folder)
        with showing(record.plan, console, folder, measured=record.rounds) as listener:
            runner.resume(folder, listener)
        return
    with showing(plan, console, folder) as listener:
        runner.run(plan, folder, listener, calibration=calibration)


def _measure_connections(plan: ConnectionsPlan, folder: Path) -> None:
    from harness import store
    from harness.machine import open_files
    from harness.measuring import by_connections

    open_files.check_held(max(plan.counts))
    _say(f"holding connections → {folder}")
    if store.has_connections(folder):
        by_connections.resume(folder, _say)
    else:
        by_connections.measure(plan, folder, _say)


def _measure_profile(plan: ProfilePlan, folder: Path) -> None:
    """Sample anew unless it was sampled to its end: a profile is not resumed."""
    from harness.measuring import by_profile

    _say(f"sampling {plan.block.key} → {folder}")
    by_profile.measure(plan, folder, _say)


def _ended(folder: Path) -> bool:
    """Whether what a folder holds was measured to its end."""
    from harness import store

    if (folder / "run.json").is_file():
        return store.read_run(folder).ended is not None
    if store.has_connections(folder):
        return store.read_connections(folder).ended is not None
    return store.is_whole_profile(folder)


def _say(what: str) -> None:
    from harness.cli.output import progress_console

    progress_console().print(what, highlight=False, soft_wrap=True)
