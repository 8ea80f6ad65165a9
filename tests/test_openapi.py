"""The OpenAPI documents of both twins, and what a twin does not do while it serves."""

from __future__ import annotations

import re
from typing import Any

import pytest

from apps import contract, fastapi_twin, flask_twin
from apps.fastapi_twin import openapi
from apps.settings import Settings

SETTINGS = Settings("postgresql+psycopg://u@127.0.0.1:1/d", "http://127.0.0.1:1", classifier=False)
FLASK = flask_twin.create_app(SETTINGS)
FASTAPI = fastapi_twin.create_app(SETTINGS)

Operation = dict[str, Any]


def documents() -> dict[str, dict[str, Any]]:
    return {
        "flask": FLASK.test_client().get("/openapi.json").get_json(),
        "fastapi": openapi.describe(FASTAPI),
    }


def operations(document: dict[str, Any]) -> dict[tuple[str, str], Operation]:
    return {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def in_short(document: dict[str, Any], operation: Operation) -> dict[str, Any]:
    """What a client has to know of an operation, in one form for both libraries."""
    return {
        "parameters": {
            (one["in"], one["name"]): (one["required"], plain(document, one["schema"]))
            for one in operation.get("parameters", [])
        },
        "body": plain(document, operation.get("requestBody", {})),
        "responses": {
            status: plain(document, response.get("content", {}))
            for status, response in operation["responses"].items()
        },
        "security": operation.get("security"),
    }


def plain(document: dict[str, Any], value: Any) -> Any:
    """A schema with its references resolved, without titles, texts and defaults of null."""
    if isinstance(value, list):
        return [plain(document, one) for one in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return plain(document, document["components"]["schemas"][value["$ref"].split("/")[-1]])
    return {
        name: plain(document, one)
        for name, one in value.items()
        if name not in {"title", "description"} and (name, one) != ("default", None)
    }


def test_both_documents_describe_the_same_operations_in_the_same_way() -> None:
    flask, fastapi = (
        {key: in_short(document, operation) for key, operation in operations(document).items()}
        for document in documents().values()
    )
    assert flask.keys() == fastapi.keys()
    for key in flask:
        if key == ("GET", "/page"):  # SpecTree can't say that a reply is HTML
            flask[key]["responses"]["200"] = fastapi[key]["responses"]["200"]
        assert flask[key] == fastapi[key], key


@pytest.mark.parametrize("twin", ["flask", "fastapi"])
def test_a_document_describes_what_the_contract_has(twin: str) -> None:
    described = operations(documents()[twin])
    endpoints = {(one.method, one.path): one for one in contract.ENDPOINTS}
    assert endpoints.keys() - described.keys() == {("GET", "/openapi.json"), ("GET", "/docs")}
    assert described.keys() <= endpoints.keys()
    for key, operation in described.items():
        statuses = {
            sample.status
            for sample in endpoints[key].samples("once")
            if sample.method == key[0] and matches(key[1], sample.path)
        }
        said = {int(status) for status in operation["responses"]}
        assert statuses <= said, key
        # No sample asks a twin that fails, or one that lacks what the endpoint needs.
        assert said - statuses <= {500, 503}, key
        assert (503 in said) == bool(endpoints[key].needs), key


def matches(template: str, path: str) -> bool:
    pattern = re.sub(r"\{\w+\}", "[^/]+", template)
    return re.fullmatch(pattern, path.split("?")[0]) is not None


@pytest.mark.parametrize("twin", ["flask", "fastapi"])
def test_an_error_is_described_as_a_problem_document(twin: str) -> None:
    for operation in operations(documents()[twin]).values():
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"]


def test_no_twin_has_anything_that_runs_at_every_request() -> None:
    assert FLASK.before_request_funcs == {}
    assert FLASK.after_request_funcs == {}
    assert FASTAPI.user_middleware == []
