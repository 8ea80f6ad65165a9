"""Slices of open load are as long as queues need: found, recorded and said."""

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy.optimize import brentq

from harness.analysis import queueing
from harness.analysis.analyse import analyse
from harness.measuring.players import PlayedSlice
from harness.measuring.settling import find_settling, with_settling
from harness.models import BlockUsage, Settling, Slice
from tests.runs import FakeRun, hello_plan
from tests.test_queues import Floats, slice_of

STACKS = ("flask-gthread", "fastapi-uvicorn")


def steady(service_s: float, utilisation: float) -> Floats:
    """Median and p99 of the latency of M/D/1 in its steady state, in closed form."""
    rate = utilisation / service_s

    def waits_less(x: float) -> float:  # Erlang
        terms = [
            (rate * (k * service_s - x)) ** k
            / math.factorial(k)
            * math.exp(-rate * (k * service_s - x))
            for k in range(int(x / service_s) + 1)
        ]
        return (1 - utilisation) * sum(terms)

    # The tail is exponential (Cramér and Lundberg), also where Erlang's sum loses all digits.
    decay = brentq(lambda t: rate * math.expm1(t * service_s) - t, 1e-3 / service_s, 9 / service_s)
    share = (1 - utilisation) / (utilisation * math.exp(decay * service_s) - 1)
    median = (
        0.0 if waits_less(0.0) >= 0.5 else brentq(lambda x: waits_less(x) - 0.5, 0, 15 * service_s)
    )
    return np.array([median, math.log(share / 0.01) / decay]) + service_s


def in_slices(service_s: float, utilisation: float, slice_s: float, settle_s: float) -> Floats:
    """Median and p99 over many slices, each of which begins with an empty queue."""
    parts = []
    for cycle in range(2000):
        due_s, latency_s = slice_of(utilisation / service_s, service_s, slice_s, f"slice {cycle}")
        parts.append(latency_s[due_s >= settle_s])
    return np.quantile(np.concatenate(parts), [0.5, 0.99])


def found(service_s: float, utilisation: float) -> tuple[float, float]:
    return queueing.lengths({"a": queueing.settling_s(service_s, utilisation)}, 0.5, 0.05)


@pytest.mark.busy
@pytest.mark.parametrize("utilisation", [0.5, 0.9, 0.95])
@pytest.mark.parametrize("service_s", [0.00063, 0.002])
def test_slices_of_the_length_that_is_found_show_the_steady_state(
    service_s: float, utilisation: float
) -> None:
    truth = steady(service_s, utilisation)
    assert in_slices(service_s, utilisation, *found(service_s, utilisation)) == pytest.approx(
        truth, rel=0.05
    )


@pytest.mark.busy
@pytest.mark.parametrize("service_s", [0.00063, 0.002])
def test_slices_of_half_a_second_are_too_kind_near_capacity(service_s: float) -> None:
    naive = in_slices(service_s, 0.95, 0.5, 0.05)
    assert naive[1] < 0.85 * steady(service_s, 0.95)[1]


def test_slices_are_no_shorter_than_planned_and_end() -> None:
    assert queueing.lengths({"a": 0.001}, 0.5, 0.05) == (0.5, 0.05)
    assert queueing.lengths({"a": 0.001, "b": 1.0}, 0.5, 0.05) == (3.0, 1.0)
    slice_s, settle_s = queueing.lengths({"a": 100.0, "b": None}, 0.5, 0.05)
    assert slice_s == pytest.approx(queueing.MAX_SLICE_S)
    assert settle_s < slice_s


def test_a_queue_beyond_capacity_never_settles_and_lengthens_no_slice() -> None:
    assert queueing.settling_s(0.002, 1.0) is None
    assert queueing.lengths({"a": None}, 0.5, 0.05) == (0.5, 0.05)


class Players:
    """Every slice has 100 requests, each of which takes the server so much CPU time."""

    def __init__(self, clock: dict[int, float], us: dict[str, float], late_s: float) -> None:
        self.clock, self.us, self.late_s = clock, us, late_s

    def play(self, turn) -> PlayedSlice:
        process = STACKS.index(turn.cell.stack)
        self.clock[process] += 100 * self.us[turn.cell.stack] / 1e6
        end_ns = int((turn.seconds + self.late_s) * 1e9)
        return PlayedSlice(Slice(-2, 0, 0, int(turn.seconds * 1e9), end_ns), 100, (0.1,))


