"""The commands: read arguments, call the layer below, map errors to exit codes. Nothing else.

What a command needs is imported inside it, so that `--help` and `list` answer at once.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from harness import __version__
from harness.errors import BadInput, EnvironmentFailed, Interrupted, TwinbenchError
from harness.models import Arrivals
from harness.planning.files import PROJECT, STACKS_FILE
from harness.planning.options import DEFAULT_PROFILE, PROFILES, UPSTREAM_LATENCY

if TYPE_CHECKING:
    from rich.console import Console

    from harness.models import Analysis, Plan, Stack

EXIT_INVALID = 1
EXIT_INTERRUPTED = 130

_F = TypeVar("_F", bound=Callable[..., Any])


def _out_option(function: _F) -> _F:
    return click.option(
        "--out",
        type=click.Path(path_type=Path),
        default=Path("results"),
        show_default=True,
        envvar="TWINBENCH_OUT",
        help="Folder of all runs.",
    )(function)


def _json_option(function: _F) -> _F:
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON object on stdout, nothing else."
    )(function)


def _stacks_file_option(function: _F) -> _F:
    return click.option(
        "--stacks-file",
        type=click.Path(path_type=Path),
        default=STACKS_FILE,
        help="The contenders, in place of apps/stacks.toml.",
    )(function)


class _Name(click.ParamType[str]):
    """A name; in a variable of the environment, several with blanks or commas between them."""

    name = "text"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        return str(value)

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        return rv.replace(",", " ").split()


class _Percent(click.ParamType[float]):
    """A share, written as `3%` or `0.03`."""

    name = "percent"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        if isinstance(value, float):
            return value
        try:
            return float(value.removesuffix("%")) / (100 if value.endswith("%") else 1)
        except ValueError:
            self.fail(f"'{value}' is not a share such as 3% or 0.03", param, ctx)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="twinbench")
def cli() -> None:
    """Flask and FastAPI side by side: measured in turn, with intervals and verdicts.

    \b
    Example:
      twinbench run hello weather
    """


# ------------------------------------------------------------------------------ run


@cli.command()
@click.argument(
    "scenarios", nargs=-1, type=_Name(), metavar="[SCENARIO]...", envvar="TWINBENCH_SCENARIOS"
)
@click.option(
    "--stack", "stacks", multiple=True, type=_Name(), metavar="NAME", envvar="TWINBENCH_STACKS",
    help="A contender; may be repeated, the first is the baseline. The same one twice is A against A.",
)  # fmt: skip
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    default=DEFAULT_PROFILE,
    show_default=True,
    envvar="TWINBENCH_PROFILE",
    help="How much measuring.",
)
@click.option("--users", type=int, metavar="N", help="Connections per stack; with --rate, at most.")
@click.option("--rate", type=float, metavar="R", help="Open load: R requests/s, on a schedule.")
@click.option(
    "--arrivals",
    type=click.Choice([str(one) for one in Arrivals]),
    help=f"Of open load; {Arrivals.POISSON} when not given.",
)
@click.option(
    "--rounds",
    type=int,
    metavar="N",
    envvar="TWINBENCH_ROUNDS",
    help="Fresh starts of all servers.",
)
@click.option("--slice", "slice_s", type=float, metavar="S", help="Seconds of one turn.")
@click.option("--seed", type=int, metavar="N", help="Decides every order; drawn when not given.")
@click.option(
    "--precision", type=_Percent(), metavar="P",
    help="Measure a scenario no further once its intervals are narrower than ±P, such as 3%.",
)  # fmt: skip
@click.option(
    "--generators", type=int, default=1, show_default=True, metavar="N", help="Load processes."
)
@click.option(
    "--ladder/--no-ladder", "ladder", default=None,
    help="The steps between the twins too; by default in profile full alone.",
)  # fmt: skip
@click.option("--resume", metavar="RUN", help="Go on with a run that was cut off.")
@_stacks_file_option
@_out_option
@_json_option
def run(
    scenarios: tuple[str, ...],
    stacks: tuple[str, ...],
    profile: str,
    users: int | None,
    rate: float | None,
    arrivals: str | None,
    rounds: int | None,
    slice_s: float | None,
    seed: int | None,
    precision: float | None,
    generators: int,
    ladder: bool | None,
    resume: str | None,
    stacks_file: Path,
    out: Path,
    as_json: bool,
) -> None:
    """Measure scenarios (the core ones when none is named) and draw the report.

    TWINBENCH_SCENARIOS, TWINBENCH_PROFILE, TWINBENCH_STACKS and TWINBENCH_ROUNDS stand in for
    what the command line leaves out.

    \b
    Exit codes: 0 all valid, 1 a cell is invalid, 2 bad input, 3 the environment failed,
    130 interrupted (what was measured is kept).

    \b
    Examples:
      twinbench run
      twinbench run hello --profile smoke --json
      twinbench run weather --ladder
      twinbench run weather --stack flask-gthread --stack fastapi-aiohttp --users 200
      twinbench run hello --stack fastapi-uvicorn --stack fastapi-uvicorn
      twinbench run users-lookup --rate 300 --arrivals constant
      twinbench run --resume results/20260101-120000-quick
    """
    from datetime import UTC, datetime

    from rich.console import Console

    from harness import store
    from harness.cli import progress
    from harness.machine import environment
    from harness.measuring import runner
    from harness.planning import plan
    from harness.planning.options import RunOptions

    console = Console(stderr=True)
    if resume is not None:
        _only("--resume", {"resume", "out", "as_json"})
        folder = store.find_run(out, resume)
        record = store.read_run(folder)
        console.print(f"going on with {_told(record.plan)} → {folder}", highlight=False)
        showing = progress.showing(record.plan, console, had_s=record.loaded_s)
        with _kept(folder, empty_too=True), showing as listener:
            runner.resume(folder, listener)
        _finish(folder, console, as_json=as_json)
        return
    todo = plan.make_plan(
        plan.load_catalogue(stacks_file),
        RunOptions(
            profile=PROFILES[profile],
            seed=secrets.randbelow(1_000_000) if seed is None else seed,
            scenarios=scenarios,
            stacks=stacks,
            users=(users,) if users is not None else (),
            rates_rps=(rate,) if rate is not None else (),
            arrivals=Arrivals(arrivals) if arrivals else None,
            rounds=rounds,
            slice_s=slice_s,
            generators=generators,
            precision=precision,
            ladder=ladder,
        ),
    )
    calibration = store.read_calibration(out, environment.fingerprint())
    folder = store.create_run(out, todo.profile, datetime.now(UTC))
    console.print(f"{_told(todo)} → {folder}", highlight=False)
    with _kept(folder), progress.showing(todo, console) as listener:
        runner.run(todo, folder, listener, calibration=calibration)
    _finish(folder, console, as_json=as_json)


def _told(todo: Plan) -> str:
    """What is going to be measured, in one line."""
    counts = (
        (len({block.scenario.name for block in todo.blocks}), "scenario"),
        (len(todo.stacks), "stack"),
        (todo.rounds, "round"),
    )
    told = ", ".join(f"{count} {word}{'s' if count != 1 else ''}" for count, word in counts)
    return f"{told}, seed {todo.seed}"


def _only(option: str, allowed: set[str]) -> None:
    """Refuse what can't be said together with an option that settles everything else."""
    context = click.get_current_context()
    for name in context.params.keys() - allowed:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise BadInput(f"{option} goes on with the run's own plan: leave out '{name}'")


