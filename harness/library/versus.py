"""Measures services beside each other for a caller in Python, as `twinbench versus` does."""

from __future__ import annotations

import contextlib
import inspect
import re
import secrets
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from harness.errors import BadInput, TwinbenchError, UnknownName
from harness.library.comparison import Comparison, comparison_of
from harness.library.services import Request, Service, stacks_of, tables_of
from harness.models import FROM_PYTHON, SAME_WITHIN, Calibration, Plan, Profile
from harness.planning.files import STACKS_FILE

if TYPE_CHECKING:
    from harness.planning.options import RunOptions
    from harness.planning.own_options import OwnOptions

#: Two measurements in one process would spoil each other; the second waits for the first.
_one_at_a_time = threading.Lock()

N = TypeVar("N", int, float)

#: Options of the command line -> what is given in their place here, where the names differ.
_IN_PYTHON: Mapping[str, str] = {
    "--slice": "slice_s",
    "--header": "headers",
    "--i-own-this-host": "own_this_host=True",
    "--allow-writes": "allow_writes=True",
    "--insecure": "insecure=True",
}


def versus(
    a: Service | str,
    b: Service | str,
    *more: Service | str,
    get: str | Sequence[str] = (),
    requests: Sequence[Request] = (),
    headers: Mapping[str, str] | None = None,
    har: str | Path | None = None,
    access_log: str | Path | None = None,
    openapi: str | Path | None = None,
    locustfile: str | Path | None = None,
    allow_writes: bool = False,
    users: int | Sequence[int] = (),
    rate: float | Sequence[float] = (),
    profile: str = "quick",
    rounds: int | None = None,
    minutes: float | None = None,
    precision: float | None = None,
    fail_if: str | Sequence[str] = (),
    same: float = SAME_WITHIN,
    slice_s: float | None = None,
    generators: int = 1,
    seed: int | None = None,
    out: str | Path | None = None,
    own_this_host: bool = False,
    insecure: bool = False,
    progress: Callable[[str], object] | None = None,
) -> Comparison:
    """Measure services beside each other: in the same slices, rounds and gates, with the same report.

    The call returns when everything is measured and everything that was started has ended: after about
    10 seconds with `profile="smoke"`, after about 5 minutes with "quick". It prints nothing. One
    measurement takes place at a time; a second thread waits. Other work on the machine spoils figures,
    and the comparison then says which are not valid.

    Args:
        a: The baseline. Text is a stack, an address or a command with `{port}`, as on the command line.
        b: What is compared with it.
        more: Further services, up to 8 in all.
        get: Paths that are requested with GET.
        requests: Other requests.
        headers: Headers that every request has. Credentials are written as `${NAME}`.
        har: HAR file with requests.
        access_log: Access log with requests.
        openapi: OpenAPI document, from which valid requests are generated.
        locustfile: Locust users in place of requests.
        allow_writes: Whether requests that may change state are sent too.
        users: Connections per service, each of which sends when its last reply has come (default: 4);
            several numbers are several loads. With `rate`, the most connections.
        rate: Open load: requests per second on a schedule; several numbers are several loads.
        profile: "smoke" (2 rounds, no verdict), "quick" or "full".
        rounds: Exactly so many rounds, each with freshly started services; 5 for a verdict.
        minutes: Time for all rounds, in place of `rounds`.
        precision: Measure a load no further when its intervals are narrower than ± this share.
        fail_if: Conditions under which promises are broken, such as "throughput<0.95"; `promises` has what
            became of each, and within its time a run goes on until they are decided. None raises anything.
        same: Differences within ± this share are too small to matter.
        slice_s: Seconds that a service is loaded before the next has its turn.
        generators: Load processes.
        seed: Decides every order; None: drawn. The report has it.
        out: Folder for the run's own folder; None: a new one below the system's folder for temporary
            files. Neither is deleted. `out` may have what `twinbench calibrate --out` found.
        own_this_host: Whether services beyond this machine may be loaded.
        insecure: Whether certificates that can't be verified are accepted.
        progress: Is called with a line of text now and then, such as `print`.

    Raises:
        BadInput: Something that was asked for can't be done.
        EnvironmentFailed: A service did not start, or the machine did not do its part.
        KeyboardInterrupt: Ctrl-C; everything that was started has ended.
    """
    from harness.planning.fail_if import parse_fail_ifs
    from harness.planning.options import RunOptions
    from harness.planning.own_options import OwnOptions
    from harness.planning.stacks import load_stacks
    from harness.processes.interrupts import interrupts

    def measured() -> Comparison:
        options = RunOptions(
            profile=_profile(profile),
            seed=secrets.randbelow(1_000_000) if seed is None else seed,
            users=_numbers(users),
            rates_rps=_numbers(rate),
            rounds=rounds,
            minutes=minutes,
            precision=precision,
            fail_ifs=parse_fail_ifs((fail_if,) if isinstance(fail_if, str) else tuple(fail_if)),
            same_within=same,
            slice_s=slice_s,
            generators=generators,
        )
        own = OwnOptions(
            get=(get,) if isinstance(get, str) else tuple(get),
            headers=tuple(f"{name}: {value}" for name, value in (headers or {}).items()),
            har=_path(har),
            access_log=_path(access_log),
            openapi=_path(openapi),
            allow_writes=allow_writes,
            own_this_host=own_this_host,
            insecure=insecure,
            own_stacks=stacks_of((a, b, *more), load_stacks(STACKS_FILE)),
            own_tables=tables_of(requests),
        )
        with _results(_path(out)) as folder:
            return _measured(own, options, _path(locustfile), folder, progress)

    with _one_at_a_time:
        try:
            return interrupts.handled_during(measured)
        except TwinbenchError as error:
            error.args = (in_python(str(error)), *error.args[1:])
            if error.detail:  # the last lines of a service, which the command line prints too
                error.add_note(error.detail)
            raise


