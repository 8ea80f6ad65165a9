"""GET /openapi.json, GET /docs."""

from __future__ import annotations

from collections.abc import Iterator

from apps.contract.building import HTML, wrong_method
from apps.contract.records import Containing, Sample


def openapi_samples(unique: str) -> Iterator[Sample]:
    """Samples of GET /openapi.json."""
    document = Containing('"/users/{id}"')  # tests compare the documents themselves
    yield Sample("openapi", "GET", "/openapi.json", 200, document)
    for method in ("POST", "HEAD"):
        yield wrong_method(method, "/openapi.json", allow="GET")


def docs_samples(unique: str) -> Iterator[Sample]:
    """Samples of GET /docs."""
    page_of_document = Containing("/openapi.json")
    yield Sample("docs", "GET", "/docs", 200, page_of_document, content_type=HTML)
    for method in ("POST", "HEAD"):
        yield wrong_method(method, "/docs", allow="GET")