@contextmanager
def _kept(folder: Path, *, empty_too: bool = False, resumable: bool = True) -> Iterator[None]:
    """Whatever ends the block early: say how to go on with what was measured."""
    from harness import store
    from harness.processes.interrupts import interrupts

    try:
        yield
    except BaseException as error:
        interrupts.acknowledge()
        if rounds := store.count_rounds(folder):
            error.add_note(
                f"kept what was measured ({rounds} round{'s' if rounds > 1 else ''}, the last "
                f"maybe in part): 'twinbench report {folder}' draws it"
                + (f", 'twinbench run --resume {folder}' goes on" if resumable else "")
            )
        elif not empty_too:
            store.remove_run(folder)
        raise


def _finish(folder: Path, console: Console, *, as_json: bool) -> None:
    console.print("drawing the report", highlight=False)
    with _kept(folder):
        analysis = _derive(folder)
    _show(analysis, folder, as_json=as_json)
    if not analysis.valid:
        sys.exit(EXIT_INVALID)


@cli.command()
@click.argument("run_name", metavar="[RUN]", required=False)
@_out_option
@_json_option
def report(run_name: str | None, out: Path, as_json: bool) -> None:
    """Make tables, charts and page again from a run's raw data (the newest when none is named).

    \b
    Example:
      twinbench report results/20260101-120000-quick
    """
    from harness import store

    folder = store.find_run(out, run_name)
    analysis = _derive(folder)
    _show(analysis, folder, as_json=as_json)
    if not analysis.valid:
        sys.exit(EXIT_INVALID)


