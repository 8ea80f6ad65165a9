"""Makes requests from an OpenAPI document, with Schemathesis."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from harness.checking.request import Request
from harness.checking.starting_points import StoredOnce, usable_samples

#: Headers that requests and Schemathesis add on their own account.
_HEADERS_OF_THE_CLIENT = {
    "accept", "accept-encoding", "connection", "content-length", "user-agent",
    "x-schemathesis-testcaseid",
}  # fmt: skip


def requests_of(document: Mapping[str, Any]) -> st.SearchStrategy[Request]:
    """Draw requests that conform to the document, and requests that violate it."""
    import schemathesis
    from requests import Request as Unsent
    from schemathesis import GenerationMode
    from schemathesis.core.result import Ok

    schema = schemathesis.openapi.from_dict(dict(document))
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    once = StoredOnce.of(usable_samples())

    def prepared(case: Any) -> Request:
        sent = Unsent(**case.as_transport_kwargs(base_url="http://stack")).prepare()
        body = sent.body.encode() if isinstance(sent.body, str) else sent.body
        headers = tuple(
            (name.lower(), _for_every_server(value))
            for name, value in sent.headers.items()
            if name.lower() not in _HEADERS_OF_THE_CLIENT
        )
        return once.per_stack(Request(sent.method or "GET", sent.path_url, headers, body))

    cases: list[st.SearchStrategy[Any]] = [
        operation.as_strategy(generation_mode=mode)
        for operation in operations
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    ]
    return st.one_of(cases).map(prepared)


def _for_every_server(value: str | bytes) -> str:
    """A header's value without the characters that servers interpret in different ways."""
    text = value if isinstance(value, str) else value.decode("latin-1")
    return re.sub(r"[^ -+\--~]", "", text).strip(" ")
