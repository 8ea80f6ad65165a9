"""Parity: on the wire nobody can tell the stacks apart."""

import dataclasses
import http.client
import json
import uuid
from urllib.parse import urlsplit

import jwt
import pytest

from apps import contract
from apps.settings import DEFAULT_JWT_SECRET
from harness import parity, plan
from harness.stacks import load_stacks

STACKS = list(load_stacks(plan.STACKS_FILE))


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_keeps_the_contract(urls: dict[str, str], stack: str) -> None:
    samples = contract.samples(unique=uuid.uuid4().hex[:12])
    assert len(samples) > 80
    assert [str(found) for found in parity.check_stack(urls[stack], samples)] == []


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_keeps_the_contract_over_websocket(urls: dict[str, str], stack: str) -> None:
    found = parity.check_exchanges(urls[stack], contract.exchanges())
    assert [str(difference) for difference in found] == []


def test_a_stack_that_says_something_else_over_websocket_would_be_noticed(
    urls: dict[str, str],
) -> None:
    texts, _, with_bytes = contract.exchanges()
    for wrong in (
        dataclasses.replace(texts, replies=("hello", *texts.replies[1:])),
        dataclasses.replace(texts, replies=texts.replies[1:]),
        dataclasses.replace(texts, path="/hello"),
        dataclasses.replace(with_bytes, close_code=1011),
    ):
        found = parity.check_exchanges(urls["flask-gthread"], [wrong])
        assert found
        assert all(difference.sample == wrong.name for difference in found)


@pytest.mark.parametrize("stack", STACKS)
def test_half_a_websocket_handshake_is_the_clients_fault(urls: dict[str, str], stack: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(urls[stack]).netloc, timeout=10)
    try:
        headers = {"connection": "upgrade", "upgrade": "websocket"}
        connection.request("GET", "/live", headers=headers)
        assert 400 <= connection.getresponse().status < 500
    finally:
        connection.close()


def test_a_stack_that_breaks_the_contract_would_be_noticed(urls: dict[str, str]) -> None:
    other = dataclasses.replace(contract.hello(), json={"message": "Good evening"})
    (found,) = parity.check_stack(urls["flask-gthread"], [other])
    assert "Hello, World!" in str(found)


@pytest.mark.parametrize(
    "sample",
    [contract.hello(), contract.weather(contract.CITIES[0]), contract.validate_user(3),
     contract.lookup_user(77), contract.cpu_python(), contract.cpu_native(),
     contract.search_items(keyword="lamp"), contract.lookup_item(7), contract.protected(7),
     contract.page(), contract.export(), contract.predict(3), contract.crash()],
    ids=lambda sample: sample.name,
)  # fmt: skip
def test_what_is_measured_has_the_same_bytes_on_every_stack(
    urls: dict[str, str], sample: contract.Sample
) -> None:
    bodies = {stack: body_of(urls[stack], sample) for stack in STACKS}
    assert len(set(bodies.values())) == 1, bodies


@pytest.mark.parametrize("stack", STACKS)
def test_a_token_of_one_stack_opens_every_other(urls: dict[str, str], stack: str) -> None:
    token = json.loads(body_of(urls[stack], contract.login(9)))["access_token"]
    claims = jwt.decode(token, DEFAULT_JWT_SECRET, algorithms=["HS256"])
    assert claims["exp"] - claims["iat"] == 900
    sample = dataclasses.replace(
        contract.protected(9), headers={"authorization": f"Bearer {token}"}
    )
    for url in urls.values():
        assert parity.check_stack(url, [sample]) == []


def body_of(url: str, sample: contract.Sample) -> bytes:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request(sample.method, sample.path, sample.body, dict(sample.headers))
        return connection.getresponse().read()
    finally:
        connection.close()
