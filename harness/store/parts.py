"""Folders of the parts of a whole run, within the run's own."""

from __future__ import annotations

from pathlib import Path

from harness.errors import ResultsUnwritable
from harness.store.connections import has_connections, read_connections
from harness.store.journal import count_rounds

PARTS_FOLDER = "parts"


def make_part(folder: Path) -> None:
    """Make the folder of a part, if need be.

    Raises:
        ResultsUnwritable: It can't be made.
    """
    try:
        (folder / "samples").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultsUnwritable(f"can't write results to '{folder}': {error.strerror}") from error


def parts_within(run: Path) -> list[Path]:
    """Folders of the parts that have measured something, by name."""
    return [folder for folder in sorted((run / PARTS_FOLDER).glob("*")) if _has_measured(folder)]


def _has_measured(folder: Path) -> bool:
    """Whether at least a block was measured to its end; a cut-off part may have none."""
    if (folder / "run.json").is_file():
        return count_rounds(folder) > 0
    return has_connections(folder) and bool(read_connections(folder).series)
