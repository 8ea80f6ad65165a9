"""GET /crash."""

from __future__ import annotations

from collections.abc import Iterator

from apps import problems
from apps.contract.building import get_problem, wrong_method
from apps.contract.records import Sample


def crash() -> Sample:
    """GET /crash."""
    return get_problem("crash", "/crash", problems.of_status(500))


def crash_samples(unique: str) -> Iterator[Sample]:
    """Samples of GET /crash."""
    yield crash()
    yield wrong_method("POST", "/crash", allow="GET")
