"""Draws cases from Schemathesis' strategies, and makes requests of them."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from harness.models import OwnRequest
from harness.planning.requests.credentials import is_credential_header
from harness.planning.requests.left_out import LeftOut
from harness.planning.requests.parts_of_requests import OF_THE_CONNECTION, is_sendable_value
from harness.planning.requests.variables import escaped

if TYPE_CHECKING:
    from hypothesis import strategies as st

#: Headers that requests and Schemathesis add on their own account.
_OF_THE_CLIENT = OF_THE_CONNECTION | {
    "accept", "accept-encoding", "user-agent", "x-schemathesis-testcaseid",
}  # fmt: skip
_BOUNDARY = "twinbench-part"  # that of requests is drawn anew each time
_CREDENTIAL_HEADER = "left out headers that are credentials ({names}): --header 'Authorization: ${{TOKEN}}' gives them"


def drawn(strategy: st.SearchStrategy[Any], count: int, seed: str) -> list[Any]:
    """Draw some cases; fewer, or none, where nothing satisfies the schema."""
    import hypothesis

    result: list[Any] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategy)
    def draw(case: Any) -> None:
        result.append(case)

    try:
        draw()
    except Exception:  # nothing satisfies the schema, or Schemathesis can't write it down
        return result
    return result


def request_of(case: Any, base: str, left_out: LeftOut) -> OwnRequest | None:
    """A generated case as it is sent; None if it can't be written down."""
    from requests import Request as Unsent

    try:
        sent = Unsent(**case.as_transport_kwargs(base_url=f"http://service{base}")).prepare()
    except Exception:  # a type of body that Schemathesis can't write, a path that is no URL
        return None
    body = sent.body if isinstance(sent.body, bytes) else (sent.body or "").encode()
    headers = [
        (name.lower(), value if isinstance(value, str) else value.decode("latin-1"))
        for name, value in sent.headers.items()
        if name.lower() not in _OF_THE_CLIENT
    ]
    credentials = {name for name, value in headers if is_credential_header(name, value)}
    if credentials:
        left_out.add(_CREDENTIAL_HEADER, credentials)
    kept = [(n, v) for n, v in headers if n not in credentials and is_sendable_value(v)]
    text = body.decode("latin-1")
    for boundary in re.findall(r"boundary=([\w'-]+)", dict(kept).get("content-type", "")):
        text = text.replace(boundary, _BOUNDARY)
        kept = [(name, value.replace(boundary, _BOUNDARY)) for name, value in kept]
    return OwnRequest(
        "",
        sent.method or "GET",
        sent.path_url,
        tuple((name, escaped(value)) for name, value in kept),
        escaped(text) if sent.body is not None else None,
    )


@contextmanager
def no_storage() -> Iterator[None]:
    """Have Hypothesis write into a folder that goes away, and not into the working folder."""
    from hypothesis import configuration

    before = getattr(configuration, "__hypothesis_home_directory", None)
    with tempfile.TemporaryDirectory(prefix="twinbench-hypothesis-") as folder:
        configuration.set_hypothesis_home_dir(folder)
        try:
            yield
        finally:
            configuration.set_hypothesis_home_dir(before)
