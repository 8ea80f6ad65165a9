"""The report's files within a run's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.store.atomic import replacing, unwritable

_CHARTS = "charts"
_CHART_SUFFIXES = (".svg", ".png")


def write_file(path: Path, content: bytes) -> None:
    """Write a file to wherever the user wants it; its folder is made if need be.

    Raises:
        ResultsUnwritable: It can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error
    with replacing(path) as file:
        file.write(content)


def write_report(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write a report into a folder, which is made if need be.

    Each file appears whole or not at all. Charts that an earlier report had and this one has not
    are taken away.

    Args:
        folder: where the report is to be.
        files: path within the folder -> content.

    Returns:
        The files, in the order of `files`.

    Raises:
        ResultsUnwritable: A file can't be written, or a stale one can't be removed.
    """
    written = [folder / name for name in files]
    for path, content in zip(written, files.values(), strict=True):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(path, error) from error
        with replacing(path) as file:
            file.write(content)
    for path in (folder / _CHARTS).iterdir() if (folder / _CHARTS).is_dir() else ():
        if path.suffix in _CHART_SUFFIXES and path not in written:
            try:
                path.unlink()
            except OSError as error:
                raise unwritable(path, error) from error
    return written
