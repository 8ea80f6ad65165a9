"""Pauses in which all users wait at once, found in the samples of servers with known answers."""

import heapq
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from harness.analysis.analyse import analyse
from harness.analysis.pauses import Waits, pauses, unless_dear, waits
from harness.models import CellSummary, Failure, Pauses, Samples
from tests.runs import A_STACK, MS, FakeRun, hello_plan


def samples_of(index: list[int], starts_ms: list[float], ends_ms: list[float]) -> Samples:
    """Good replies, by slice, start and end."""
    start_ns = (np.array(starts_ms) * MS).astype(np.int64)
    return Samples(
        slice=np.array(index, dtype=np.int32),
        intended_ns=start_ns,
        start_ns=start_ns,
        latency_ns=(np.array(ends_ms) * MS).astype(np.int64) - start_ns,
        failure=np.zeros(len(start_ns), dtype=np.int8),
        starved=np.zeros(len(start_ns), dtype=np.bool_),
    )


@dataclass
class Queue:
    """A server with one worker, which answers its users in the order in which they ask.

    Attributes:
        users: each sends again as soon as it has its reply.
        work_ms: what a request takes, one value for each that comes.
        upstream_ms: what every request waits for beside that, without keeping the worker busy.
        pause_ms: how long the server stops before it replies to a request, now and then.
        each: requests from one pause to the next on average; 0: it never stops.
        at_random: whether pauses come at random, or exactly after so many requests.
    """

    users: int
    work_ms: np.ndarray
    upstream_ms: float = 0.0
    pause_ms: float = 0.0
    each: int = 0
    at_random: bool = False
    served: int = field(default=0, init=False)
    #: Whether it paused, for each request that was not the only one in flight.
    seen: list[bool] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._draw = np.random.default_rng(11)

    def round(self, slice_ms: float, slices: int) -> Samples:
        """Play so many slices: users send until the time is over, and wait for what they sent."""
        starts, ends, index = [], [], []
        begin = 0.0
        for number in range(slices):
            ready = [begin] * self.users  # when each user sends next, as a heap
            free = begin  # when the worker has time
            while ready:
                start = heapq.heappop(ready)
                if start >= begin + slice_ms:
                    continue
                free = max(free, start + self.upstream_ms) + float(
                    self.work_ms[self.served % len(self.work_ms)]
                )
                self.served += 1
                pausing = self._pauses()
                free += self.pause_ms * pausing
                if self.users == 1 or (ready and ready[0] < begin + slice_ms):
                    self.seen.append(pausing)
                starts.append(start)
                ends.append(free)
                index.append(number)
                heapq.heappush(ready, free)
            begin = free + 10.0
        return samples_of(index, starts, ends)

    def _pauses(self) -> bool:
        if not self.each:
            return False
        if self.at_random:
            return bool(self._draw.random() < 1 / self.each)
        return self.served % self.each == 0


def found(queue: Queue, slice_ms: float, rounds: int = 5) -> Pauses:
    """The pauses in rounds of about 20 s each."""
    slices = max(1, round(20_000 / slice_ms))
    samples = [queue.round(slice_ms, slices) for _ in range(rounds)]
    known = pauses([waits(of_round, queue.users) for of_round in samples])
    assert known is not None
    return known


def steady(ms: float) -> np.ndarray:
    """Work that varies by a fifth, as a machine makes it vary."""
    return np.random.default_rng(3).normal(ms, ms / 5, 9973).clip(ms / 5)


@pytest.mark.parametrize("slice_ms", [30, 200, 2000])
@pytest.mark.parametrize("each", [100, 380, 500])
@pytest.mark.parametrize("pause_ms", [20.0, 50.0, 200.0])
def test_pauses_are_counted_and_sized_whatever_the_length_of_slices(
    pause_ms: float, each: int, slice_ms: float
) -> None:
    queue = Queue(16, steady(2.0), pause_ms=pause_ms, each=each, at_random=True)
    known = found(queue, slice_ms)
    assert known.count == pytest.approx(sum(queue.seen), rel=0.01)
    assert known.requests == len(queue.seen)
    assert known.p50_ms == pytest.approx(pause_ms, rel=0.1)
    assert known.longest_ms == pytest.approx(pause_ms, rel=0.1)
    assert known.recurring


@pytest.mark.parametrize("slice_ms", [30, 200, 2000])
def test_how_often_a_server_pauses_does_not_depend_on_the_length_of_slices(slice_ms: float) -> None:
    queue = Queue(16, steady(2.0), pause_ms=140.0, each=100, at_random=True)
    known = found(queue, slice_ms, rounds=30)
    assert known.requests_each == pytest.approx(100, rel=0.1)
    assert known.time_share == pytest.approx(140 / (140 + 100 * 2), rel=0.1)


