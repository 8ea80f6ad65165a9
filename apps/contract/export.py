"""GET /export."""

from __future__ import annotations

from collections.abc import Iterator

from apps.contract.building import get_problem, invalid, wrong_method
from apps.contract.items import item_json
from apps.contract.records import Expected, Sample
from apps.domain import catalogue


def export(count: int = catalogue.EXPORTED_DEFAULT) -> Sample:
    """GET /export of `count` items, from 1 to catalogue.EXPORTED_MAX."""
    rows: list[Expected] = [item_json(item) for item in catalogue.items(count)]
    return Sample(f"export of {count}", "GET", f"/export?count={count}", 200, {"items": rows})


def export_samples(unique: str) -> Iterator[Sample]:
    """Samples of GET /export."""
    for count in (1, 2, catalogue.EXPORTED_MAX):
        yield export(count)
    yield Sample("export", "GET", "/export", 200, export().json)
    yield Sample("export of the last count", "GET", "/export?count=x&count=2", 200, export(2).json)
    for text, rule in {
        "0": "range",
        "5001": "range",
        "-1": "range",
        "": "type",
        "1.0": "type",
    }.items():
        yield get_problem(f"export of {text!r}", f"/export?count={text}", invalid(count=rule))
    yield wrong_method("POST", "/export", allow="GET")
