"""journal.jsonl: one line for each decision, each block of a round, and each finished round."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.models import BlockKey, BlockUsage, CellRound, Decision
from harness.store.atomic import unwritable


class Journal:
    """Appends to a run while it is measured; each line is on disk before the call returns."""

    def __init__(self, run: Path) -> None:
        """Open the journal of a run.

        Raises:
            ResultsUnwritable: It can't be opened, or later not be written.
        """
        self._path = journal_file(run)
        try:
            self._file = self._path.open("a", encoding="utf-8")
        except OSError as error:
            raise unwritable(self._path, error) from error

    def decision(self, made: Decision) -> None:
        """A round is about to measure this."""
        self._append({"type": "decision", **asdict(made)})

    def block(self, number: int, cells: Sequence[CellRound], usage: BlockUsage) -> None:
        """A block of a round is measured."""
        self._append(
            {
                "type": "block",
                "round": number,
                "cells": [asdict(cell) for cell in cells],
                "usage": asdict(usage),
            }
        )

    def round(
        self,
        number: int,
        started: str,
        order: Sequence[BlockKey],
        ready_s: Mapping[str, float],
        took_s: float = 0.0,
    ) -> None:
        """A round is complete."""
        self._append(
            {
                "type": "round",
                "round": number,
                "started": started,
                "order": [asdict(key) for key in order],
                "ready_s": dict(ready_s),
                "took_s": round(took_s, 3),
            }
        )

    def _append(self, line: Mapping[str, Any]) -> None:
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise unwritable(self._path, error) from error

    def close(self) -> None:
        """Close the file.

        Each line was flushed when it was written. What a full disk refused then is refused again
        now, and has been reported.
        """
        with contextlib.suppress(OSError):
            self._file.close()


def journal_file(run: Path) -> Path:
    """Where the journal of a run is."""
    return run / "journal.jsonl"


@dataclass(frozen=True, slots=True)
class Lines:
    """What a journal holds, as JSON values."""

    rounds: list[dict[str, Any]]  # in order
    decisions: list[dict[str, Any]]
    note: str  # says so if the last line was cut off


@dataclass(slots=True)
class _Reader:
    """Groups the lines of a journal into rounds."""

    loads: Mapping[str, str] | None
    rounds: dict[int, dict[str, Any]] = field(default_factory=dict)
    decisions: list[dict[str, Any]] = field(default_factory=list)

    def take(self, entry: dict[str, Any]) -> None:
        if self.loads is not None:
            _upgrade(entry, self.loads)
        kind = entry.pop("type")
        if kind == "decision":
            self.decisions.append(entry)
            return
        number = entry["round"]
        blank = {"number": number, "order": [], "started": "", "ready_s": {}}
        taken = self.rounds.setdefault(number, {**blank, "cells": [], "blocks": []})
        if kind == "block":
            taken["cells"].extend(entry["cells"])
            taken["blocks"].append(entry["usage"])
        else:
            del entry["round"]
            taken.update(entry)


def read(run: Path, loads: Mapping[str, str] | None = None) -> Lines:
    """Read a journal, whole or cut off.

    Args:
        run: The run's folder.
        loads: For a journal of schema 2: scenario -> the label of its load.

    Raises:
        BadInput: A line other than the last is damaged.
    """
    path = journal_file(run)
    reader, note = _Reader(loads), ""
    lines = path.read_bytes().rstrip(b"\n").split(b"\n") if path.exists() else []
    for position, line in enumerate(lines):
        if not line:
            continue
        try:
            entry = json.loads(line)
        except ValueError:
            if position < len(lines) - 1:
                raise BadInput(f"{path}:{position + 1}: not JSON") from None
            note = "the journal's last line was cut off and is left out"
            break
        try:
            reader.take(entry)
        except (KeyError, TypeError, AttributeError) as error:
            raise BadInput(f"{path}:{position + 1}: not a line of a journal: {error!r}") from None
    rounds = [reader.rounds[number] for number in sorted(reader.rounds)]
    return Lines(rounds, reader.decisions, note)


def count_rounds(run: Path) -> int:
    """How many rounds a run has, the last maybe in part.

    Raises:
        BadInput: The journal is damaged.
    """
    return len(read(run).rounds)


def _upgrade(entry: dict[str, Any], loads: Mapping[str, str]) -> None:
    """Schema 2 -> 3: add the load where a scenario alone was named; name services."""
    if entry["type"] == "block":
        entry["usage"]["load"] = loads[entry["usage"]["scenario"]]
        for cell in entry["cells"]:
            cell["services_cpu_s"] = {
                name: cell.pop(f"{name}_cpu_s") for name in ("postgres", "upstream")
            }
    else:
        entry["order"] = [
            {"scenario": scenario, "load": loads[scenario]} for scenario in entry["order"]
        ]
