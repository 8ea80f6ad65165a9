"""Users who wait, in turns: the same throughput at every length of turns, by the closed form."""

import heapq
import random
import statistics

import pytest

from harness.load import stretches

pytestmark = pytest.mark.busy

USERS, WAIT_S, SERVICE_S = 20, 0.1, 0.02


class Users:
    """Users who ask a server that takes its time, and wait between; time is that of the stack's turns."""

    def __init__(self, seed: int, begin_within_s: float, jitter_s: float) -> None:
        self._random = random.Random(seed)
        self._jitter_s = jitter_s
        self._due_s = [self._random.random() * begin_within_s for _ in range(USERS)]
        heapq.heapify(self._due_s)

    @property
    def next_s(self) -> float:
        """When the next request is due."""
        return self._due_s[0]

    def send(self) -> tuple[float, float]:
        """When a request was sent and when its reply came."""
        sent_s = heapq.heappop(self._due_s)
        done_s = sent_s + SERVICE_S + self._random.random() * self._jitter_s
        heapq.heappush(self._due_s, done_s + WAIT_S)
        return sent_s, done_s


def in_flight(spans: list[tuple[float, float]], at_s: float) -> int:
    return sum(sent <= at_s < done for sent, done in spans)


def throughput(
    seed: int, slice_s: float, *, turns: int, begin_within_s: float, jitter_s: float, settles: int
) -> float:
    """As load.locustfile counts and analysis.figures computes it, beside the truth: 1 is right."""
    users = Users(seed, begin_within_s, jitter_s)
    lengths = random.Random(seed + 1)
    truth_rps = USERS / (WAIT_S + SERVICE_S + jitter_s / 2)
    warm: list[tuple[float, float]] = []
    while users.next_s < 0.5:
        warm.append(users.send())
    left, beyond = in_flight(warm, 0.5), 0
    most = max(in_flight(warm, sent) for sent, _ in warm)
    counted_in_all, time_in_all_s = 0, 0.0
    for _ in range(turns):
        wanted = round(truth_rps * slice_s * lengths.uniform(0.75, 1.25))
        planned = round(settles * lengths.uniform(0.75, 1.25))
        skipped = stretches.uncounted(planned, most, beyond, left)
        spans = [users.send() for _ in range(skipped)]
        counted = [users.send() for _ in range(wanted)]
        to_s = users.next_s
        cut_s = max(to_s, *(done for _, done in counted))
        after = []
        while users.next_s < cut_s:
            after.append(users.send())
        spans += counted + after
        from_s = counted[0][0]
        busy_s = sum(max(0.0, min(done, to_s) - max(sent, from_s)) for sent, done in spans)
        counted_in_all += wanted
        time_in_all_s += sum(done - sent for sent, done in counted)
        time_in_all_s += USERS * (to_s - from_s) - busy_s  # think time
        left, beyond = in_flight(spans, cut_s), len(after)
    return USERS * counted_in_all / time_in_all_s / truth_rps


@pytest.mark.parametrize("settles", [0, 80])
@pytest.mark.parametrize(("slice_s", "turns"), [(0.1, 120), (0.3, 60), (2.0, 20)])
@pytest.mark.parametrize(
    ("begin_within_s", "jitter_s"),
    [
        pytest.param(0.05, 0.005, id="nearly in step"),
        pytest.param(0.25, 0.005, id="spread"),
        pytest.param(0.25, 0.05, id="spread, replies differ"),
    ],
)
def test_users_who_wait_come_out_right_at_every_length_of_turns(
    slice_s: float, turns: int, begin_within_s: float, jitter_s: float, settles: int
) -> None:
    found = [
        throughput(
            seed,
            slice_s,
            turns=turns,
            begin_within_s=begin_within_s,
            jitter_s=jitter_s,
            settles=settles,
        )
        for seed in range(60)
    ]
    error = statistics.stdev(found) / len(found) ** 0.5
    assert statistics.mean(found) == pytest.approx(1, abs=0.004 + 2 * error)
    assert error < 0.004


def test_what_is_left_out_is_a_number_that_nothing_in_a_turn_decides() -> None:
    assert stretches.uncounted(80, 5, 0, 3) == 80
    assert stretches.uncounted(80, 5, 7, 3) == 73
    assert stretches.uncounted(0, 5, 4, 3) == 6
    # At least as many as were in flight settle the load again, whatever went beyond.
    assert stretches.uncounted(0, 5, 30, 3) == 3
    assert stretches.uncounted(0, 0, 0, 0) == 1
