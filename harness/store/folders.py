"""Creates, finds, lists and deletes the folders of runs."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from harness.errors import BadInput, ResultsUnwritable, UnknownName

#: Runs that are part of the project have names that begin with this.
_REFERENCE = "reference"


def create_run(out: Path, profile: str, now: datetime) -> Path:
    """Make the folder of a new run, named after the time and the profile.

    Raises:
        ResultsUnwritable: It can't be made or written to.
    """
    stamp = now.strftime("%Y%m%d-%H%M%S")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, 100):
            run = out / (f"{stamp}-{profile}" + (f"-{attempt}" if attempt > 1 else ""))
            try:
                run.mkdir()
            except FileExistsError:
                continue
            (run / "samples").mkdir()
            return run
    except OSError as error:
        raise ResultsUnwritable(
            f"can't write results to '{out}': {error.strerror}; choose another folder with --out"
            + _whose(out, error)
        ) from error
    raise ResultsUnwritable(f"can't find a free name for a run in '{out}'")


def _whose(out: Path, error: OSError) -> str:
    """Names both users if the folder belongs to another one."""
    if not isinstance(error, PermissionError) or not out.exists():
        return ""
    owner = out.stat()
    return f" (it belongs to user {owner.st_uid}, and this is user {os.geteuid()})"


def remove_run(run: Path) -> None:
    """Delete a run that measured nothing."""
    shutil.rmtree(run)


def find_run(out: Path, name: str | None) -> Path:
    """The folder of a run: by its path, by its name below `out`, or the newest.

    Raises:
        UnknownName: There is no such run.
        BadInput: There is no run at all.
    """
    names = list_runs(out)
    if name is None:
        if not names:
            raise BadInput(f"no runs in '{out}' yet: 'twinbench run' makes one")
        return out / names[-1]
    for candidate in (Path(name), out / name):
        if (candidate / "run.json").is_file():
            return candidate
    raise UnknownName("run", name, names)


def list_runs(out: Path) -> list[str]:
    """Names of the runs below `out`, oldest first; reference runs count as older, `reference` as their newest."""
    if not out.is_dir():
        return []
    names = [path.parent.name for path in out.glob("*/run.json")]
    return sorted(
        names, key=lambda name: (not name.startswith(_REFERENCE), name == _REFERENCE, name)
    )


@contextmanager
def writing(run: Path) -> Iterator[None]:
    """Be the only process that measures into this run.

    Raises:
        BadInput: Another process does.
    """
    folder = os.open(run, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system lifts it when we die
        except BlockingIOError:
            raise BadInput(f"{run} is being measured by another process") from None
        yield
    finally:
        os.close(folder)
