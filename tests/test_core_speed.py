"""A real process that does the same work again and again."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from harness.calibration import core_speed
from harness.errors import EnvironmentFailed
from harness.machine import placement
from harness.models import Placement
from harness.processes.children import Child

NOWHERE = Placement((), (), ())


@pytest.mark.parametrize("where", [placement.place_here(), NOWHERE], ids=["pinned", "not pinned"])
def test_equal_pieces_of_work_fill_the_time(where: Placement) -> None:
    ended_ns = core_speed.measure(where, seconds=0.5)
    took_ns = np.diff(ended_ns)
    assert (took_ns > 0).all()
    assert took_ns.sum() >= 0.5e9
    # Beside other tests a piece can take long, but the fastest show what all of them are.
    assert 100_000 < np.quantile(took_ns, 0.1) < 2_000_000


def test_a_process_that_fails_is_an_error_with_its_last_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(name: str, command: list[str], *, log: Path, **options: object) -> Child:
        said = [sys.executable, "-c", "import sys; sys.exit('no such work')"]
        return Child(name, said, log=log, piped=True)

    monkeypatch.setattr(core_speed, "Child", failing)
    with pytest.raises(EnvironmentFailed, match="fixed work") as failed:
        core_speed.measure(NOWHERE, seconds=0.1)
    assert "no such work" in failed.value.detail
