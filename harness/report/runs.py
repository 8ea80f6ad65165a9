"""What a terminal lists of runs: a line for each, which a pipe can take too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from harness.models import RunAtAGlance

_HEADS = ("RUN", "STARTED (UTC)", "KIND", "PROFILE", "ROUNDS", "VALID", "SCENARIOS", "FIRST RESULT")
#: So many scenarios are named.
_NAMED = 2


def runs_lines(runs: Sequence[RunAtAGlance]) -> Iterator[str]:
    """A heading and a line for each run, in columns."""
    rows = [_HEADS, *map(_row, runs)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEADS))]
    for row in rows:
        cells = (f"{text:<{width}}" for text, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _row(run: RunAtAGlance) -> tuple[str, ...]:
    more = len(run.scenarios) - _NAMED
    scenarios = ", ".join(run.scenarios[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return (
        run.name,
        _when(run.started),
        run.kind or "?",
        run.profile,
        str(run.rounds) if run.rounds else "",
        f"{run.valid_cells}/{run.cells}" if run.cells else "",
        scenarios,
        "; ".join(text for text in (run.problem, run.headline) if text),
    )


def _when(started: str) -> str:
    try:
        return f"{datetime.fromisoformat(started).astimezone(UTC):%Y-%m-%d %H:%M}"
    except ValueError:
        return started
