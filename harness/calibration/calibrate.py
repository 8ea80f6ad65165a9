"""Calibrates a machine: compares a stack with itself for a stated time and keeps the result."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import store
from harness.analysis.analyse import analyse
from harness.analysis.spectrum import spectrum
from harness.calibration import ceiling, core_speed, noise
from harness.machine import disturbances, environment, placement
from harness.machine import facts as machine
from harness.measuring import runner
from harness.measuring.blocks import Listener
from harness.measuring.pacing import EveryRound, WithinTime
from harness.models import Analysis, Calibration, Finding, Plan, Spectrum

#: Share of the time that is spent on finding the limit of a load process.
_CEILING_SHARE = 0.05
#: Shorter than this, the limit is inaccurate; longer, it becomes no more accurate.
_CEILING_MIN_S, _CEILING_MAX_S = 1.0, 4.0
#: Share of the time in which the servers' core is watched, and the longest that this takes: a tenth
#: of a second is then compared with its neighbour fifty times.
_SPECTRUM_SHARE = 0.1
_SPECTRUM_MAX_S = 10.0
#: Time that is reserved for reading the samples and computing the result after the last round.
_ANALYSIS_S = 1.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a calibration."""

    folder: Path  # the run's folder
    analysis: Analysis
    ceiling_rps: Mapping[str, float]
    spectrum: Spectrum
    findings: tuple[Finding, ...]
    calibration: Calibration | None  # None if the run was not valid; then nothing is kept
    file: Path | None  # the file in which the calibration is kept
    seconds: float  # how long the whole calibration took

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
            "spectrum": asdict(self.spectrum),
            "findings": [asdict(finding) for finding in self.findings],
            "file": str(self.file) if self.file else None,
            "run": str(self.folder),
            "reasons": [cell.reason for cell in self.analysis.cells if cell.reason],
            "seconds": round(self.seconds, 1),
        }


def calibrate(
    plan: Plan, folder: Path, out: Path, listener: Listener, *, within_s: float
) -> Outcome:
    """Examine the machine, compare a stack with itself, and keep what was found.

    Args:
        plan: a plan of A against A, from `noise.aa_plan`.
        folder: the run's folder, from `store.create_run`.
        out: the folder of all runs, below which the calibration is kept.
        listener: shows the progress.
        within_s: time for the whole calibration. It takes longer if the rounds that a verdict
            needs do not fit.

    Raises:
        EnvironmentFailed: as for `runner.run`.
        Interrupted: as for `runner.run`.
    """
    started = time.monotonic()
    listener.preparing("watching the machine")
    facts = machine.read()
    listener.preparing("finding the limit of a load process")
    ceiling_s = min(_CEILING_MAX_S, max(_CEILING_MIN_S, within_s * _CEILING_SHARE))
    where = placement.place_here()
    ceiling_rps = ceiling.measure(where, seconds=ceiling_s)
    listener.preparing("watching the speed of the servers' core")
    watched_s = min(_SPECTRUM_MAX_S, within_s * _SPECTRUM_SHARE)
    found = spectrum(core_speed.measure(where, seconds=watched_s))
    left_s = within_s - (time.monotonic() - started) - _ANALYSIS_S
    # The run takes no earlier calibration, so that this one does not depend on it.
    record = runner.run(plan, folder, listener, pacing=WithinTime(EveryRound(), left_s))
    listener.preparing("computing the noise floor")
    analysis = analyse(record, lambda cell: store.read_samples(folder, cell))
    calibration = file = None
    if analysis.valid:
        calibration = Calibration(
            machine=environment.fingerprint(),
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            rounds=len(record.rounds),
            noise_floor=noise.floors(analysis),
            ceiling_rps=ceiling_rps,
            spectrum=found,
        )
        file = store.write_calibration(out, calibration)
    return Outcome(
        folder=folder,
        analysis=analysis,
        ceiling_rps=ceiling_rps,
        spectrum=found,
        findings=disturbances.judge(facts, ceiling_rps),
        calibration=calibration,
        file=file,
        seconds=time.monotonic() - started,
    )