@pytest.mark.parametrize("slice_ms", [30, 200, 1000])
@pytest.mark.parametrize("each", [100, 380, 500])
@pytest.mark.parametrize("pause_ms", [20.0, 50.0, 200.0])
def test_pauses_that_come_after_a_fixed_number_of_requests_are_found(
    pause_ms: float, each: int, slice_ms: float
) -> None:
    known = found(Queue(16, steady(2.0), pause_ms=pause_ms, each=each), slice_ms)
    assert known.requests_each == pytest.approx(each, rel=0.1)
    assert known.p50_ms == pytest.approx(pause_ms, rel=0.1)


@pytest.mark.parametrize("users", [1, 2, 50])
def test_pauses_are_found_with_few_users_and_with_many(users: int) -> None:
    known = found(Queue(users, steady(2.0), pause_ms=50.0, each=150), 500)
    assert known.requests_each == pytest.approx(150, rel=0.1)
    assert known.p50_ms == pytest.approx(50, rel=0.1)


def test_a_pause_at_the_first_request_of_a_slice_counts() -> None:
    work = np.full(400, 2.0)
    queue = Queue(4, work, pause_ms=100.0, each=40)
    queue.served = 39
    sample = queue.round(30.0, 1)
    (first,) = np.flatnonzero(waits(sample, 4).is_first)
    assert first == 0
    assert waits(sample, 4).wait_ns[0] == 102 * MS


def in_bursts(users: int, work_ms: float, pause_ms: float, each: int) -> Samples:
    """An event loop that takes all requests there are, and then sends all replies."""
    draw = np.random.default_rng(6)
    starts, ends, index = [], [], []
    served, begin = 0, 0.0
    for number in range(20):
        start = begin
        while start < begin + 1000:
            end = start + sum(draw.normal(work_ms, work_ms / 5, users))
            stops = (served + users) // each - served // each
            served += users
            replies = end + stops * pause_ms + 0.05 * np.arange(users)
            starts += [start] * users
            ends += replies.tolist()
            index += [number] * users
            start = float(replies[-1]) + 0.01
        begin = start + 10
    return samples_of(index, starts, ends)


@pytest.mark.parametrize("users", [8, 16])
def test_pauses_of_a_server_that_replies_in_bursts_are_found(users: int) -> None:
    rounds = [waits(in_bursts(users, 1.7, 110.0, 420), users) for _ in range(5)]
    known = pauses(rounds)
    assert known is not None
    # Here the last of each burst is the only one in flight, and is not counted.
    assert known.requests_each * users / (users - 1) == pytest.approx(420, rel=0.1)
    assert known.p50_ms == pytest.approx(110, rel=0.1)
    calm = pauses([waits(in_bursts(users, 1.7, 0.0, 420), users)])
    assert calm is not None
    assert calm.count == 0


def test_users_who_wait_for_a_service_in_step_are_no_pause() -> None:
    for work_ms in (0.02, 0.3):
        in_step = Queue(50, steady(work_ms), upstream_ms=50.0)
        assert found(in_step, 1000).count == 0


def test_a_pause_of_a_server_whose_users_wait_in_step_is_found() -> None:
    known = found(Queue(50, steady(0.3), upstream_ms=50.0, pause_ms=200.0, each=500), 2000)
    assert known.requests_each == pytest.approx(500, rel=0.1)
    assert known.longest_ms == pytest.approx(200, rel=0.25)  # some of it is waiting in step


def test_dear_requests_of_two_users_are_no_pause() -> None:
    """As where a password is hashed: all users wait for it, but it is a request as others are."""
    draw = np.random.default_rng(4)
    for share in (0.05, 0.2, 0.5, 1.0):
        work_ms = np.where(draw.random(9973) < share, draw.normal(250, 25, 9973), 2.5)
        assert not found(Queue(2, work_ms), 8000).recurring


@pytest.mark.parametrize("users", [2, 16])
def test_requests_that_differ_much_are_no_pause(users: int) -> None:
    work_ms = np.random.default_rng(5).exponential(8.0, 9973)
    known = found(Queue(users, work_ms), 500)
    assert not known.recurring
    assert known.time_share < 0.005


def test_a_single_stop_is_counted_and_not_called_recurring() -> None:
    known = found(Queue(16, steady(2.0), pause_ms=100.0, each=40_000), 500)
    assert 1 <= known.count <= 2
    assert not known.recurring