def find(monkeypatch, us: tuple[float, float], *, late_s: float = 0.0, **changed) -> Settling:
    clock = {0: 5.0, 1: 7.0}
    monkeypatch.setattr("harness.measuring.settling.cpu_seconds", lambda pid: clock[pid])
    block = replace(hello_plan(rate_rps=500).blocks[0], slice_s=0.5, settle_s=0.05, **changed)
    players = Players(clock, dict(zip(STACKS, us, strict=True)), late_s)
    settling = find_settling(players, block, {name: [i] for i, name in enumerate(STACKS)}, 1)
    assert settling is not None
    assert with_settling(block, settling).slice_s == settling.slice_s
    return settling


def test_all_stacks_of_a_block_share_the_slices_that_the_slowest_to_settle_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settling = find(monkeypatch, (1900.0, 400.0), cycles=12)
    assert settling.utilisation == pytest.approx({STACKS[0]: 0.95, STACKS[1]: 0.2})
    assert settling.settle_s == pytest.approx(0.0019 / (1 - math.sqrt(0.95)) ** 2, abs=0.01)
    assert settling.slice_s == pytest.approx(3 * settling.settle_s)
    assert settling.cycles == 2
    assert all(map(settling.enough_for, STACKS))


def test_counting_begins_no_earlier_than_the_first_answers_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert find(monkeypatch, (400.0, 400.0), late_s=0.3).settle_s == pytest.approx(0.3, abs=0.011)


def test_a_length_that_the_user_gave_is_kept_and_may_be_too_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settling = find(monkeypatch, (1900.0, 400.0), fixed_slice=True)
    assert (settling.slice_s, settling.settle_s) == (0.5, 0.05)
    assert [settling.enough_for(stack) for stack in STACKS] == [False, True]


def test_a_queue_that_would_take_too_long_to_settle_has_lower_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settling = find(monkeypatch, (1998.0, 400.0))
    assert settling.slice_s == pytest.approx(queueing.MAX_SLICE_S)
    assert [settling.enough_for(stack) for stack in STACKS] == [False, True]


def test_an_analysis_says_of_which_cell_the_latency_is_a_lower_bound_and_how_busy_it_is() -> None:
    run = FakeRun(hello_plan(rate_rps=500), {name: [4.0] * 6 for name in STACKS})
    settling = Settling({STACKS[0]: 0.999}, {STACKS[0]: 99.0}, 0.5, 0.05, 2)
    rounds = tuple(
        replace(
            finished,
            blocks=tuple(replace(usage, settling=settling) for usage in finished.blocks),
        )
        for finished in run.record.rounds
    )
    record = replace(run.record, rounds=rounds)
    first, second = (cell.schedule for cell in analyse(record, run.read).cells)
    assert first is not None
    assert second is not None
    assert (first.settled, second.settled) == (False, True)
    assert first.utilisation == pytest.approx(500 * 200e-6)  # what the slices showed


def test_what_was_found_is_kept_in_the_journal() -> None:
    from pydantic import TypeAdapter

    settling = Settling({"a": 1.2, "b": 0.5}, {"a": None, "b": 0.01}, 0.5, 0.05, 2)
    usage = BlockUsage(1, "hello", "open-poisson-500", 1.0, {}, settling=settling)
    kept = TypeAdapter(BlockUsage).validate_python(json.loads(json.dumps(asdict(usage))))
    assert kept == usage


def test_slices_that_turn_out_busier_than_the_uncounted_one_give_a_lower_bound() -> None:
    run = FakeRun(hello_plan(rate_rps=500), {name: [4.0] * 6 for name in STACKS})

    def busier(cell):
        return replace(cell, server=replace(cell.server, cpu_s=0.0019 * cell.requests))

    run.change(STACKS[0], busier)
    first, second = (cell.schedule for cell in analyse(run.record, run.read).cells)
    assert first is not None
    assert second is not None
    assert first.utilisation == pytest.approx(0.95)
    assert (first.settled, second.settled) == (False, True)
