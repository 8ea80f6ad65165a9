"""The only reader and writer of results/.

A run's folder holds run.json (what was planned, where, with what), journal.jsonl (one line for
each scenario of a round as it is measured, one when the round ends), samples/*.parquet, and what
can be made again from these: summary.csv, comparisons.csv and report/.

Format versions of run.json (`schema`):
    1  first.
    2  open load, several load processes, roles, parity, calibration, precision.
"""

from __future__ import annotations

import csv
import fcntl
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from harness.errors import BadInput, ResultsUnwritable, UnknownName
from harness.models import Analysis, BlockUsage, Calibration, CellRound, RunRecord

SCHEMA = 2
SUMMARY_COLUMNS = (
    "scenario", "stack", "load", "rounds", "requests", "errors", "throughput_rps",
    "latency_p50_ms", "latency_p90_ms", "latency_p99_ms", "latency_p999_ms",
    "cpu_us_per_request", "pss_mib", "valid", "reason", "overloaded",
)  # fmt: skip
COMPARISON_COLUMNS = (
    "scenario", "load", "metric", "baseline", "candidate", "ratio", "ci_low", "ci_high",
    "rounds", "noise_floor", "verdict",
)  # fmt: skip
SAMPLE_COLUMNS = (
    "slice", "intended_ns", "start_ns", "latency_ns", "status", "size", "failure", "starved",
)  # fmt: skip


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
            + _whose(out, error)
        ) from error
    raise ResultsUnwritable(f"can't find a free name for a run in '{out}'")


def _whose(out: Path, error: OSError) -> str:
    """Where it is somebody else's folder: whose, and how a container becomes that user."""
    if not isinstance(error, PermissionError) or not out.exists():
        return ""
    owner = out.stat()
    return (
        f" (it belongs to user {owner.st_uid} and this is user {os.geteuid()}: with Docker "
        f"Compose, put UID={owner.st_uid} and GID={owner.st_gid} into .env)"
    )


def count_rounds(run: Path) -> int:
    """How many rounds a run has, the last maybe in part."""
    rounds, _ = _read_journal(run / "journal.jsonl")
    return len(rounds)


def remove_run(run: Path) -> None:
    """Take away a run that measured nothing."""
    shutil.rmtree(run)


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


# --------------------------------------------------------------------- calibration


def read_calibration(out: Path, machine: str) -> Calibration | None:
    """What `twinbench calibrate` found on this machine; None where it was never run.

    Raises:
        BadInput: the file is damaged.
    """
    from pydantic import TypeAdapter, ValidationError

    path = _calibration_file(out, machine)
    try:
        return TypeAdapter(Calibration).validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValidationError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(
            f"{path} can't be read ({reason}): run 'twinbench calibrate' again"
        ) from None


def write_calibration(out: Path, calibration: Calibration) -> Path:
    """Keep it for this machine's later runs."""
    path = _calibration_file(out, calibration.machine)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error
    with replacing(path) as file:
        json.dump(asdict(calibration), file, indent=2)
        file.write("\n")
    return path


def _calibration_file(out: Path, machine: str) -> Path:
    return out / "calibration" / f"{machine}.json"


# ----------------------------------------------------------------------- measuring


