"""The noise of a core whose speed is simulated, and the slices that follow from it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from harness.analysis import spectrum
from harness.analysis.spectrum import Ints
from harness.models import Spectrum

PIECE_S = 0.0002
SECONDS = 10.0
SEEDS = range(5)
Floats = npt.NDArray[np.float64]


def ended(slowness: Floats) -> Ints:
    """When pieces ended each of which took so much longer than it should: 0.1 is 10 %."""
    took_ns = np.maximum(1 + slowness, 0.05) * PIECE_S * 1e9
    return np.concatenate([[0], np.cumsum(took_ns)]).astype(np.int64)


def normal(seed: int) -> Floats:
    return np.random.default_rng(seed).normal(0, 1, round(SECONDS / PIECE_S))


def white(seed: int) -> Spectrum:
    """No piece says anything of the next."""
    return spectrum.spectrum(ended(0.2 * normal(seed)))


def wandering(seed: int) -> Spectrum:
    """A random walk: the speed of a second has little to do with that of the next."""
    walk = np.cumsum(normal(seed))
    return spectrum.spectrum(ended(0.1 * walk / walk.std()))


def flickering(seed: int) -> Spectrum:
    """Neighbouring windows differ by about as much, however long they are."""
    pieces = round(SECONDS / PIECE_S)
    octaves = [
        np.repeat(normal(seed + 100 * octave)[: pieces // 2**octave + 1], 2**octave)[:pieces]
        for octave in range(4, 15)
    ]
    return spectrum.spectrum(ended(0.03 * np.sum(octaves, axis=0)))


def fast(seed: int) -> Spectrum:
    """The speed goes up and down every 7 ms, and is otherwise steady."""
    at_s = np.arange(round(SECONDS / PIECE_S)) * PIECE_S
    return spectrum.spectrum(ended(0.3 * np.sin(2 * math.pi * at_s / 0.007) + 0.02 * normal(seed)))


@pytest.mark.parametrize("seed", SEEDS)
def test_where_pieces_know_nothing_of_each_other_slices_are_as_long_as_they_may(seed: int) -> None:
    found = white(seed)
    errors = [window.error for window in found.windows if window.length_s >= 0.04]
    assert max(errors) < 1.4 * min(errors)
    assert found.slice_s == spectrum.LONGEST_S


@pytest.mark.parametrize("seed", SEEDS)
def test_the_spread_is_that_of_the_noise(seed: int) -> None:
    found = white(seed)
    for window in found.windows[:4]:
        pieces = window.length_s / PIECE_S
        assert window.spread == pytest.approx(0.2 * math.sqrt(2 / pieces), rel=0.15)
        # Standard error of the difference of two means over 10 s each, less what edges take of them.
        counted_s = 10 * window.length_s / (window.length_s + spectrum.EDGES_S)
        assert window.error == pytest.approx(0.2 * math.sqrt(2 * PIECE_S / counted_s), rel=0.15)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("noise", [wandering, flickering])
def test_where_the_speed_wanders_the_shortest_slices_win(noise: object, seed: int) -> None:
    found = noise(seed)  # type: ignore[operator]
    errors = [window.error for window in found.windows[:5]]
    assert errors == sorted(errors)
    assert found.slice_s == spectrum.SHORTEST_S


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_that_is_faster_than_any_slice_asks_for_no_short_ones(seed: int) -> None:
    found = fast(seed)
    assert found.windows[0].spread > 2 * found.windows[3].spread
    assert found.slice_s == spectrum.LONGEST_S


def swinging(amplitude: float, period_s: float, seed: int) -> Spectrum:
    """Fast noise hides the swing, until windows are long enough for the noise to average out."""
    at_s = np.arange(round(SECONDS / PIECE_S)) * PIECE_S
    swing = amplitude * np.sin(2 * math.pi * at_s / period_s)
    return spectrum.spectrum(ended(0.3 * normal(seed) + swing))


@pytest.mark.parametrize("seed", SEEDS)
def test_between_the_bounds_the_noise_decides(seed: int) -> None:
    assert swinging(0.02, 0.5, seed).slice_s == 0.08


@pytest.mark.parametrize("seed", SEEDS)
def test_windows_longer_than_any_slice_decide_nothing(seed: int) -> None:
    found = swinging(0.1, 0.32, seed)
    assert min(found.windows, key=lambda window: window.error).length_s == 0.32  # a whole period
    assert found.slice_s == spectrum.SHORTEST_S


def test_a_core_that_stands_still_for_a_while_has_a_spread() -> None:
    slowness = 0.05 * normal(1)
    slowness[20_000] = 500.0  # 100 ms
    for window in spectrum.spectrum(ended(slowness)).windows:
        assert 0 < window.spread < 2


def test_what_was_watched_too_shortly_says_nothing() -> None:
    assert spectrum.spectrum(ended(0.1 * normal(1)[:500])).windows == ()
    for pieces, lengths_s in ((2_000, [0.01, 0.02]), (4_000, [0.01, 0.02, 0.04])):
        found = spectrum.spectrum(ended(0.1 * normal(1)[:pieces]))
        assert [window.length_s for window in found.windows] == lengths_s
        assert found.slice_s == (0.04 if 0.04 in lengths_s else None)
