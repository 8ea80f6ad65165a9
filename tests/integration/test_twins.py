"""Parity: on the wire nobody can tell the stacks apart."""

import dataclasses
import http.client
import uuid
from urllib.parse import urlsplit

import pytest

from apps import contract
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


def test_a_stack_that_breaks_the_contract_would_be_noticed(urls: dict[str, str]) -> None:
    other = dataclasses.replace(contract.hello(), json={"message": "Good evening"})
    (found,) = parity.check_stack(urls["flask-gthread"], [other])
    assert "Hello, World!" in str(found)


@pytest.mark.parametrize(
    "sample",
    [contract.hello(), contract.weather(contract.CITIES[0]), contract.validate_user(3),
     contract.lookup_user(77), contract.cpu_python(), contract.cpu_native()],
    ids=lambda sample: sample.name,
)  # fmt: skip
def test_what_is_measured_has_the_same_bytes_on_every_stack(
    urls: dict[str, str], sample: contract.Sample
) -> None:
    bodies = {stack: body_of(urls[stack], sample) for stack in STACKS}
    assert len(set(bodies.values())) == 1, bodies


def body_of(url: str, sample: contract.Sample) -> bytes:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request(sample.method, sample.path, sample.body, dict(sample.headers))
        return connection.getresponse().read()
    finally:
        connection.close()