@contextmanager
def writing(run: Path) -> Iterator[None]:
    """Be the only process that measures into this run.

    Raises:
        BadInput: another one is.
    """
    folder = os.open(run, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system lifts it when we die
        yield
    except BlockingIOError:
        raise BadInput(f"{run} is being measured by another process") from None
    finally:
        os.close(folder)


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
    temporary = path.with_name(f"{path.name}.part")
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
    with temporary.open("rb") as file:  # the journal is to point at nothing that may be lost
        os.fsync(file.fileno())
    temporary.replace(path)


def merge_samples(parts: Sequence[Path], path: Path) -> None:
    """One file from several that hold shares of the same slices, which are taken away."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.concat_tables([pq.read_table(part) for part in parts])
    table = table.sort_by([("slice", "ascending"), ("intended_ns", "ascending")])
    write_samples(path, {name: table[name].to_numpy() for name in SAMPLE_COLUMNS})
    for part in parts:
        part.unlink()


# ------------------------------------------------------------------------- reading


_READ = ("slice", "intended_ns", "start_ns", "latency_ns", "failure", "starved")


@dataclass(frozen=True, slots=True)
class Samples:
    """One cell's samples of one round, one element per request, all of the same length.

    Times are ns since the block began; `slice` is the index into the cell's slices.
    """

    slice: npt.NDArray[np.int32]
    intended_ns: npt.NDArray[np.int64]
    start_ns: npt.NDArray[np.int64]
    latency_ns: npt.NDArray[np.int64]  # from the intended start
    failure: npt.NDArray[np.int8]  # a models.Failure
    starved: npt.NDArray[np.bool_]  # due while every connection was taken


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
        # Not read_table, which imports all of pyarrow.dataset first: half a second.
        with pq.ParquetFile(path) as file:
            known = [name for name in _READ if name in file.schema_arrow.names]
            table = file.read(columns=known)
    except FileNotFoundError:
        raise BadInput(f"{path} is missing: without the raw samples nothing can be made") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(f"{path} is damaged ({error})") from error
    if table.num_rows != cell.requests or any(column.null_count for column in table.columns):
        raise BadInput(
            f"{path} is damaged: {table.num_rows:,} samples, the journal has {cell.requests:,}"
        )

    def column(name: str) -> npt.NDArray[Any]:
        # Not to_numpy, which imports all of pandas first: another half a second.
        return np.from_dlpack(table[name].combine_chunks())

    return Samples(
        slice=column("slice"),
        intended_ns=column("intended_ns"),
        start_ns=column("start_ns"),
        latency_ns=column("latency_ns"),
        failure=column("failure"),
        # Earlier versions did not say which requests were starved, only how many.
        starved=column("starved").astype(np.bool_)
        if "starved" in table.column_names
        else np.zeros(table.num_rows, dtype=np.bool_),
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
    for plan in record.plan.cells:
        if not plan.stacks or not plan.scenario.stacks:
            raise BadInput(f"{path}: {plan.scenario.name} has no stack")
        for name in {name for pair in (*plan.pairs, *plan.steps) for name in pair}:
            if name not in plan.stacks:
                raise BadInput(f"{path}: {name} in {plan.scenario.name} is compared but no stack")
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


# ------------------------------------------------------------------------ resuming


def recover(run: Path) -> RunRecord:
    """Make a run that was cut off at any point whole again, so that it can go on.

    What is torn (the journal's last line, a Parquet file) is moved to the folder `set-aside`,
    and a note says so. A block of which a file is torn or missing will be measured again.

    Raises:
        BadInput: there is no run here, or it is damaged in a way that no cut explains.
    """
    aside = _Aside(run)
    for left in sorted((run / "samples").glob("*")):
        if left.suffix != ".parquet":
            aside.move(left, "was cut off while it was written")
    _drop_torn_line(run / "journal.jsonl", aside)
    record = read_run(run)
    torn: set[tuple[int, str]] = set()
    for cell in (cell for one in record.rounds for cell in one.cells):
        try:
            read_samples(run, cell)
        except BadInput as error:
            torn.add((cell.round, cell.scenario))
            if (run / cell.samples_file).exists():
                aside.move(run / cell.samples_file, "is damaged")
            else:
                aside.note(str(error))
    if torn:
        _drop_blocks(run / "journal.jsonl", torn)
        record = read_run(run)
    return replace(record, notes=(*record.notes, *aside.notes))


class _Aside:
    """Where goes what can't be used; nothing is thrown away."""

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


def _drop_torn_line(journal: Path, aside: _Aside) -> None:
    """Cut off a last line that was not written to its end."""
    data = journal.read_bytes() if journal.exists() else b""
    *_, last = data.rstrip(b"\n").split(b"\n")
    if not _is_json(last) and last:
        aside.keep("journal.tail", last, "the journal's last line was cut off")
        _rewrite(journal, data.removesuffix(b"\n").removesuffix(last).decode())
    elif last and not data.endswith(b"\n"):
        _rewrite(journal, data.decode() + "\n")


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _drop_blocks(journal: Path, blocks: set[tuple[int, str]]) -> None:
    """Take blocks out, and the lines that call their rounds complete."""
    rounds = {number for number, _ in blocks}
    kept = []
    for line in journal.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["type"] == "block":
            dropped = (entry["round"], entry["usage"]["scenario"]) in blocks
        else:
            dropped = entry["round"] in rounds
        if not dropped:
            kept.append(line + "\n")
    _rewrite(journal, "".join(kept))


def _rewrite(journal: Path, text: str) -> None:
    with replacing(journal) as file:
        file.write(text)


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
            "overloaded": cell.overloaded,
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
    for name, columns, rows in (
        ("summary.csv", SUMMARY_COLUMNS, summary_rows(analysis)),
        ("comparisons.csv", COMPARISON_COLUMNS, comparison_rows(analysis)),
    ):
        with replacing(run / name) as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(columns)
            table.writerows([_in_csv(row[column]) for column in columns] for row in rows)


def _in_csv(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)


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
