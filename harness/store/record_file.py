"""A record of its own in one JSON file: profile.json, connections.json."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from harness.errors import BadInput
from harness.store.atomic import replacing

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Versioned(Protocol):
    """A record that says which version of the format it has."""

    @property
    def schema(self) -> int:
        """The version."""


_R = TypeVar("_R", bound=Versioned)


def write_record(path: Path, record: DataclassInstance) -> None:
    """Write a frozen record.

    Raises:
        ResultsUnwritable: The file can't be written.
    """
    with replacing(path) as file:
        file.write((json.dumps(asdict(record), indent=2) + "\n").encode())


def read_record(path: Path, kind: type[_R], schema: int, instead: str) -> _R:
    """Read what `write_record` wrote.

    Args:
        path: The file.
        kind: The record's class.
        schema: The version that can be read.
        instead: What to do about another one.

    Raises:
        BadInput: It is missing, damaged or of another schema.
    """
    from pydantic import TypeAdapter, ValidationError

    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    try:
        record: _R = adapter.validate_json(path.read_bytes())
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadInput(f"{path} is damaged: {where}: {first['msg']}") from error
    if record.schema != schema:
        raise BadInput(f"{path} has schema {record.schema}, this version reads {schema}: {instead}")
    return record


def schema_of(path: Path) -> object:
    """The version of a record, whatever else of it can be read; None if there is none.

    Raises:
        BadInput: It is missing or no JSON.
    """
    try:
        record = json.loads(path.read_bytes())
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise BadInput(f"{path} is damaged: {error}") from error
    return record.get("schema") if isinstance(record, dict) else None
