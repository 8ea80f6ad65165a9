import io

import pytest
from rich.console import Console

from harness.cli import progress
from harness.cli.progress import Progress
from tests.test_noise import aa_plan


def test_where_the_time_decides_it_says_how_much_is_left_and_no_number_of_rounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    out = io.StringIO()
    shown = Progress(aa_plan(), Console(file=out), within_s=60)
    for number, at_s in enumerate([20, 40, 50, 55, 58], start=1):
        now[0] = 100.0 + at_s
        shown.round_started(number)
        shown.round_ended(number)
    said = out.getvalue().splitlines()
    assert said[0] == "round 1 measured, 1:20 left"  # four more at this pace, which a verdict needs
    assert said[1] == "round 2 measured, 1:00 left"
    assert said[-1] == "round 5 measured, 0:02 left"


def test_where_the_plan_decides_it_counts_the_rounds() -> None:
    out = io.StringIO()
    shown = Progress(aa_plan(), Console(file=out))
    shown.round_started(1)
    shown.round_ended(1)
    assert out.getvalue().startswith("round 1 of ")
