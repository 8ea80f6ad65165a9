"""The parts of a whole run, one after the other."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli import parts
from harness.errors import EnvironmentFailed, Interrupted
from harness.planning.parts import Part
from tests.runs import FakeRun, hello_plan

RATES = {"flask-gthread": [900.0, 910.0], "fastapi-uvicorn": [2_000.0, 2_020.0]}
NAMES = ("sweep-weather", "connections", "profile-hello")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the parts that were begun; `connections` fails in the way that a test wants."""
    begun: list[str] = []
    missing = [Part(name, hello_plan()) for name in NAMES]
    monkeypatch.setattr(parts, "missing_parts", lambda *_: missing)
    return begun


def failing(begun: list[str], error: BaseException) -> Callable[..., None]:
    def measure(part: Part, *_: object) -> None:
        begun.append(part.name)
        if part.name == "connections":
            raise error

    return measure


def test_a_part_that_fails_does_not_keep_the_others_from_being_measured(
    measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_measure", failing(measured, EnvironmentFailed("no files left")))
    with pytest.raises(EnvironmentFailed, match="no files left") as failed:
        parts.measure_parts(Path("run"), FakeRun(hello_plan(), RATES).record)
    assert measured == list(NAMES)
    assert failed.value.__notes__ == ["while connections was measured; the other parts were"]


def test_an_interrupt_ends_all_parts_at_once(
    measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_measure", failing(measured, Interrupted()))
    with pytest.raises(Interrupted):
        parts.measure_parts(Path("run"), FakeRun(hello_plan(), RATES).record)
    assert measured == ["sweep-weather", "connections"]
