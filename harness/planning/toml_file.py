"""Reads a TOML file that a person wrote."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from harness.errors import BadInput


def read_toml(path: Path) -> dict[str, Any]:
    """What stands in the file.

    Raises:
        BadInput: It is missing, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path}: can't be read: {error.strerror}") from error
    except ValueError as error:
        raise BadInput(f"{path}: can't be read as TOML: {error}") from error
