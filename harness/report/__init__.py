"""The report of a run: page, summary, charts and terminal table, from an analysis alone."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from harness.errors import ResultsUnwritable
from harness.models import Analysis
from harness.report import outline
from harness.report.captions import captions
from harness.report.charts import CHARTS, OF_REQUESTS
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
    words = captions(analysis)
    inline: dict[str, str] = {}
    charts: dict[str, bytes] = {}
    for name, draw in CHARTS.items():
        if name in OF_REQUESTS and analysis.cells and not outline.answering(analysis):
            continue
        sheet = draw(analysis)
        whole, inline[name] = svgs(sheet, name, words[name].alt)
        charts[f"charts/{name}.svg"] = whole.encode()
        charts[f"charts/{name}.png"] = png(sheet)
    files = {
        "index.html": page(analysis, words, inline).encode(),
        "summary.md": summary(analysis, {name: words[name] for name in inline}).encode(),
        **charts,
    }
    return [_write(folder / name, content) for name, content in files.items()]


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
