"""GET /hello."""

from __future__ import annotations

from collections.abc import Iterator

from apps import problems
from apps.contract.building import get_problem, wrong_method
from apps.contract.records import Sample


def hello() -> Sample:
    """GET /hello."""
    return Sample("hello", "GET", "/hello", 200, {"message": "Hello, World!"})


def hello_samples(unique: str) -> Iterator[Sample]:
    """Samples of GET /hello."""
    yield hello()
    yield Sample("hello with a query", "GET", "/hello?a=1&a=2&%FF", 200, hello().json)
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"):
        yield wrong_method(method, "/hello", allow="GET")
    for name, path in {
        "a slash at the end": "/hello/",
        "other letters": "/Hello",
        "an encoded slash": "/hello%2F",
    }.items():
        yield get_problem(f"hello with {name}", path, problems.of_status(404))
