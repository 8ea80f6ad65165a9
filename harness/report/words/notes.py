"""Notes that explain what the columns of a table mean."""

from __future__ import annotations

import math

from harness.analysis.percentiles import ROUNDS_BEYOND, SAMPLES_BEYOND
from harness.report import formats
from harness.report.view import View

SCHEDULE_NOTE = (
    "Offered: requests that were due; achieved: those of them that were answered rightly within the time-out. Service time runs "
    "from sending to the answer, without the wait for a free connection. Lag: how late the generator "
    "itself sent requests, which is no part of the latency; late: requests sent more than 1 ms after "
    "they were due; starved: requests that waited for a free connection; never sent: not even by the "
    "end."
)
USAGE_NOTE = (
    "CPU is a share of one core: of a stack, while it had its turns; of services, load and "
    "twinbench itself, while any stack had its turn. Memory is the proportional set size (the "
    "resident size where the system has none); unique memory is what a process shares with no "
    "other. Memory and threads are read after the slices: each is the "
    "largest of the rounds. A server keeps what earlier scenarios of its round took (a classifier, "
    "password hashes), so that a later scenario's memory is not its own need."
)
START_UP_NOTE = (
    "Start-up runs from spawn to the first good answer. All stacks of a round are started side by "
    "side, so each takes longer than it would alone: compare these figures only with each other."
)


def starts_note(view: View) -> str:
    """What the columns mean where a sample is a start; empty where there are no starts."""
    names = [part.name for part in view.parts if part.counts_starts]
    if not names:
        return ""
    return (
        f"In {formats.listing(names)} a request is a start: p50 is the median time from spawn to "
        "the first good answer, CPU time is that of one start until the server is at rest, and "
        "memory is what it holds then."
    )


def unsupported_note(view: View) -> str:
    """Why percentiles are missing from the tables; empty if none is."""
    cells = [cell for part in view.parts for cell in part.cells]
    if not any(math.isnan(one.value) for cell in cells for one in cell.latency_ms.values()):
        return ""
    return (
        f"“{formats.NOTHING}” stands for a percentile beyond which fewer than {SAMPLES_BEYOND} samples "
        f"lie, or samples of fewer than {ROUNDS_BEYOND} rounds: it could be a single stall."
    )
