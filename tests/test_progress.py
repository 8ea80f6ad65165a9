"""The time left is honest: it counts everything, learns, and is 0:00 only at the end."""

import io
import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from rich.console import Console

from harness.cli import progress
from harness.cli.progress import Progress, clock
from harness.cli.remaining import Remaining
from harness.models import BlockPlan, Plan
from harness.planning.options import PROFILES, RunOptions
from harness.planning.plan import load_catalogue, make_plan
from tests.test_noise import aa_plan

CATALOGUE = load_catalogue()


def plan_of(*scenarios: str, **options: Any) -> Plan:
    chosen = {"profile": PROFILES["smoke"], "scenarios": scenarios, **options}
    return make_plan(CATALOGUE, RunOptions(**chosen))


class Timeline:
    """A made-up run, in which starting takes `start_s` and the rest `pace` times as planned."""

    def __init__(self, plan: Plan, *, start_s: float, pace: float, jitter: float = 0.0) -> None:
        self.plan = plan
        self.start_s = start_s
        self.pace = pace
        self._random = random.Random(1)
        self._jitter = jitter
        self.now_s = 0.0
        self.left = Remaining(plan, begun_s=0.0)
        self.rounds_left = plan.rounds

    def play(self, blocks: tuple[BlockPlan, ...] | None = None) -> Iterator[float]:
        """Play all rounds; yields the estimate at each event."""
        for number in range(1, self.plan.rounds + 1):
            self.left.round_started(self.now_s, number)
            for _ in range(10):
                yield self._later(self.start_s / 10)
            for block in self.plan.blocks if blocks is None else blocks:
                self.left.block_started(self.now_s, block)
                yield self._later(self.pace * len(block.stacks) * block.mean_warmup_s)
                for _ in range(block.cycles * len(block.stacks)):
                    self._later(self.pace * block.slice_s)
                    self.left.slice_done(self.now_s, block.slice_s)
                    yield self.left.seconds(self.now_s)
            self.left.round_ended(self.now_s)
            self.rounds_left -= 1
            yield self.left.seconds(self.now_s)

    def _later(self, seconds: float) -> float:
        self.now_s += seconds * self._random.uniform(1 - self._jitter, 1 + self._jitter)
        return self.left.seconds(self.now_s)


@pytest.mark.parametrize("start_s", [1.0, 4.0, 20.0])
@pytest.mark.parametrize("pace", [1.0, 1.2, 2.0])
def test_once_a_round_is_over_the_estimate_is_right(start_s: float, pace: float) -> None:
    plan = plan_of("hello", "weather", rounds=4)
    run = Timeline(plan, start_s=start_s, pace=pace)
    seen = [(run.now_s, run.rounds_left, left_s) for left_s in run.play()]
    for at_s, rounds_left, left_s in seen:
        if 0 < rounds_left < plan.rounds:
            # 1 s is said while anything remains.
            assert left_s == pytest.approx(run.now_s - at_s, rel=0.05, abs=1.01)


@pytest.mark.parametrize("start_s", [0.5, 4.0, 20.0])
@pytest.mark.parametrize("pace", [0.8, 1.2, 3.0])
def test_it_never_says_that_nothing_is_left_while_a_round_remains(
    start_s: float, pace: float
) -> None:
    run = Timeline(plan_of("hello", rounds=3), start_s=start_s, pace=pace, jitter=0.5)
    for left_s in run.play():
        assert (left_s >= 1.0) == (run.rounds_left > 0)
        assert (clock(left_s) == "0:00") == (run.rounds_left == 0)


def test_it_does_not_jump_up_where_rounds_are_about_as_long_as_guessed() -> None:
    run = Timeline(plan_of("hello", "weather", rounds=5), start_s=4.0, pace=1.2, jitter=0.2)
    estimates = list(run.play())
    assert all(after < before + 1.5 for before, after in pairwise(estimates))
    assert estimates[0] > estimates[-1] == 0.0


