"""A run that was cut off at any point, made whole again so that it can be resumed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from harness.errors import BadInput
from harness.models import BlockKey, RunRecord
from harness.store.atomic import replacing
from harness.store.journal import journal_file
from harness.store.run_file import read_run
from harness.store.samples import read_samples


def recover(run: Path) -> RunRecord:
    """Take out of a run what was torn when it was cut off.

    What is torn (the journal's last line, a Parquet file) is moved to the folder `set-aside`,
    and a note says so. A block of which a file is torn or missing will be measured again.

    Raises:
        BadInput: There is no run, or it is damaged in a way that no cut explains.
    """
    aside = _SetAside(run)
    for left in sorted([*run.glob(".*"), *(run / "samples").glob("*")]):
        if left.suffix != ".parquet" or left.name.startswith("."):
            aside.move(left, "was cut off while it was written")
    _drop_torn_line(journal_file(run), aside)
    record = read_run(run)
    torn: set[tuple[int, BlockKey]] = set()
    for cell in (cell for finished in record.rounds for cell in finished.cells):
        try:
            read_samples(run, cell)
        except BadInput as error:
            torn.add((cell.round, cell.key.block))
            if (run / cell.samples_file).exists():
                aside.move(run / cell.samples_file, "is damaged")
            else:
                aside.note(str(error))
    if torn:
        _drop_blocks(journal_file(run), torn, aside)
        record = read_run(run)
    return replace(record, notes=(*record.notes, *aside.notes))


class _SetAside:
    """Holds files that can't be used; nothing is thrown away."""

    def __init__(self, run: Path) -> None:
        self._folder = run / "set-aside"
        self.notes: list[str] = []

    def _free(self, name: str) -> Path:
        self._folder.mkdir(exist_ok=True)
        taken = sum(1 for _ in self._folder.glob(f"{name}*"))
        return self._folder / (f"{name}.{taken + 1}" if taken else name)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def move(self, path: Path, why: str) -> None:
        path.rename(self._free(path.name))
        self.note(f"{path.name} {why}: set aside")

    def keep(self, name: str, data: bytes, why: str) -> None:
        self._free(name).write_bytes(data)
        self.note(f"{why}: set aside")


def _drop_torn_line(journal: Path, aside: _SetAside) -> None:
    """Cut off a last line that was not written to its end."""
    data = journal.read_bytes() if journal.exists() else b""
    *_, last = data.rstrip(b"\n").split(b"\n")
    if not _is_json(last) and last:
        aside.keep("journal.tail", last, "the journal's last line was cut off")
        _rewrite(journal, data.removesuffix(b"\n").removesuffix(last))
    elif last and not data.endswith(b"\n"):
        _rewrite(journal, data + b"\n")


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _drop_blocks(journal: Path, blocks: set[tuple[int, BlockKey]], aside: _SetAside) -> None:
    """Take blocks out, and the lines that call their rounds complete."""
    rounds = {number for number, _ in blocks}
    kept: list[bytes] = []
    out: list[bytes] = []
    for line in journal.read_bytes().splitlines(keepends=True):
        entry = json.loads(line)
        if entry["type"] == "block":
            usage = entry["usage"]
            dropped = (entry["round"], BlockKey(usage["scenario"], usage["load"])) in blocks
        else:
            dropped = entry["type"] == "round" and entry["round"] in rounds
        (out if dropped else kept).append(line)
    aside.keep("journal.dropped", b"".join(out), f"{len(out)} lines of the journal were dropped")
    _rewrite(journal, b"".join(kept))


def _rewrite(journal: Path, data: bytes) -> None:
    with replacing(journal) as file:
        file.write(data)
