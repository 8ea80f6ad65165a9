"""Several members act as one: on one clock, and with their shares merged."""

from __future__ import annotations

import time

import numpy as np
import pytest

from harness.channel.messages import Block, Contender, Turn
from harness.channel.samples import pack, unpack
from harness.measuring.crew import Crew, Order, merged, merged_samples, named_alike
from harness.models import CellKey, Load, Slice
from tests.channels import USAGE, FakeMember

CELL = CellKey("flask-gthread", "hello", "closed-4")
ORDER = Order("hello.py", (Contender(CELL, Load(4), "http://127.0.0.1:1"),), 10.0, "seed")
HOUR_NS = 3_600_000_000_000  # longer than any machine stalls


def test_a_merged_slice_is_counted_where_all_were_counting() -> None:
    slices = [Slice(3, 100, 200, 900, 950), Slice(3, 90, 230, 880, 990)]
    assert merged(slices) == Slice(3, 90, 230, 880, 990)


def test_windows_that_do_not_overlap_leave_hardly_any() -> None:
    window = merged([Slice(0, 0, 10, 20, 30), Slice(0, 0, 40, 50, 60)])
    assert 0 < window.to_ns - window.from_ns <= 1


def columns(index: list[int], intended: list[int]) -> dict[str, np.ndarray]:
    count = len(index)
    return {
        "slice": np.array(index, dtype=np.int32),
        "intended_ns": np.array(intended),
        "start_ns": np.array(intended) + 1,
        "latency_ns": np.full(count, 7),
        "status": np.full(count, 200, dtype=np.int16),
        "size": np.full(count, 27, dtype=np.int32),
        "failure": np.zeros(count, dtype=np.int8),
        "starved": np.zeros(count, dtype=np.int8),
        "endpoint": np.zeros(count, dtype=np.int8),
    }


def test_shares_of_samples_become_one_in_the_order_in_which_requests_were_due() -> None:
    whole = merged_samples([columns([0, 0, 1], [10, 30, 110]), columns([0, 1, 1], [20, 100, 120])])
    assert whole["slice"].tolist() == [0, 0, 0, 1, 1, 1]
    assert whole["intended_ns"].tolist() == [10, 20, 30, 100, 110, 120]
    assert whole["start_ns"].tolist() == [11, 21, 31, 101, 111, 121]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_samples_arrive_as_they_were_sent(count: int) -> None:
    sent = columns([0] * count, [-5, 2**62, 0][:count])
    arrived = unpack(pack(sent))
    assert list(arrived) == list(sent)
    for name, column in sent.items():
        assert arrived[name].dtype == column.dtype
        assert arrived[name].tolist() == column.tolist()


def test_a_member_whose_clock_is_an_hour_ahead_plays_at_the_same_moment() -> None:
    members = [FakeMember(), FakeMember(clock_offset_ns=HOUR_NS)]
    crew = Crew(members)
    origin_ns = time.perf_counter_ns()
    crew.seat(ORDER, origin_ns)
    played = crew.play(Turn(CELL, 0, seconds=0.1, settle_s=0.01))
    assert [member.block.origin_ns - origin_ns for member in members] == [0, HOUR_NS]
    turns = [Turn.from_json(member.told[-1].values["turn"]) for member in members]
    begins_ns = [turn.begin_ns for turn in turns if turn.begin_ns is not None]
    assert begins_ns[1] - begins_ns[0] == HOUR_NS
    # Both counted in the same window, and it lies just after the origin on our clock.
    assert played.slice.to_ns - played.slice.from_ns == 90_000_000
    assert 0 < played.slice.begin_ns < HOUR_NS / 2
    assert (played.samples, played.load_cpu_s) == (20, (0.01, 0.01))


def test_what_counts_and_what_does_not_are_shared_out_among_the_members() -> None:
    members = [FakeMember(), FakeMember()]
    crew = Crew(members)
    crew.seat(ORDER)
    crew.play(Turn(CELL, 0, seconds=0.1, requests=201, uncounted=31))
    turns = [Turn.from_json(member.told[-1].values["turn"]) for member in members]
    assert [turn.requests for turn in turns] == [101, 100]
    assert [turn.uncounted for turn in turns] == [16, 15]


def test_a_single_member_with_another_clock_answers_on_ours() -> None:
    crew = Crew([FakeMember(clock_offset_ns=-HOUR_NS)])
    crew.seat(ORDER)
    played = crew.play(Turn(CELL, 0, seconds=0.1))
    assert 0 <= played.slice.begin_ns < HOUR_NS / 2


def test_each_member_has_its_part_of_the_block_and_says_itself_what_it_used() -> None:
    members = [FakeMember(requests=1), FakeMember(requests=2)]
    crew = Crew(members)
    crew.seat(ORDER)
    blocks = [Block.from_json(member.told[0].values["block"]) for member in members]
    assert [(block.part, block.parts) for block in blocks] == [(0, 2), (1, 2)]
    assert blocks[0].contenders == ORDER.contenders
    crew.play(Turn(CELL, -1, seconds=0.1))
    crew.measure()
    for cycle in range(3):
        crew.play(Turn(CELL, cycle, seconds=0.1))
    finished = crew.finish()
    assert finished.load == (USAGE, USAGE)
    (cell,) = finished.cells
    assert cell.played.requests == len(cell.samples["slice"]) == 9
    assert [part.cycle for part in cell.played.slices] == [0, 1, 2]
    assert cell.samples["slice"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_members_that_saw_endpoints_in_other_orders_name_them_alike() -> None:
    one, other = columns([0, 0, 0], [1, 2, 3]), columns([0, 0], [4, 5])
    one["endpoint"] = np.array([0, 1, -1], dtype=np.int8)
    other["endpoint"] = np.array([0, 1], dtype=np.int8)
    names, (one, other) = named_alike([["GET /b", "GET /a"], ["GET /c", "GET /b"]], [one, other])
    assert names == ("GET /a", "GET /b", "GET /c")
    assert one["endpoint"].tolist() == [1, 0, -1]
    assert other["endpoint"].tolist() == [2, 1]


def test_samples_of_a_scenario_keep_the_places_of_its_endpoints() -> None:
    share = columns([0], [1])
    assert named_alike([()], [share]) == ((), [share])