def _derive(folder: Path) -> Analysis:
    """Raw data -> tables, charts and page."""
    from harness import report, store
    from harness.analysis.analyse import analyse

    record = store.read_run(folder)
    if not record.rounds:
        raise BadInput(f"{folder}: no scenario was measured to its end, there is nothing to show")
    analysis = analyse(record, lambda cell: store.read_samples(folder, cell))
    store.write_tables(folder, analysis)
    store.write_report(folder / "report", report.render(analysis))
    return analysis


def _show(analysis: Analysis, folder: Path, *, as_json: bool) -> None:
    from rich.console import Console

    from harness import report, store

    page = folder / "report" / "index.html"
    if as_json:
        print(
            json.dumps(
                {
                    "run": str(folder),
                    "report": str(page),
                    "valid": analysis.valid,
                    "seed": analysis.run.plan.seed,
                    "profile": analysis.run.plan.profile,
                    "summary": store.summary_rows(analysis),
                    "comparisons": store.comparison_rows(analysis),
                }
            )
        )
        return
    console = Console()
    console.print(report.terminal(analysis))
    console.print(f"\nReport: {page}", highlight=False)


# ----------------------------------------------------------------------------- list


@cli.command(name="list")
@click.argument("what", type=click.Choice(["stacks", "scenarios", "runs"]))
@_stacks_file_option
@_out_option
@_json_option
def list_(what: str, stacks_file: Path, out: Path, as_json: bool) -> None:
    """Show what there is: stacks, scenarios or runs. Starts nothing.

    \b
    Example:
      twinbench list stacks
    """
    from harness import store
    from harness.planning.scenarios import load_scenarios
    from harness.planning.stacks import load_stacks

    rows: list[dict[str, Any]]
    if what == "stacks":
        rows = [
            {"name": stack.name, "twin": stack.twin, "server": stack.server,
             "isolates": stack.isolates}
            for stack in load_stacks(stacks_file).values()
        ]  # fmt: skip
    elif what == "scenarios":
        rows = [
            {"name": scenario.name, "kind": str(scenario.kind), "question": scenario.question,
             "stacks": list(scenario.stacks)}
            for scenario in load_scenarios().values()
        ]  # fmt: skip
    else:
        rows = [{"name": name} for name in store.list_runs(out)]
    if as_json:
        print(json.dumps({what: rows}))
        return
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        rest = row.get("isolates") or row.get("question") or ""
        click.echo(f"{row['name']:<{width}}  {rest}".rstrip())


# -------------------------------------------------------------------- serve and check


@cli.command()
@click.argument("stack_name", metavar="STACK")
@_stacks_file_option
def serve(stack_name: str, stacks_file: Path) -> None:
    """Start one stack with its services until Ctrl-C; prints `ready URL` when it answers.

    \b
    Example:
      twinbench serve fastapi-uvicorn
    """
    import signal

    stack = _find_stack(stack_name, stacks_file)
    with _stacks_up([stack]) as urls:
        print(f"ready {urls[stack.label]}", flush=True)
        while True:
            signal.pause()


