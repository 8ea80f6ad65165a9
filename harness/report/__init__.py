"""The report of a run: page, summary, charts and terminal table, from an analysis alone."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from harness.errors import ResultsUnwritable
from harness.models import Analysis
from harness.report.captions import captions
from harness.report.charts import CHARTS, charts_of
from harness.report.markdown import summary
from harness.report.page import page
from harness.report.sheet import png, svgs
from harness.report.tables import terminal_table

__all__ = ["terminal_table", "write"]


def write(analysis: Analysis, folder: Path) -> list[Path]:
    """Write index.html, summary.md and charts/ into a folder, which is made if need be.

    Each file appears whole or not at all. The same analysis gives the same bytes.

    Returns:
        The files, index.html first.

    Raises:
        ResultsUnwritable: a file could not be written.
    """
    drawn = charts_of(analysis)
    words = {name: caption for name, caption in captions(analysis).items() if name in drawn}
    inline: dict[str, str] = {}
    charts: dict[str, bytes] = {}
    for name, draw in drawn.items():
        sheet = draw(analysis)
        whole, inline[name] = svgs(sheet, name, words[name].alt)
        charts[f"charts/{name}.svg"] = whole.encode()
        charts[f"charts/{name}.png"] = png(sheet)
    files = {
        "index.html": page(analysis, words, inline).encode(),
        "summary.md": summary(analysis, words).encode(),
        **charts,
    }
    written = [_write(folder / name, content) for name, content in files.items()]
    for name in CHARTS.keys() - drawn.keys():  # an earlier report may have had it
        for kind in ("svg", "png"):
            _remove(folder / "charts" / f"{name}.{kind}")
    return written


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ResultsUnwritable(f"can't remove {path}, which is stale: {error.strerror}") from error


def _write(path: Path, content: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):  # it may not even have been begun
            temporary.unlink()
        raise ResultsUnwritable(
            f"can't write {path}: {error.strerror}; free the place or choose another folder"
        ) from error
    return path
