"""run.json and journal.jsonl as a RunRecord.

Format versions of run.json (`schema`), which the journal shares:
    1  first. It can't be read any more.
    2  open load, several load processes, roles, parity, calibration, precision. It can be read,
       but a run that was begun with it can't be resumed.
    3  a cell's key has its load: `plan.blocks` for `plan.cells`, `usage.load`, `order` names
       scenario and load; services by name in `services_cpu_s`; decisions in the journal.
       It can be read, but a run that was begun with it can't be resumed.
    4  slices of closed load count requests (`Slice.requests`, `think_ns`), not seconds; the plan says
       what is too small a difference to matter (`same_within`).
    5  blocks that search for a capacity (`BlockPlan.search`, `Load.slo`, `CellRound.windows`), which
       older versions would take for closed load. A run without such a block is still written as 4.
    6  services of the reader's own (`Stack.own`, `Scenario.requests`), which older versions could
       neither start nor ask. Other runs are still written as 4 or 5.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import BadInput
from harness.models import Plan, RunRecord
from harness.store import journal
from harness.store.atomic import replacing

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SCHEMA = 4
#: Of a run that searches for a capacity.
SEARCH_SCHEMA = 5
#: Of a run of services of the reader's own.
OWN_SCHEMA = 6
_READABLE = (2, 3, 4, 5, 6)


def schema_of(plan: Plan) -> int:
    """The schema that a run of this plan is written with."""
    if any(block.scenario.is_own for block in plan.blocks):
        return OWN_SCHEMA
    return SCHEMA if all(block.search is None for block in plan.blocks) else SEARCH_SCHEMA


def write_run(run: Path, record: RunRecord) -> None:
    """Write run.json; rounds and decisions are the journal's.

    Raises:
        ResultsUnwritable: The file can't be written.
    """
    value = asdict(record)
    del value["rounds"], value["decisions"]
    with replacing(run / "run.json") as file:
        file.write((json.dumps(value, indent=2) + "\n").encode())


@cache
def _validator() -> TypeAdapter[RunRecord]:
    """Made once, since that takes longer than all else of reading a run."""
    from pydantic import TypeAdapter

    return TypeAdapter(RunRecord)


def read_run(run: Path) -> RunRecord:
    """Read run.json and the journal; a last line that was cut off is left out, with a note.

    Raises:
        BadInput: run.json is missing, damaged or of a schema that can't be read.
    """
    from pydantic import ValidationError

    path = run / "run.json"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} can't be read: {error}") from error
    schema = value.get("schema") if isinstance(value, dict) else None
    if schema not in _READABLE:
        raise BadInput(
            f"{path} has schema {schema}, this version reads {_READABLE[0]} to {_READABLE[-1]}: "
            "measure again, or report it with the version that measured it"
        )
    try:
        if schema == 2:
            _upgrade_plan(value)
        lines = journal.read(run, _loads_of_scenarios(value) if schema == 2 else None)
        notes = [*value.get("notes", []), *([lines.note] if lines.note else [])]
        record = _validator().validate_python(
            {**value, "rounds": lines.rounds, "decisions": lines.decisions, "notes": notes}
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadInput(f"{path} or its journal is damaged: {where}: {first['msg']}") from error
    except (KeyError, TypeError) as error:
        raise BadInput(f"{path} is damaged: {error!r}") from error
    _check(path, record)
    return record


def _upgrade_plan(value: dict[str, Any]) -> None:
    """Schema 2 -> 3: what was called a cell holds many stacks, and is a block.

    All services were started then, whatever scenarios needed.
    """
    value["plan"]["blocks"] = value["plan"].pop("cells")
    for block in value["plan"]["blocks"]:
        block["scenario"]["needs"] = ["database", "upstream"]


def _loads_of_scenarios(value: dict[str, Any]) -> dict[str, str]:
    """Scenario -> the label of its load, of which schema 2 has one for each scenario."""
    from pydantic import TypeAdapter

    from harness.models import Load

    return {
        block["scenario"]["name"]: TypeAdapter(Load).validate_python(block["load"]).label
        for block in value["plan"]["blocks"]
    }


def _check(path: Path, record: RunRecord) -> None:
    """Refuse a record whose parts contradict each other."""
    planned = [cell for block in record.blocks for cell in block.cells]
    for block in record.blocks:
        if not block.stacks or not block.scenario.stacks:
            raise BadInput(f"{path}: {block.key} has no stack")
        for contrast in block.contrasts:
            for name in (contrast.baseline, contrast.candidate):
                if name not in block.stacks:
                    raise BadInput(f"{path}: {name} in {block.key} is compared but no stack")
    if len(set(planned)) < len(planned):
        raise BadInput(f"{path}: a cell is planned twice")
    known = set(planned)
    for cell in (cell for finished in record.rounds for cell in finished.cells):
        if cell.key not in known:
            raise BadInput(f"{path}: {cell.key} was measured but not planned")
