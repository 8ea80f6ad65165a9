"""The only reader and writer of results/.

A run's folder holds run.json (what was planned, where, with what), journal.jsonl (one line for
each scenario of a round as it is measured, one when the round ends), samples/*.parquet, and what
can be made again from these: summary.csv, comparisons.csv and report/.

Format versions of run.json (`schema`):
    1  first.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from harness.errors import BadInput, ResultsUnwritable, UnknownName
from harness.models import Analysis, BlockUsage, CellRound, RunRecord

SCHEMA = 1
SUMMARY_COLUMNS = (
    "scenario", "stack", "load", "rounds", "requests", "errors", "throughput_rps",
    "latency_p50_ms", "latency_p90_ms", "latency_p99_ms", "latency_p999_ms",
    "cpu_us_per_request", "pss_mib", "valid", "reason",
)  # fmt: skip
COMPARISON_COLUMNS = (
    "scenario", "load", "metric", "baseline", "candidate", "ratio", "ci_low", "ci_high",
    "rounds", "noise_floor", "verdict",
)  # fmt: skip
SAMPLE_COLUMNS = ("slice", "intended_ns", "start_ns", "latency_ns", "status", "size", "failure")


# ------------------------------------------------------------------------- folders


def create_run(out: Path, profile: str, now: datetime) -> Path:
    """Make the folder of a new run, named after the time and the profile.

    Raises:
        ResultsUnwritable: it can't be made or written to.
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
        ) from error
    raise ResultsUnwritable(f"can't find a free name for a run in '{out}'")


def keep_or_remove(run: Path) -> int:
    """After a run was cut off: how many rounds it has, the last maybe in part.

    A run that measured nothing is taken away.
    """
    rounds, _ = _read_journal(run / "journal.jsonl")
    if not rounds:
        shutil.rmtree(run)
    return len(rounds)


def find_run(out: Path, name: str | None) -> Path:
    """The folder of a run: by path, by its name below `out`, or the newest.

    Raises:
        UnknownName: there is no such run.
        BadInput: there is no run at all.
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
    """Names of the runs below `out`, oldest first; the reference run counts as the oldest."""
    if not out.is_dir():
        return []
    names = [path.parent.name for path in out.glob("*/run.json")]
    return sorted(names, key=lambda name: (name != "reference", name))


# ----------------------------------------------------------------------- measuring


class Journal:
    """Appends to a run while it is measured; each line is on disk before the call returns."""

    def __init__(self, run: Path) -> None:
        self._path = run / "journal.jsonl"
        try:
            self._file = self._path.open("a", encoding="utf-8")
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def block(self, number: int, cells: Sequence[CellRound], usage: BlockUsage) -> None:
        """One scenario of a round is measured."""
        self._append(
            {
                "type": "block",
                "round": number,
                "cells": [asdict(cell) for cell in cells],
                "usage": asdict(usage),
            }
        )

    def round(
        self, number: int, started: str, order: Sequence[str], ready_s: Mapping[str, float]
    ) -> None:
        """A round is complete."""
        self._append(
            {
                "type": "round",
                "round": number,
                "started": started,
                "order": list(order),
                "ready_s": dict(ready_s),
            }
        )

    def _append(self, line: Mapping[str, Any]) -> None:
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def write_run(run: Path, record: RunRecord) -> None:
    """Write run.json; rounds are the journal's."""
    value = asdict(record)
    del value["rounds"]
    with replacing(run / "run.json") as file:
        json.dump(value, file, indent=2)
        file.write("\n")


