"""How `make bench-collector` watches the garbage collector; no test judges a speed."""

import gc
from collections.abc import Iterator

import pytest

from tests.benchmarks.watched import OBJECTS, PASSES, Watch


@pytest.fixture
def watch() -> Iterator[Watch]:
    before = list(gc.callbacks)
    yield Watch()
    gc.callbacks[:] = before


def test_full_passes_are_counted_with_what_they_free_until_somebody_asks(watch: Watch) -> None:
    gc.collect()
    watch.passes()
    circle: list[object] = []
    circle.append(circle)
    del circle
    gc.collect()
    seen = watch.passes()
    assert seen["passes"][2] == 1
    assert seen["freed"] >= 1
    assert seen["walked"] > 1_000
    assert watch.passes()["passes"][2] == 0


def test_requests_that_begin_before_one_ends_are_one_run(watch: Watch) -> None:
    for begins in (True, True, True, False, False, True, False, False):
        (watch.begins if begins else watch.ends)()
    seen = watch.passes()
    assert (seen["starts"], seen["runs"]) == (4, 2)


def test_only_the_paths_of_the_watch_are_answered_by_it(watch: Watch) -> None:
    assert watch.answer(PASSES)
    assert int(watch.answer(OBJECTS) or 0) > 1_000
    assert watch.answer("/hello") is None
