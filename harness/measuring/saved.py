"""Reads the saved run that promises are judged against."""

from __future__ import annotations

from pathlib import Path

from harness import store
from harness.analysis.analyse import analyse
from harness.analysis.fail_ifs import SavedRun
from harness.errors import BadInput


def saved_run(folder: Path) -> SavedRun:
    """The run in a folder; one that can't be read says why."""
    try:
        record = store.read_run(folder)
    except BadInput as error:
        return SavedRun(folder.name, None, str(error))
    if record.ended is None:
        return SavedRun(folder.name, None, f"{folder} was cut off before its end")
    return SavedRun(folder.name, analyse(record, lambda cell: store.read_samples(folder, cell)))
