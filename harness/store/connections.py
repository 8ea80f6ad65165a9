"""connections.json and connections.csv: what servers did while connections were held.

Format versions of connections.json (`schema`):
    1  first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.models import ConnectionsAnalysis, ConnectionsRecord, HeldMemory
from harness.store.atomic import replacing
from harness.store.record_file import read_record, write_record
from harness.store.tables import as_csv, known

CONNECTIONS_SCHEMA = 1
_FILE = "connections.json"
# Others read this file by column: new columns go to the end.
CONNECTIONS_COLUMNS = (
    "held", "stack", "connections", "rounds", "held_least", "closed_most", "failed_most",
    "pss_mib", "uss_mib", "threads_most", "kib_per_connection", "ci_low", "ci_high",
    "others_asked", "others_answered", "others_p50_ms", "others_p50_low_ms", "others_p50_high_ms",
    "others_max_ms", "patience_s", "example",
)  # fmt: skip


def write_connections(folder: Path, record: ConnectionsRecord) -> None:
    """Write connections.json.

    Raises:
        ResultsUnwritable: The file can't be written.
    """
    write_record(folder / _FILE, record)


def has_connections(folder: Path) -> bool:
    """Whether anything was measured to its end."""
    return (folder / _FILE).is_file()


def read_connections(folder: Path) -> ConnectionsRecord:
    """Read connections.json.

    Raises:
        BadInput: It is missing, damaged or of another schema.
    """
    instead = "measure again, or report it with the version that measured it"
    return read_record(folder / _FILE, ConnectionsRecord, CONNECTIONS_SCHEMA, instead)


def connection_rows(analysis: ConnectionsAnalysis) -> list[dict[str, Any]]:
    """Rows of connections.csv: a stack with so many connections; None if unknown."""
    memory: dict[tuple[str, str], HeldMemory] = {
        (each.held, each.stack): each for each in analysis.memory
    }
    rows = []
    for point in analysis.points:
        kib = memory[point.held, point.stack].kib
        values = {
            "held": str(point.held),
            "stack": point.stack,
            "connections": point.asked,
            "rounds": point.rounds,
            "held_least": point.held_least,
            "closed_most": point.closed_most,
            "failed_most": point.failed_most,
            "pss_mib": point.pss_mib,
            "uss_mib": point.uss_mib,
            "threads_most": point.threads_most,
            "kib_per_connection": kib.value,
            "ci_low": kib.low,
            "ci_high": kib.high,
            "others_asked": point.visits,
            "others_answered": point.answered,
            "others_p50_ms": point.visit_ms.value,
            "others_p50_low_ms": point.visit_ms.low,
            "others_p50_high_ms": point.visit_ms.high,
            "others_max_ms": point.slowest_ms,
            "patience_s": analysis.record.plan.patience_s,
            "example": point.example,
        }
        rows.append({column: known(values[column]) for column in CONNECTIONS_COLUMNS})
    return rows


def write_connection_table(folder: Path, analysis: ConnectionsAnalysis) -> None:
    """Write connections.csv; figures with six significant digits.

    Raises:
        ResultsUnwritable: The file can't be written.
    """
    with replacing(folder / "connections.csv") as file:
        file.write(as_csv(CONNECTIONS_COLUMNS, connection_rows(analysis)).encode())
