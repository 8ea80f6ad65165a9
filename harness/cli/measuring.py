"""From a plan to measured rounds, for all commands that measure one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from harness.errors import BadInput
from harness.models import Calibration, Plan, SliceSource
from harness.planning.options import RunOptions

#: Options that `--resume` leaves any use for; a run that was begun has its plan.
_BESIDE_RESUME = frozenset({"resume", "out", "as_json", "inconclusive", "junit"})


def calibration_of_this_machine(out: Path) -> Calibration | None:
    """What `twinbench calibrate` found here; None if it was not run."""
    from harness import store
    from harness.machine import environment

    return store.read_calibration(out, environment.fingerprint())


def with_saved_run(options: RunOptions, out: Path, junit: Path | None) -> RunOptions:
    """The options with the folder of the saved run that promises compare with.

    Args:
        options: As given.
        out: Folder that holds all runs.
        junit: Where what became of the promises is written to.

    Raises:
        BadInput: There is no such run, or it can't be used; or there are no promises to write.
    """
    from harness.cli.measured import find_saved_run

    if junit is not None and not options.fail_ifs:
        raise BadInput(f"--junit {junit} is about promises: give a --fail-if 'p99>1.10' too")
    folder = find_saved_run(out, options.against)
    return options if folder is None else replace(options, against=str(folder))


def _refuse_unlike_saved_run(plan: Plan) -> None:
    """Refuse a saved run that has nothing in common with a plan, before minutes are spent on it.

    Raises:
        BadInput: That is so.
    """
    from harness import store

    if not plan.against:
        return
    saved = {block.key for block in store.read_run(Path(plan.against)).blocks}
    if not saved & {block.key for block in plan.blocks}:
        raise BadInput(
            f"--against {plan.against} measured {', '.join(map(str, sorted(saved)))} and nothing of "
            f"this run ({', '.join(map(str, sorted(block.key for block in plan.blocks)))}): name a "
            "run of the same scenarios and loads",
            parameter="--against",
        )


def measure(plan: Plan, out: Path, calibration: Calibration | None) -> Path:
    """Measure a new run; the run's folder."""
    from datetime import UTC, datetime

    from harness import store
    from harness.cli.foresight import can_find
    from harness.cli.output import progress_console
    from harness.cli.parts import measure_parts
    from harness.cli.progress import showing
    from harness.library.keeping import keeping
    from harness.measuring import runner

    _refuse_unlike_saved_run(plan)
    folder = store.create_run(out, plan.profile, datetime.now(UTC))
    console = progress_console()
    console.print(f"measuring {_summary(plan)} → {folder}", soft_wrap=True)
    if foreseen := can_find(plan, calibration):
        console.print(foreseen, soft_wrap=True, highlight=False)
    with keeping(folder):
        with showing(plan, console, folder) as listener:
            record = runner.run(plan, folder, listener, calibration=calibration)
        measure_parts(folder, record)
    return folder


def resume(name: str, out: Path) -> Path:
    """Measure what an interrupted run lacks; the run's folder."""
    from harness import store
    from harness.cli.output import progress_console
    from harness.cli.parts import measure_parts, missing_parts
    from harness.cli.progress import showing
    from harness.library.keeping import keeping
    from harness.measuring import runner

    refuse_options_beside_resume()
    folder = store.find_run(out, name)
    record = store.read_run(folder)
    console = progress_console()
    console.print(f"continuing {_summary(record.plan)} → {folder}", soft_wrap=True)
    with keeping(folder, remove_empty=False):
        if record.ended is None or not missing_parts(folder, record):
            with showing(record.plan, console, folder, measured=record.rounds) as listener:
                record = runner.resume(folder, listener)
        else:
            runner.refuse_elsewhere(record, folder)
        measure_parts(folder, record)
    return folder


def refuse_options_beside_resume() -> None:
    """Refuse what is in the plan of a run that was begun.

    Raises:
        BadInput: Such an option was given beside `--resume`.
    """
    context = click.get_current_context()
    for param in context.command.params:
        if param.name in _BESIDE_RESUME:
            continue
        source = context.get_parameter_source(param.name or "")
        if source is click.core.ParameterSource.COMMANDLINE:
            name = param.opts[0] if isinstance(param, click.Option) else "SCENARIO"
            raise BadInput(f"--resume continues the run's own plan: leave out {name}")


def _summary(plan: Plan) -> str:
    """What is going to be measured, in one line."""
    loads = max(
        sum(1 for block in plan.blocks if block.scenario.name == name)
        for name in {block.scenario.name for block in plan.blocks}
    )
    counts = [
        (len({block.scenario.name for block in plan.blocks}), "scenario"),
        *([(loads, "load")] if loads > 1 else []),
        (len(plan.stacks), "stack"),
        (plan.rounds, "round"),
    ]
    counted = ", ".join(f"{count} {word}{'s' if count != 1 else ''}" for count, word in counts)
    if plan.budget_s is not None and plan.precision is not None:
        counted += (
            f" and more within {plan.budget_s / 60:g} minutes where intervals are wider than "
            f"±{100 * plan.precision:g} %"
        )
    elif plan.budget_s is not None and plan.fail_ifs:
        counted += f" and more within {plan.budget_s / 60:g} minutes until promises are decided"
    return f"{counted}, {_slices(plan)}seed {plan.seed}"


def _slices(plan: Plan) -> str:
    """How long slices are, if that does not follow from the command line alone."""
    if plan.slice_source is not SliceSource.CALIBRATION or plan.usual_slice_s is None:
        return ""
    return f"slices of {1e3 * plan.usual_slice_s:g} ms as calibrate found for this machine, "
