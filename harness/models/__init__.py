"""Frozen records that the layers hand to each other; every name carries its unit.

Nothing in this folder reads a file, a clock or a process.
"""

from __future__ import annotations

from harness.models.derived import (
    Analysis,
    CellSummary,
    Comparison,
    Estimate,
    GateResult,
    ScheduleKept,
    TimelinePoint,
    Verdict,
)
from harness.models.machine import (
    BusyProcess,
    Finding,
    Level,
    Machine,
)
from harness.models.measured import (
    BlockUsage,
    Calibration,
    CellRound,
    Decision,
    Failure,
    Round,
    RunRecord,
    Slice,
    Usage,
)
from harness.models.plan import (
    ROUNDS_FOR_A_VERDICT,
    Arrivals,
    BlockKey,
    BlockPlan,
    CellKey,
    Contrast,
    Family,
    Kind,
    Load,
    Measures,
    Placement,
    Plan,
    Profile,
    Scenario,
    Stack,
    Step,
    StepKind,
)
from harness.models.samples import Samples

__all__ = [
    "ROUNDS_FOR_A_VERDICT",
    "Analysis",
    "Arrivals",
    "BlockKey",
    "BlockPlan",
    "BlockUsage",
    "BusyProcess",
    "Calibration",
    "CellKey",
    "CellRound",
    "CellSummary",
    "Comparison",
    "Contrast",
    "Decision",
    "Estimate",
    "Failure",
    "Family",
    "Finding",
    "GateResult",
    "Kind",
    "Level",
    "Load",
    "Machine",
    "Measures",
    "Placement",
    "Plan",
    "Profile",
    "Round",
    "RunRecord",
    "Samples",
    "Scenario",
    "ScheduleKept",
    "Slice",
    "Stack",
    "Step",
    "StepKind",
    "TimelinePoint",
    "Usage",
    "Verdict",
]
