"""A few seconds' look at this machine: what would spoil a measurement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from harness.calibration import ceiling
from harness.machine import disturbances, facts, placement
from harness.models import Finding, Level

#: Load on the server that does nothing.
_CEILING_S = 1.0


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found on this machine."""

    findings: tuple[Finding, ...]
    ceiling_rps: Mapping[str, float]  # connections -> requests/s of one load process

    @property
    def level(self) -> Level:
        """The gravest level of all findings."""
        return disturbances.worst(self.findings)

    def as_json(self) -> dict[str, Any]:
        """What `twinbench doctor --json` prints."""
        return {
            "level": self.level,
            "findings": [asdict(finding) for finding in self.findings],
            "ceiling_rps": self.ceiling_rps,
        }


def diagnose() -> Diagnosis:
    """Watch the machine, load a server that does nothing, and judge the figures.

    Raises:
        ServerFailed, LoadFailed: A process did not do its part.
    """
    machine = facts.read()
    ceiling_rps = ceiling.measure(placement.place_here(), seconds=_CEILING_S)
    return Diagnosis(disturbances.judge(machine, ceiling_rps), ceiling_rps)
