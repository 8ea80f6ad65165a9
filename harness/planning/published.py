"""published.toml -> Published records, with messages that name file, entry and what is wrong."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.models import Published
from harness.planning.files import PUBLISHED_FILE
from harness.planning.plan import Catalogue, load_catalogue
from harness.planning.toml_file import read_toml

_FIELDS = tuple(field.name for field in dataclasses.fields(Published))
_REQUIRED = tuple(
    field.name for field in dataclasses.fields(Published) if field.default is dataclasses.MISSING
)
_FIGURES = ("flask", "fastapi")
_METRICS = ("throughput_rps", "cpu_us_per_request")
_NEAREST = ("scenario", "candidate", "baseline")


def load_published(
    path: Path = PUBLISHED_FILE, catalogue: Catalogue | None = None
) -> tuple[Published, ...]:
    """Every figure of the file, in its order.

    Args:
        path: The file.
        catalogue: The scenarios and stacks that entries may name; None: those of the project.

    Raises:
        BadInput: The file is missing, is not TOML, or has a malformed entry.
    """
    value = read_toml(path)
    entries = value.get("figure")
    if set(value) != {"figure"} or not isinstance(entries, list):
        raise BadInput(f"{path}: needs tables [[figure]], and nothing else")
    known = catalogue or load_catalogue()
    return tuple(
        _figure(f"{path}: figure {number}", entry, known) for number, entry in enumerate(entries, 1)
    )


def _figure(where: str, entry: Any, catalogue: Catalogue) -> Published:
    if not isinstance(entry, dict):
        raise BadInput(f"{where}: must be a table")
    for key, value in entry.items():
        if key not in _FIELDS:
            raise BadInput(f"{where}: unknown field '{key}'; known: {', '.join(_FIELDS)}")
        if key in _FIGURES:
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not 0 < value < math.inf:
                raise BadInput(f"{where}: '{key}' must be a number above 0")
        elif not isinstance(value, str) or not value:
            raise BadInput(f"{where}: '{key}' must be text in quotes")
    for key in _REQUIRED:
        if key not in entry:
            raise BadInput(f"{where}: field '{key}' is missing")
    given = [key for key in _NEAREST if key in entry]
    if given and len(given) < len(_NEAREST):
        raise BadInput(f"{where}: give all of {', '.join(_NEAREST)}, or none of them")
    known: Mapping[str, Sequence[str]] = {
        "metric": _METRICS,
        "scenario": tuple(catalogue.scenarios),
        "candidate": tuple(catalogue.stacks),
        "baseline": tuple(catalogue.stacks),
    }
    for key, names in known.items():
        if key in entry and entry[key] not in names:
            raise BadInput(f"{where}: {key} '{entry[key]}' is not one of: {', '.join(names)}")
    return Published(**entry)
