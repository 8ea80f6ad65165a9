"""Open load near a server's capacity: what is found, in queues whose truth is known."""

import time
from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from apps import contract
from harness.analysis.figures import RoundFigures, round_figures
from harness.analysis.schedules import overload_of
from harness.load.client import requests_for
from harness.load.open import OpenFleet
from harness.load.schedule import due_ns
from harness.models import Arrivals, BlockPlan, CellRound, Load, Samples, Slice
from tests.runs import FakeRun, hello_plan
from tests.socket_server import reply, says, serving

Floats = npt.NDArray[np.float64]


def latencies_s(due_s: Floats, service_s: float) -> Floats:
    """A server that serves one request at a time, each in the same time."""
    number = np.arange(len(due_s))
    free_s = np.maximum.accumulate(due_s - number * service_s)  # without the requests before
    return free_s + (number + 1) * service_s - due_s


def slice_of(rate_rps: float, service_s: float, seconds: float, seed: str) -> tuple[Floats, Floats]:
    """When the requests of a slice were due, and how long each took, on an idle server."""
    due_s = np.array(due_ns(Arrivals.POISSON, rate_rps, seconds, seed)) / 1e9
    return due_s, latencies_s(due_s, service_s)


def samples_of(pieces: list[tuple[Floats, Floats]]) -> Samples:
    due_ns_ = np.concatenate([due_s for due_s, _ in pieces]) * 1e9
    latency_ns = np.concatenate([latency_s for _, latency_s in pieces]) * 1e9
    count = len(due_ns_)
    return Samples(
        slice=np.repeat(
            np.arange(len(pieces), dtype=np.int32), [len(due_s) for due_s, _ in pieces]
        ),
        intended_ns=due_ns_.astype(np.int64),
        start_ns=due_ns_.astype(np.int64),
        latency_ns=latency_ns.astype(np.int64),
        failure=np.zeros(count, np.int8),
        starved=np.zeros(count, np.bool_),
    )


@cache
def any_cell(rate_rps: float) -> tuple[BlockPlan, CellRound]:
    """A cell at a rate, to be given slices."""
    plan = hello_plan(rate_rps=rate_rps)
    return plan.blocks[0], FakeRun(plan, {"flask-gthread": [1.0]}).record.rounds[0].cells[0]


def figures(
    rate_rps: float, samples: Samples, windows: list[tuple[int, int]], number: int = 1
) -> RoundFigures:
    """Reduce samples as those of a run are, whose slices begin at 0."""
    block, cell = any_cell(rate_rps)
    slices = tuple(
        Slice(cycle, 0, from_ns, to_ns, to_ns) for cycle, (from_ns, to_ns) in enumerate(windows)
    )
    changed = replace(cell, round=number, slices=slices)
    return round_figures(block, changed, samples)


def queue(
    utilisation: float, service_s: float, slice_s: float, settle_s: float, *, seed: int
) -> list[RoundFigures]:
    """Six rounds of two slices."""
    rate_rps = utilisation / service_s
    window = (int(settle_s * 1e9), int(slice_s * 1e9))
    return [
        figures(
            rate_rps,
            samples_of(
                [
                    slice_of(rate_rps, service_s, slice_s, f"{seed} {number} {cycle}")
                    for cycle in range(2)
                ]
            ),
            [window] * 2,
            number,
        )
        for number in range(6)
    ]


def called_overloaded(utilisation: float, service_s: float, slice_s: float, runs: int) -> int:
    return sum(
        overload_of(queue(utilisation, service_s, slice_s, slice_s / 3, seed=seed)) is not None
        for seed in range(runs)
    )


def test_a_rate_just_above_capacity_is_seen_to_overload_a_server() -> None:
    assert called_overloaded(1.05, 0.00063, 2.0, 20) >= 19
    assert called_overloaded(1.05, 0.002, 10.0, 20) >= 19


def test_a_rate_just_below_capacity_does_not_overload_a_server() -> None:
    assert called_overloaded(0.95, 0.00063, 3.0, 40) <= 1
    assert called_overloaded(0.95, 0.002, 9.0, 40) <= 1


def test_an_overloaded_server_is_said_to_answer_what_it_can_and_not_what_it_was_left_with() -> None:
    overload = overload_of(queue(1.5, 0.002, 2.0, 0.5, seed=1))
    assert overload is not None
    assert overload.answered_rps == pytest.approx(500, rel=0.02)
    assert overload.due_rps == pytest.approx(750, rel=0.05)


@pytest.mark.parametrize("slice_s", [0.1, 0.2, 0.8, 2.0])
def test_a_server_that_always_takes_120_ms_keeps_up_at_every_length_of_slice(
    slice_s: float,
) -> None:
    due_s = np.array(due_ns(Arrivals.POISSON, 400, slice_s, "x")) / 1e9
    piece = (due_s, np.full(len(due_s), 0.12))
    found = figures(400, samples_of([piece] * 4), [(int(slice_s * 1e8), int(slice_s * 1e9))] * 4)
    assert found.schedule is not None
    assert found.schedule.achieved == found.schedule.offered
    assert overload_of([found]) is None


@pytest.mark.parametrize("slice_s", [0.1, 0.4, 0.8])
def test_so_it_does_on_real_sockets(slice_s: float) -> None:
    origin_ns = time.perf_counter_ns()
    with serving(says(reply(), delay_s=0.12)) as url:
        fleet = OpenFleet(
            url,
            requests_for([contract.hello()], url),
            Load(200, 200, Arrivals.CONSTANT),
            schedule_seed="s",
            part=0,
            parts=1,
            timeout_s=2.0,
            seed=1,
            origin_ns=origin_ns,
        )
        pieces = [fleet.run_slice(cycle, slice_s, slice_s / 10) for cycle in range(2)]
        fleet.close()
    columns = fleet.recorder.columns(origin_ns)
    found = figures(
        200,
        Samples(**{name: columns[name] for name in Samples.__dataclass_fields__}),
        [(piece.from_ns, piece.to_ns) for piece in pieces],
    )
    assert found.schedule is not None
    assert found.schedule.offered > 0
    assert found.schedule.achieved == found.schedule.offered
    assert overload_of([found]) is None
