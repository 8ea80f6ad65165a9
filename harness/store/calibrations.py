"""What `twinbench calibrate` found, a file for each machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from harness.errors import BadInput
from harness.models import Calibration
from harness.store.atomic import replacing, unwritable


def read_calibration(out: Path, machine: str) -> Calibration | None:
    """The calibration of this machine; None if it was never calibrated.

    Raises:
        BadInput: The file is damaged.
    """
    from pydantic import TypeAdapter, ValidationError

    path = _file(out, machine)
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
    """Save the calibration for later runs on this machine.

    Raises:
        ResultsUnwritable: The file can't be written.
    """
    path = _file(out, calibration.machine)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error
    with replacing(path) as file:
        file.write((json.dumps(asdict(calibration), indent=2) + "\n").encode())
    return path


def _file(out: Path, machine: str) -> Path:
    return out / "calibration" / f"{machine}.json"