def test_a_slow_start_is_learnt_in_the_first_round_and_not_at_its_end() -> None:
    """Each later round will be as slow, so the estimate may rise; at the end it would be a jump."""
    run = Timeline(plan_of("hello", rounds=2), start_s=12.0, pace=1.0)
    seen = [(run.rounds_left, left_s) for left_s in run.play()]
    before = [left_s for rounds_left, left_s in seen if rounds_left == 2][-1]
    after = next(left_s for rounds_left, left_s in seen if rounds_left == 1)
    assert after == pytest.approx(before, abs=2.0)


def test_blocks_that_are_precise_enough_are_not_expected_again() -> None:
    plan = plan_of("hello", "weather", rounds=10, precision=0.03)
    run = Timeline(plan, start_s=4.0, pace=1.0)
    hello = plan.blocks[:1]
    rounds = run.play(blocks=hello)
    for _ in rounds:
        if run.rounds_left == 8:
            break
    round_s = 4.0 + hello[0].seconds_per_round
    assert run.left.seconds(run.now_s) == pytest.approx(8 * round_s, rel=0.01)


def test_a_run_that_is_continued_counts_only_what_is_missing() -> None:
    plan = plan_of("hello", "weather", rounds=3)
    hello, weather = plan.blocks
    left = Remaining(plan, 0.0, measured={1: [hello.key, weather.key], 2: [hello.key]})
    left.round_started(10.0, 2)
    left.block_started(14.0, weather)
    took_s = weather.seconds_per_round
    left.round_ended(14.0 + took_s)
    expected_s = 4.0 + hello.seconds_per_round + weather.seconds_per_round
    assert left.seconds(14.0 + took_s) == pytest.approx(expected_s)


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.0, "0:00"), (0.2, "0:01"), (59.5, "1:00"), (61, "1:01")]
)
def test_only_nothing_reads_as_nothing(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_where_the_time_decides_it_says_how_much_is_left_and_no_number_of_rounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s[0])
    out = io.StringIO()
    shown = Progress(aa_plan(), Console(file=out), within_s=60)
    for number, at_s in enumerate([20, 40, 50, 55, 58], start=1):
        now_s[0] = 100.0 + at_s
        shown.round_started(number)
        shown.round_ended(number)
    lines = out.getvalue().splitlines()
    # A verdict needs four more rounds, which take 20 s each at this pace.
    assert lines[0] == "round 1 measured, 1:20 left"
    assert lines[1] == "round 2 measured, 1:00 left"
    assert lines[-1] == "round 5 measured, 0:02 left"


def test_where_the_plan_decides_it_counts_the_rounds() -> None:
    out = io.StringIO()
    shown = Progress(aa_plan(), Console(file=out))
    shown.round_started(1)
    shown.round_ended(1)
    assert out.getvalue().startswith("round 1 of ")


def test_where_a_run_may_stop_early_the_time_is_called_the_most() -> None:
    out = io.StringIO()
    shown = Progress(plan_of("hello", precision=0.05), Console(file=out))
    shown.round_started(1)
    shown.block_started(plan_of("hello").blocks[0])
    shown.round_ended(1)
    assert "round 1 of 2 measured, at most 0:" in out.getvalue()


def test_under_a_budget_it_says_what_is_left_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s[0])
    out = io.StringIO()
    plan = plan_of("hello", minutes=2)
    shown = Progress(plan, Console(file=out))
    for number in range(1, 8):
        shown.round_started(number)
        shown.block_started(plan.blocks[0])
        now_s[0] += 10
        shown.round_ended(number)
    lines = out.getvalue().splitlines()
    assert lines[0] == "round 1 measured, at most 1:50 left"
    assert lines[-1] == "round 7 measured, at most 0:50 left"


def test_a_budget_that_is_too_short_for_the_rounds_of_a_verdict_says_how_long_those_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s[0])
    out = io.StringIO()
    plan = plan_of("hello", minutes=0.5)
    shown = Progress(plan, Console(file=out))
    shown.round_started(1)
    shown.block_started(plan.blocks[0])
    now_s[0] += 20
    shown.round_ended(1)
    assert out.getvalue() == "round 1 measured, at most 1:20 left\n"


def test_a_resumed_run_has_only_the_rest_of_its_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of("hello", minutes=3)
    left = Remaining(plan, 0.0, used_s=100.0)
    assert left.seconds(10.0) == pytest.approx(70.0)
