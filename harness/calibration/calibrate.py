"""A stated time of A against A, and what is known of a machine after it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import store
from harness.analysis.analyse import analyse
from harness.calibration import ceiling, noise
from harness.machine import disturbances, environment, placement
from harness.machine import facts as machine
from harness.measuring import runner
from harness.measuring.blocks import Listener
from harness.measuring.pacing import EveryRound, WithinTime
from harness.models import Analysis, Calibration, Finding, Plan

#: Of the time, for the load process's own limit; but not less or more than makes sense.
_CEILING_SHARE = 0.05
_CEILING_S = (1.0, 4.0)
#: For reading the samples and computing, after the last round.
_AFTER_S = 1.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    folder: Path  # the run
    analysis: Analysis
    ceiling_rps: Mapping[str, float]
    findings: tuple[Finding, ...]
    calibration: Calibration | None  # None when A against A was not valid: nothing is kept then
    file: Path | None  # where it is kept
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """What `twinbench calibrate --json` prints."""
        floors = self.calibration.noise_floor if self.calibration else {}
        return {
            "valid": self.analysis.valid,
            "noise_floor": floors.get("throughput_rps"),
            "noise_floors": floors,
            "rounds": len(self.analysis.run.rounds),
            "ratio": {
                row["metric"]: {name: row[name] for name in ("ratio", "ci_low", "ci_high")}
                for row in store.comparison_rows(self.analysis)
            },
            "ceiling_rps": self.ceiling_rps,
            "findings": [asdict(finding) for finding in self.findings],
            "file": str(self.file) if self.file else None,
            "run": str(self.folder),
            "reasons": [cell.reason for cell in self.analysis.cells if cell.reason],
            "seconds": round(self.seconds, 1),
        }


def calibrate(
    todo: Plan, folder: Path, out: Path, listener: Listener, *, within_s: float
) -> Outcome:
    """Look at the machine, find the load process's limit, measure A against A, keep the result.

    Args:
        todo: as noise.aa_plan makes it.
        folder: the run's, which `store.create_run` made.
        out: folder of all runs, below which the calibration is kept.
        listener: is told how far it is.
        within_s: for all of it; but never fewer rounds than a verdict needs.

    Raises:
        EnvironmentFailed, Interrupted: as runner.run.
    """
    begun = time.monotonic()
    listener.preparing("watching the machine")
    facts = machine.read()
    listener.preparing("finding out what a load process can do")
    least_s, most_s = _CEILING_S
    ceiling_rps = ceiling.measure(
        placement.place_here(), seconds=min(most_s, max(least_s, within_s * _CEILING_SHARE))
    )
    left_s = within_s - (time.monotonic() - begun) - _AFTER_S
    # Without an earlier calibration: this one is to stand on its own.
    record = runner.run(todo, folder, listener, pacing=WithinTime(EveryRound(), left_s))
    listener.preparing("computing")
    analysis = analyse(record, lambda cell: store.read_samples(folder, cell))
    calibration = file = None
    if analysis.valid:
        calibration = Calibration(
            machine=environment.fingerprint(),
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            rounds=len(record.rounds),
            noise_floor=noise.floors(analysis),
            ceiling_rps=ceiling_rps,
        )
        file = store.write_calibration(out, calibration)
    return Outcome(
        folder=folder,
        analysis=analysis,
        ceiling_rps=ceiling_rps,
        findings=disturbances.judge(facts, ceiling_rps),
        calibration=calibration,
        file=file,
        seconds=time.monotonic() - begun,
    )
