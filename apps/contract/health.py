"""GET /healthz."""

from __future__ import annotations

from collections.abc import Iterator

from apps.contract.building import wrong_method
from apps.contract.records import Sample


def healthz_samples(unique: str) -> Iterator[Sample]:
    """Samples of GET /healthz."""
    yield Sample("healthz", "GET", "/healthz", 200, {"status": "ok"})
    yield wrong_method("POST", "/healthz", allow="GET")
