"""Twins that were started without database, upstream or classifier, held against the contract."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from apps import contract, fastapi_twin, flask_twin, problems
from apps.contract import Endpoint, Sample
from apps.problems import Problem
from apps.settings import Settings
from harness.checking import parity
from harness.load import in_process

BARE = Settings(classifier=False)
#: Each twin, with the variants that have another driver or client.
TWINS: dict[str, tuple[Callable[[Settings], Any], dict[str, str]]] = {
    "flask": (flask_twin.create_app, {}),
    "flask, a session for each request": (flask_twin.create_app, {"http_client_life": "request"}),
    "fastapi": (fastapi_twin.create_app, {}),
    "fastapi, asyncpg": (fastapi_twin.create_app, {"database_driver": "asyncpg"}),
    "fastapi, def": (
        fastapi_twin.create_app,
        {"database_driver": "psycopg-sync", "http_client": "requests", "handlers": "def"},
    ),
}
MISSING = {
    "database": problems.no_database(),
    "upstream": problems.no_upstream(),
    "classifier": problems.no_classifier(),
}
# Even without database and upstream a twin is ready.
NEEDING = [
    endpoint for endpoint in contract.ENDPOINTS if endpoint.needs and endpoint.path != "/healthz"
]
OTHERS = [one for one in contract.ENDPOINTS if one not in NEEDING]


def own_samples(endpoint: Endpoint) -> list[Sample]:
    """Samples that go to the endpoint, as far as the test clients can send them."""
    return [
        sample
        for sample in endpoint.samples("once")
        if sample.method == endpoint.method
        and contract.path_template(sample.method, sample.path) == endpoint.path
        and not sample.chunked
        and all(text.isascii() for text in sample.headers.values())
    ]


def refused_for(sample: Sample, problem: Problem) -> Sample:
    """The sample with the promise that it is refused for this problem."""
    return replace(
        sample,
        status=problem.status,
        json=problem.document(),
        content_type=problems.MEDIA_TYPE,
        reply_headers={},
    )


def differences(twin: str, samples: list[Sample], settings: Settings = BARE) -> list[str]:
    create_app, variant = TWINS[twin]
    with in_process.client(create_app(replace(settings, **variant))) as ask:
        return [
            f"{sample.name}: {problem}"
            for sample in samples
            for problem in parity.compare(sample, *ask(sample))
        ]


@pytest.mark.parametrize("twin", TWINS)
def test_what_needs_nothing_is_answered_as_promised_without_services(twin: str) -> None:
    # A test client passes on what the application raises by intention.
    samples = [s for one in OTHERS if one.path != "/crash" for s in own_samples(one)]
    assert len({contract.path_template(s.method, s.path) for s in samples}) == len(OTHERS) - 1
    assert differences(twin, samples) == []


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("endpoint", NEEDING, ids=lambda one: one.name)
def test_what_needs_an_absent_service_is_refused_with_its_name(
    endpoint: Endpoint, twin: str
) -> None:
    need = endpoint.needs[-1]  # a dashboard needs both, and asks the upstream first
    good = [sample for sample in own_samples(endpoint) if sample.status < 300]
    assert good
    assert differences(twin, [refused_for(one, MISSING[need]) for one in good]) == []


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("endpoint", NEEDING, ids=lambda one: one.name)
def test_invalid_input_is_refused_before_anybody_asks_an_absent_service(
    endpoint: Endpoint, twin: str
) -> None:
    invalid = [one for one in own_samples(endpoint) if one.status in (400, 413, 415, 422)]
    assert invalid or endpoint.path == "/weather/{city}"  # any text is a city
    assert differences(twin, invalid) == []


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize(
    ("settings", "service"),
    [
        ({"database_url": "postgresql+psycopg://user@127.0.0.1:1/name"}, "database"),
        ({"upstream_url": "http://127.0.0.1:1"}, "weather service"),
    ],
)
def test_a_twin_is_not_ready_while_a_service_that_it_was_given_does_not_answer(
    settings: dict[str, str], service: str, twin: str
) -> None:
    (healthz,) = contract.tested(["GET /healthz"])
    expected = refused_for(healthz, problems.not_ready(service))
    assert differences(twin, [expected], replace(BARE, **settings)) == []


def test_the_problem_of_each_absent_service_names_it() -> None:
    details = {need: problem.detail for need, problem in MISSING.items()}
    assert json.dumps(details) == (
        '{"database": "This server was started without a database.",'
        ' "upstream": "This server was started without a weather service.",'
        ' "classifier": "This server was started without its classifier."}'
    )