def write_samples(path: Path, columns: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write one cell's samples of one round."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: columns[name] for name in SAMPLE_COLUMNS})
    temporary = path.with_suffix(".part")
    pq.write_table(
        table,
        temporary,
        compression="zstd",
        use_dictionary=["status", "size", "failure"],
        column_encoding={
            "slice": "DELTA_BINARY_PACKED",
            "intended_ns": "DELTA_BINARY_PACKED",
            "start_ns": "DELTA_BINARY_PACKED",
            "latency_ns": "DELTA_BINARY_PACKED",
        },
    )
    temporary.replace(path)


# ------------------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True)
class Samples:
    """One cell's samples of one round, one element per request, all of the same length.

    Times are ns since the block began; `slice` is the index into the cell's slices.
    """

    slice: npt.NDArray[np.int32]
    start_ns: npt.NDArray[np.int64]
    latency_ns: npt.NDArray[np.int64]
    good: npt.NDArray[np.bool_]


def read_samples(run: Path, cell: CellRound) -> Samples:
    """Read what `write_samples` wrote.

    Raises:
        BadInput: the file is missing or not a Parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = run / cell.samples_file
    if not path.resolve().is_relative_to(run.resolve()):
        raise BadInput(f"{path} lies outside the run: its journal is damaged")
    try:
        table = pq.read_table(path, columns=["slice", "start_ns", "latency_ns", "failure"])
    except FileNotFoundError:
        raise BadInput(f"{path} is missing: without the raw samples nothing can be made") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(f"{path} is damaged ({error})") from error
    if table.num_rows != cell.requests or any(column.null_count for column in table.columns):
        raise BadInput(
            f"{path} is damaged: {table.num_rows:,} samples, the journal has {cell.requests:,}"
        )
    return Samples(
        slice=table["slice"].to_numpy(),
        start_ns=table["start_ns"].to_numpy(),
        latency_ns=table["latency_ns"].to_numpy(),
        good=table["failure"].to_numpy() == 0,
    )


def has_samples(run: Path, record: RunRecord) -> bool:
    """Whether the raw samples are there (a reference run may leave them out)."""
    cells = [cell for one in record.rounds for cell in one.cells]
    return all((run / cell.samples_file).is_file() for cell in cells)


def read_run(run: Path) -> RunRecord:
    """Read run.json and the journal; a last line that was cut off is left out, with a note.

    Raises:
        BadInput: run.json is missing, damaged or of another schema.
    """
    from pydantic import TypeAdapter, ValidationError

    path = run / "run.json"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} can't be read: {error}") from error
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        found = value.get("schema") if isinstance(value, dict) else "no"
        raise BadInput(f"{path} has schema {found}, this version reads {SCHEMA}")
    rounds, note = _read_journal(run / "journal.jsonl")
    if note:
        value["notes"] = [*value.get("notes", []), note]
    try:
        record = TypeAdapter(RunRecord).validate_python({**value, "rounds": rounds})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadInput(f"{path} or its journal is damaged: {where}: {first['msg']}") from error
    planned = {(cell.scenario.name, label) for cell in record.plan.cells for label in cell.stacks}
    for cell in (cell for one in record.rounds for cell in one.cells):
        if (cell.scenario, cell.stack) not in planned:
            raise BadInput(f"{path}: {cell.stack} in {cell.scenario} was measured but not planned")
    return record


def _read_journal(path: Path) -> tuple[list[dict[str, Any]], str]:
    """Rounds as JSON values, and a note if the last line was torn."""
    if not path.exists():
        return [], ""
    lines = path.read_bytes().rstrip(b"\n").split(b"\n")
    rounds: dict[int, dict[str, Any]] = {}
    note = ""
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
            _take_line(rounds, entry)
        except (KeyError, TypeError, AttributeError) as error:
            raise BadInput(f"{path}:{position + 1}: not a line of a journal: {error!r}") from None
    return [rounds[number] for number in sorted(rounds)], note


def _take_line(rounds: dict[int, dict[str, Any]], entry: dict[str, Any]) -> None:
    number = entry["round"]
    blank = {"number": number, "order": [], "started": "", "ready_s": {}}
    one = rounds.setdefault(number, {**blank, "cells": [], "blocks": []})
    if entry["type"] == "block":
        one["cells"].extend(entry["cells"])
        one["blocks"].append(entry["usage"])
    else:
        one.update(started=entry["started"], order=entry["order"], ready_s=entry["ready_s"])


# ------------------------------------------------------------------------- derived


def summary_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """Rows of summary.csv, one per cell; figures are floats at full precision, None if unknown."""
    rows = []
    for cell in analysis.cells:
        latency = {
            f"latency_{name}_ms": estimate.value for name, estimate in cell.latency_ms.items()
        }
        values = {
            "scenario": cell.scenario,
            "stack": cell.stack,
            "load": cell.load,
            "rounds": cell.rounds,
            "requests": cell.requests,
            "errors": cell.errors,
            "throughput_rps": cell.throughput_rps.value,
            **latency,
            "cpu_us_per_request": cell.cpu_us_per_request.value,
            "pss_mib": cell.pss_mib,
            "valid": cell.valid,
            "reason": cell.reason,
        }
        rows.append({column: _known(values[column]) for column in SUMMARY_COLUMNS})
    return rows


def comparison_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """Rows of comparisons.csv."""
    return [
        {column: _known(getattr(comparison, column)) for column in COMPARISON_COLUMNS}
        for comparison in analysis.comparisons
    ]


def _known(value: Any) -> Any:
    """NaN says nothing in a CSV file and is not allowed in JSON."""
    return None if isinstance(value, float) and math.isnan(value) else value


def write_tables(run: Path, analysis: Analysis) -> None:
    """Write summary.csv and comparisons.csv; figures with six significant digits."""
    import pandas as pd

    for name, columns, rows in (
        ("summary.csv", SUMMARY_COLUMNS, summary_rows(analysis)),
        ("comparisons.csv", COMPARISON_COLUMNS, comparison_rows(analysis)),
    ):
        table = pd.DataFrame(rows, columns=list(columns))
        if "valid" in table:
            table["valid"] = table["valid"].map({True: "true", False: "false"})
        with replacing(run / name) as file:
            table.to_csv(file, index=False, float_format="%.6g", lineterminator="\n")


@contextmanager
def replacing(path: Path) -> Iterator[IO[str]]:
    """A text file that takes the place of `path` only when it is whole."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            yield file
        os.chmod(name, 0o644)  # mkstemp's own rights are for secrets
        os.replace(name, path)
    except OSError as error:
        os.unlink(name)
        raise _unwritable(path, error) from error
    except BaseException:
        os.unlink(name)
        raise


def _unwritable(path: Path, error: OSError) -> ResultsUnwritable:
    return ResultsUnwritable(
        f"can't write {path}: {error.strerror}; make room, or choose another folder with --out"
    )