def test_pauses_that_others_may_have_made_are_not_called_recurring() -> None:
    samples = [Queue(16, steady(2.0), pause_ms=50.0, each=500).round(500, 40) for _ in range(5)]
    of_rounds = [waits(of_round, 16) for of_round in samples]
    alone, beside_others = pauses(of_rounds, 0.01), pauses(of_rounds, 0.05)
    assert alone is not None
    assert beside_others is not None
    assert 0.04 < alone.time_share < 0.05
    assert alone.recurring
    assert not beside_others.recurring
    assert beside_others.count == alone.count


def test_a_user_who_waits_alone_is_no_pause() -> None:
    """One reply in a hundred is lost for long, and the others go on."""
    samples = Queue(8, steady(2.0)).round(2000, 5)
    latency_ns = samples.latency_ns.copy()
    latency_ns[samples.latency_ns.argmax()] += 300 * MS
    known = pauses([waits(replace(samples, latency_ns=latency_ns), 8)])
    assert known is not None
    assert known.count == 0


@pytest.mark.parametrize(
    ("kinds_ms", "recurring"), [([], True), ([3.0, 50.0], True), ([3.0, 120.0], False)]
)
def test_dear_requests_of_all_users_at_once_are_no_pause_of_the_stack(
    kinds_ms: list[float], recurring: bool
) -> None:
    found = Pauses(20, 4_800, p50_ms=226.0, longest_ms=538.0, time_share=0.5, recurring=True)
    assert unless_dear(found, kinds_ms) == replace(found, recurring=recurring)
    assert unless_dear(None, kinds_ms) is None


def test_the_draining_of_a_slice_is_no_pause() -> None:
    """The last user waits alone, however long."""
    samples = samples_of([0] * 5, [0, 0, 2, 4, 6], [2, 4, 6, 8, 500])
    assert waits(samples, 2).wait_ns.tolist() == [2 * MS] * 4


def test_a_request_that_is_given_up_is_no_reply() -> None:
    samples = samples_of([0] * 4, [0, 0, 2, 4], [2, 4, 50, 100])
    failure = np.array([0, 0, Failure.TIMEOUT, 0], dtype=np.int8)
    assert waits(replace(samples, failure=failure), 2).wait_ns.tolist() == [2 * MS, 2 * MS]


def test_nothing_is_known_without_replies() -> None:
    nothing = Waits(np.empty(0, np.int64), np.empty(0, np.bool_))
    assert pauses([nothing]) is None
    assert pauses([]) is None


def cells_of(run: FakeRun) -> list[CellSummary]:
    return list(analyse(run.record, run.read).cells)


def test_a_steady_server_has_no_pauses_and_open_load_does_not_say() -> None:
    (closed,) = cells_of(FakeRun(hello_plan(stacks=(A_STACK,)), {A_STACK: [1000.0] * 5}))
    assert closed.pauses is not None
    assert (closed.pauses.count, closed.pauses.recurring) == (0, False)
    open_run = FakeRun(hello_plan(stacks=(A_STACK,), rate_rps=200), {A_STACK: [3.0] * 5})
    assert cells_of(open_run)[0].pauses is None


@pytest.mark.parametrize(("rate_rps", "is_short"), [(125.0, False), (110.0, True)])
def test_a_slice_shorter_than_three_times_p99_is_called_short(
    rate_rps: float, is_short: bool
) -> None:
    """A slice that counts for 100 ms beside 4 users who wait 32 or 36 ms."""
    (cell,) = cells_of(FakeRun(hello_plan(stacks=(A_STACK,)), {A_STACK: [rate_rps] * 30}))
    assert (cell.short_slices is not None) == is_short
    assert cell.valid
    if cell.short_slices:
        assert cell.short_slices.slice_ms == pytest.approx(100)
        assert cell.short_slices.slowest_ms == pytest.approx(4 / 0.11, rel=0.01)


def test_a_pause_that_is_longer_than_a_slice_does_not_make_the_slice_short() -> None:
    run = FakeRun(hello_plan(stacks=(A_STACK,)), {A_STACK: [1000.0] * 5})
    for cell in run.record.rounds[0].cells:
        late = delayed(run.samples[cell.samples_file], at_ns=50 * MS, by_ns=400 * MS)
        run.samples[cell.samples_file] = late
    (cell,) = cells_of(run)
    assert cell.pauses is not None
    assert cell.pauses.count == 1
    assert cell.short_slices is None


def delayed(samples: Samples, at_ns: int, by_ns: int) -> Samples:
    """The same after a stop: in the first slice, everything that goes on then comes later."""
    ends_ns = samples.start_ns + samples.latency_ns
    first = samples.slice == 0
    start_ns = samples.start_ns + by_ns * (first & (samples.start_ns > at_ns))
    ends_ns = ends_ns + by_ns * (first & (ends_ns > at_ns))
    return replace(samples, intended_ns=start_ns, start_ns=start_ns, latency_ns=ends_ns - start_ns)