@cli.command()
@click.option("--stack", "stacks", multiple=True, metavar="NAME", help="All when not given.")
@click.option(
    "--cases",
    type=click.IntRange(min=0, max=1_000_000),
    default=200,
    show_default=True,
    metavar="N",
    help="Generated requests beside the contract's.",
)
@click.option("--seed", type=int, metavar="N", help="Decides them; drawn when not given.")
@_stacks_file_option
@_json_option
def check(
    stacks: tuple[str, ...], cases: int, seed: int | None, stacks_file: Path, as_json: bool
) -> None:
    """Send the same requests to every stack and compare the replies.

    Those of the contract are held against its promises, to the byte. Generated ones, which
    nobody has written down, are held against what the first stack answers: status, JSON value,
    content type, allow, location, www-authenticate. A difference is shown by the smallest
    request that was found for it.

    \b
    Examples:
      twinbench check --stack flask-gthread --stack fastapi-uvicorn
      twinbench check --cases 20000 --seed 1
    """
    from rich.console import Console

    from harness.checking import explore, parity
    from harness.planning.stacks import load_stacks
    from harness.processes import children as processes

    names = stacks or tuple(load_stacks(stacks_file))
    chosen = [_find_stack(name, stacks_file) for name in dict.fromkeys(names)]
    breaks = {stack.label: stack.breaks for stack in chosen if stack.breaks}
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    console = Console(stderr=True)
    told = f"starting {len(chosen)} stack{'s' if len(chosen) != 1 else ''}, seed {seed}"
    console.print(told, highlight=False)
    with processes.scratch_folder("hypothesis") as folder, _stacks_up(chosen) as urls:
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(folder)  # else it would make one here
        sent, kept = parity.check_stacks(urls, breaks)
        with _counting("generated requests", cases, console) as case_done:
            found = explore.explore(urls, cases, seed, case_done)
    differences = [
        {
            "stack": label,
            "sample": one.sample,
            "problem": one.problem,
            "reply": one.excerpt,
        }
        for label, several in kept.items()
        for one in several
    ]
    if as_json:
        print(
            json.dumps(
                {
                    "stacks": list(urls),
                    "requests": sent * len(urls),
                    "differences": differences,
                    "breaks": breaks,
                    "cases": found.cases,
                    "seed": seed,
                    "statuses": found.statuses,
                    "disagreements": [one.as_json() for one in found.disagreements],
                }
            )
        )
    else:
        for one in differences:
            click.echo(f"{one['stack']}: {one['sample']}: {one['problem']}\n  {one['reply']}")
        for disagreement in found.disagreements:
            click.echo(f"{disagreement}\n")
        for label, samples in breaks.items():
            click.echo(f"{label} can't keep, as stacks.toml says: {'; '.join(samples)}")
        click.echo(
            f"{sent} requests of the contract and {found.cases} generated ones (seed {seed}) to "
            f"each of {len(urls)} stacks, {len(differences) + len(found.disagreements)} differences"
        )
    if differences or found.disagreements:
        sys.exit(EXIT_INVALID)


