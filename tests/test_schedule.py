"""Open load's schedule: as many requests as the rate says, when it says."""

import numpy as np
import pytest

from harness.load.schedule import due_ns
from harness.models import Arrivals


def times(arrivals: Arrivals, rate: float = 500, seconds: float = 4, seed: str = "a", **share):
    return np.array(due_ns(arrivals, rate, seconds, seed, **share))


def test_constant_arrivals_are_evenly_spaced() -> None:
    due = times(Arrivals.CONSTANT, rate=400, seconds=0.5)
    assert len(due) == 200
    assert due[0] == 0
    assert set(np.diff(due)) == {2_500_000}


def test_a_rate_that_does_not_fit_the_slice_still_leaves_nothing_beyond_its_end() -> None:
    due = times(Arrivals.CONSTANT, rate=3, seconds=0.7)
    assert list(due) == [0, 333_333_333, 666_666_666]


def test_poisson_arrivals_have_the_rate_and_the_spread_of_independent_users() -> None:
    counts = [len(times(Arrivals.POISSON, seed=str(n))) for n in range(400)]
    # A Poisson count's variance is its mean; over 400 draws, 5 standard errors.
    assert np.mean(counts) == pytest.approx(2000, abs=5 * np.sqrt(2000 / 400))
    assert np.var(counts) / np.mean(counts) == pytest.approx(1, abs=5 * np.sqrt(2 / 400))
    gaps = np.diff(times(Arrivals.POISSON, rate=20_000, seconds=5))
    assert np.std(gaps) / np.mean(gaps) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("arrivals", list(Arrivals))
def test_times_are_in_order_and_within_the_slice(arrivals: Arrivals) -> None:
    due = times(arrivals)
    assert (np.diff(due) >= 0).all()
    assert due.min() >= 0
    assert due.max() < 4e9


def test_the_seed_decides_a_poisson_schedule() -> None:
    assert list(times(Arrivals.POISSON)) == list(times(Arrivals.POISSON))
    assert list(times(Arrivals.POISSON)) != list(times(Arrivals.POISSON, seed="b"))


@pytest.mark.parametrize("arrivals", list(Arrivals))
def test_shares_together_are_the_whole_schedule(arrivals: Arrivals) -> None:
    shares = [times(arrivals, part=part, parts=3) for part in range(3)]
    assert sorted(np.concatenate(shares)) == list(times(arrivals))
