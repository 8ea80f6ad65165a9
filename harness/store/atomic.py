"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from harness.errors import ResultsUnwritable


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` once it is whole and on disk.

    Raises:
        ResultsUnwritable: The system refuses; `path` is as it was.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # nothing may point at data that a crash would lose
        os.chmod(name, 0o644)  # mkstemp's own rights are those of a secret
        os.replace(name, path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise unwritable(path, error) from error
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def unwritable(path: Path, error: OSError) -> ResultsUnwritable:
    """The error for a file that the system refuses to write."""
    return ResultsUnwritable(
        f"can't write {path}: {error.strerror}; make room, or choose another folder with --out"
    )


def sync_folder(folder: Path) -> None:
    """Have the names of a folder's files on disk.

    Raises:
        ResultsUnwritable: The system refuses.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise unwritable(folder, error) from error
