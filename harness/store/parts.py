"""Folders of the parts of a whole run, within the run's own."""

from __future__ import annotations

from pathlib import Path

from harness.errors import ResultsUnwritable

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
    files = ("run.json", "connections.json")
    return [
        folder
        for folder in sorted((run / PARTS_FOLDER).glob("*"))
        if any((folder / file).is_file() for file in files)
    ]