@contextmanager
def _counting(what: str, total: int, console: Console) -> Iterator[Callable[[], None]]:
    """A bar with the time left, in a terminal; call what is yielded once for each one done."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


def _find_stack(name: str, stacks_file: Path) -> Stack:
    from harness.errors import UnknownName
    from harness.planning.stacks import load_stacks

    stacks = load_stacks(stacks_file)
    if name not in stacks:
        raise UnknownName("stack", name, stacks)
    return stacks[name]


@contextmanager
def _stacks_up(stacks: list[Stack]) -> Iterator[dict[str, str]]:
    """Stacks with their services, outside any run: label -> URL."""
    from harness.machine import placement
    from harness.processes import children as processes
    from harness.serving import services
    from harness.serving.servers import serving

    cores = placement.usable_cores()
    with (
        processes.scratch_folder("logs") as logs,
        services.running(
            upstream_latency=UPSTREAM_LATENCY,
            seed=0,
            cores=cores,
            logs=logs,
            folder=PROJECT,
        ) as around,
        serving(
            stacks,
            workers=1,
            environment=around.environment,
            cores=cores,
            start_cores=cores,
            logs=logs,
            folder=PROJECT,
        ) as servers,
    ):
        yield {label: server.url for label, server in servers.items()}


# --------------------------------------------------------------- calibrate and doctor


@cli.command()
@click.option(
    "--seconds", type=float, default=120.0, show_default=True, help="For all of it, about."
)
@click.option(
    "--stack", default="fastapi-uvicorn", show_default=True, metavar="NAME", help="Who is A."
)
@_stacks_file_option
@_out_option
@_json_option
def calibrate(seconds: float, stack: str, stacks_file: Path, out: Path, as_json: bool) -> None:
    """Find this machine's noise floor: one stack against itself, for a stated time.

    Also what one load process can do, and what of the machine disturbs. It is kept for the
    machine; later runs with the same --out take their noise band from it.

    \b
    Exit codes: 0 kept, 1 A against A was not valid (nothing is kept as calibration), 2 bad
    input, 3 the environment failed, 130 interrupted.

    \b
    Example:
      twinbench calibrate --seconds 60
    """
    from dataclasses import asdict
    from datetime import UTC, datetime

    from rich.console import Console

    from harness import store
    from harness.calibration import calibrate as calibration
    from harness.calibration import noise
    from harness.cli import progress
    from harness.planning import plan

    console = Console(stderr=True)
    todo = noise.aa_plan(
        plan.load_catalogue(stacks_file),
        stack=stack,
        seconds=seconds,
        seed=secrets.randbelow(1_000_000),
    )
    folder = store.create_run(out / "calibration", todo.profile, datetime.now(UTC))
    console.print(
        f"{stack} against itself for {seconds:g} s → {folder}", highlight=False, soft_wrap=True
    )
    with (
        _kept(folder, resumable=False),
        progress.showing(todo, console, within_s=seconds) as listener,
    ):
        found = calibration.calibrate(todo, folder, out, listener, within_s=seconds)
    if as_json:
        floors = found.calibration.noise_floor if found.calibration else {}
        print(
            json.dumps(
                {
                    "valid": found.analysis.valid,
                    "noise_floor": floors.get("throughput_rps"),
                    "noise_floors": floors,
                    "rounds": len(found.analysis.run.rounds),
                    "ratio": {
                        row["metric"]: {key: row[key] for key in ("ratio", "ci_low", "ci_high")}
                        for row in store.comparison_rows(found.analysis)
                    },
                    "ceiling_rps": found.ceiling_rps,
                    "findings": [asdict(one) for one in found.findings],
                    "file": str(found.file) if found.file else None,
                    "run": str(found.folder),
                    "reasons": [cell.reason for cell in found.analysis.cells if cell.reason],
                    "seconds": round(found.seconds, 1),
                }
            )
        )
    else:
        from harness.report import checkup

        Console(highlight=False).print(
            checkup.calibrated(
                found.analysis,
                found.calibration,
                found.findings,
                seconds=found.seconds,
                run=found.folder,
                file=found.file,
            ),
            crop=False,  # paths are to be copied
        )
    if not found.analysis.valid:
        sys.exit(EXIT_INVALID)


@cli.command()
@_json_option
def doctor(as_json: bool) -> None:
    """Say what of this machine would spoil a measurement, and how to mend it (5 s).

    \b
    Exit codes: 0 nothing disturbs, 1 something does, 3 the environment failed, 130 interrupted.

    \b
    Example:
      twinbench doctor
    """
    from dataclasses import asdict

    from rich.console import Console

    from harness.calibration import ceiling
    from harness.machine import disturbances, placement
    from harness.machine import facts as machine
    from harness.models import Level

    Console(stderr=True).print("looking at this machine for about 5 s", highlight=False)
    facts = machine.read()
    ceiling_rps = ceiling.measure(placement.place_here(), seconds=1.0)
    findings = disturbances.judge(facts, ceiling_rps)
    level = disturbances.worst(findings)
    if as_json:
        print(
            json.dumps(
                {
                    "level": level,
                    "findings": [asdict(one) for one in findings],
                    "ceiling_rps": ceiling_rps,
                }
            )
        )
    else:
        from harness.report import checkup

        Console(highlight=False).print(checkup.diagnosis(findings))
    if level is Level.DISTURBS:
        sys.exit(EXIT_INVALID)


# ----------------------------------------------------------------------------- main


def main() -> NoReturn:
    """Run a command; every error is one clear line and the right exit code."""
    from harness.processes import children as processes
    from harness.processes.interrupts import interrupts

    interrupts.install()
    code = 0
    try:
        interrupts.unblock()
        cli.main(prog_name="twinbench", standalone_mode=False)
    except SystemExit as end:  # a command that finished, but not well
        code = int(end.code or 0)
    except (TwinbenchError, Interrupted) as error:
        interrupts.acknowledge()
        code = error.exit_code
        detail = getattr(error, "detail", "")
        _complain(str(error), code, detail, *getattr(error, "__notes__", ()))
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        code = EnvironmentFailed.exit_code
        _complain(f"the system refused: {error}", code)
    except click.ClickException as error:
        code = error.exit_code
        _complain(error.format_message(), code, f"{_usage(error)}try: twinbench --help")
    except click.Abort:
        code = EXIT_INTERRUPTED
        _complain("interrupted", code)
    finally:
        interrupts.hold_for_good()
        processes.stop_everything()
    sys.exit(code)


def _usage(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.get_usage()}\n" if context else ""


def _complain(message: str, code: int, detail: str = "", *notes: str) -> None:
    click.echo(f"twinbench: {message}", err=True)
    for line in detail.splitlines():
        click.echo(f"    {line}", err=True)
    for note in notes:
        click.echo(note, err=True)
    if "--json" in sys.argv:  # who parses stdout is owed an object there, whatever happened
        print(json.dumps({"error": message, "detail": detail, "exit_code": code}))