def _measured(
    own: OwnOptions,
    options: RunOptions,
    locustfile: Path | None,
    out: Path,
    progress: Callable[[str], object] | None,
) -> Comparison:
    """Plan, measure and report."""
    from harness import store
    from harness.library.keeping import keeping
    from harness.library.progress import Lines
    from harness.library.reports import write_run_report
    from harness.machine import environment
    from harness.measuring import runner
    from harness.processes import children

    calibration = store.read_calibration(out, environment.fingerprint())
    plan, notes = _planned(own, options, locustfile, calibration)
    folder = store.create_run(out, plan.profile, datetime.now(UTC))
    others = children.living()
    try:
        with keeping(folder):
            runner.run(
                plan,
                folder,
                Lines(plan, progress),
                calibration=calibration,
                command=FROM_PYTHON,
            )
    finally:
        children.stop(child for child in children.living() if child not in others)
    return comparison_of(folder, write_run_report(folder), notes)


def _planned(
    own: OwnOptions,
    options: RunOptions,
    locustfile: Path | None,
    calibration: Calibration | None,
) -> tuple[Plan, tuple[str, ...]]:
    """What is to be measured, if it can be, and what is to be said of the requests."""
    from harness.machine import open_files
    from harness.planning.own_options import compared
    from harness.planning.versus import versus_catalogue, versus_plan

    given = compared(own, None, STACKS_FILE, seed=options.seed, locustfile=locustfile)
    used = "" if given.locustfile is None else str(given.locustfile.resolve())
    catalogue = versus_catalogue(given.stacks, given.requests.requests, used)
    slice_s = calibration.slice_s if calibration else None
    plan = versus_plan(catalogue, options, calibrated_slice_s=slice_s)
    if problem := open_files.problem(plan):
        raise BadInput(problem, parameter="--users")
    return plan, given.requests.notes


@contextmanager
def _results(out: Path | None) -> Iterator[Path]:
    """Where runs are kept; a folder that was made for this one goes if there is nothing in it."""
    if out is not None:
        yield out
        return
    folder = Path(tempfile.mkdtemp(prefix="twinbench-results-"))
    try:
        yield folder
    except BaseException:
        with contextlib.suppress(OSError):  # there is something in it
            folder.rmdir()
        raise


def _profile(name: str) -> Profile:
    from harness.planning.options import PROFILES

    if name not in PROFILES:
        raise UnknownName("profile", name, PROFILES)
    return PROFILES[name]


def _numbers(given: N | Sequence[N]) -> tuple[N, ...]:
    return tuple(given) if isinstance(given, Sequence) else (given,)


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)


def in_python(message: str) -> str:
    """A message that names options of the command line, with what is given in their place here."""
    names = inspect.signature(versus).parameters
    options = {**{f"--{name.replace('_', '-')}": name for name in names}, **_IN_PYTHON}

    def given(found: re.Match[str]) -> str:
        text: str = found[0]
        return options.get(text, text)

    return re.sub(r"'twinbench [^']*'|--[a-z][a-z-]*", given, message)
