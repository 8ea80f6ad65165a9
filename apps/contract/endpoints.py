"""All features together: the endpoints, every sample, and questions about endpoints by name."""

from __future__ import annotations

from collections.abc import Collection
from typing import get_args

from apps.contract.auth import login_samples, protected_samples
from apps.contract.cpu import native_samples, python_samples
from apps.contract.crash import crash_samples
from apps.contract.dashboard import dashboard_samples
from apps.contract.export import export_samples
from apps.contract.health import healthz_samples
from apps.contract.hello import hello_samples
from apps.contract.items import item_samples, search_samples
from apps.contract.live import exchanges, plain_requests
from apps.contract.openapi import docs_samples, openapi_samples
from apps.contract.page import page_samples
from apps.contract.predict import predict_samples
from apps.contract.problems import unknown_paths
from apps.contract.records import Endpoint, Need, Sample
from apps.contract.users import create_samples, lookup_samples, validate_samples
from apps.contract.weather import weather_samples

#: The tests of parity and of the OpenAPI documents go through this table, so a new endpoint needs
#: no test of its own there.
ENDPOINTS = (
    # A twin is ready without what it was not given. But connecting is part of a start, so a run
    # that measures starts gives the twins both.
    Endpoint(
        "GET", "/healthz", "the twin is ready", healthz_samples, needs=("database", "upstream")
    ),
    Endpoint("GET", "/hello", "the framework's own cost", hello_samples),
    Endpoint(
        "GET", "/weather/{city}", "asks the upstream service", weather_samples, needs=("upstream",)
    ),
    Endpoint("POST", "/users/validate", "answers the normalised user", validate_samples),
    Endpoint("POST", "/users", "stores a user", create_samples, needs=("database",)),
    Endpoint("GET", "/users/{id}", "one row by primary key", lookup_samples, needs=("database",)),
    Endpoint("GET", "/items", "several rows: filters, pages", search_samples, needs=("database",)),
    Endpoint("GET", "/items/{id}", "one row, or a domain error", item_samples, needs=("database",)),
    Endpoint("POST", "/login", "a token for a password", login_samples, needs=("database",)),
    Endpoint("GET", "/protected", "whose token it is", protected_samples),
    Endpoint("GET", "/page", "a list as HTML", page_samples),
    Endpoint("GET", "/export", "many items as JSON", export_samples),
    Endpoint("GET", "/cpu/python", "work that holds the GIL", python_samples),
    Endpoint("GET", "/cpu/native", "work that releases the GIL", native_samples),
    Endpoint(
        "POST", "/predict", "which digit an image shows", predict_samples, needs=("classifier",)
    ),
    Endpoint(
        "GET",
        "/dashboard/{city}",
        "asks the upstream, looks users up, computes",
        dashboard_samples,
        needs=("database", "upstream"),
    ),
    Endpoint("GET", "/crash", "an error that the handler does not expect", crash_samples),
    Endpoint("GET", "/openapi.json", "describes the operations", openapi_samples),
    Endpoint("GET", "/docs", "shows the description", docs_samples),
)


def samples(unique: str) -> list[Sample]:
    """Every sample of every endpoint and of unknown paths; Endpoint explains `unique`."""
    return [
        *(sample for endpoint in ENDPOINTS for sample in endpoint.samples(unique)),
        *plain_requests(),
        *unknown_paths(),
    ]


def tested(endpoints: Collection[str]) -> tuple[Sample, ...]:
    """The requests that an application's own tests send to endpoints such as "GET /users/{id}".

    For each endpoint, the first sample with each of three results: found (200), not found (404),
    refused (422).

    Raises:
        ValueError: The contract has no such endpoint over HTTP.
    """
    _refuse_unknown(endpoints, [endpoint.name for endpoint in ENDPOINTS])
    found: list[Sample] = []
    for endpoint in ENDPOINTS:
        if endpoint.name in endpoints:
            own = [
                sample
                for sample in endpoint.samples("")
                if sample.method == endpoint.method and endpoint.has_path(sample.path)
            ]
            for status in (200, 404, 422):
                found += [sample for sample in own if sample.status == status][:1]
    return tuple(found)


def needs(endpoints: Collection[str]) -> tuple[Need, ...]:
    """Everything that these endpoints need together, in the order in which Need lists it.

    Raises:
        ValueError: The contract has no such endpoint.
    """
    by_name: dict[str, tuple[Need, ...]] = {
        **{endpoint.name: endpoint.needs for endpoint in ENDPOINTS},
        **{f"WS {exchange.path}": () for exchange in exchanges()},
    }
    _refuse_unknown(endpoints, by_name)
    needed = {need for name in endpoints for need in by_name[name]}
    return tuple(need for need in get_args(Need) if need in needed)


def path_template(method: str, path: str) -> str:
    """The endpoint's path that a request goes to: `/users/{id}` for GET /users/17?x=1.

    A path without an endpoint is returned as it is, without its query.
    """
    matching = [endpoint for endpoint in ENDPOINTS if endpoint.has_path(path)]
    # GET /users/validate goes to /users/{id}; DELETE /users/1 goes to the same path, in vain.
    matching.sort(key=lambda endpoint: endpoint.method != method)
    return matching[0].path if matching else path.partition("?")[0]


def _refuse_unknown(names: Collection[str], known: Collection[str]) -> None:
    unknown = sorted(set(names).difference(known))
    if unknown:
        raise ValueError(f"not in the contract: {', '.join(unknown)}")
