"""Parity: on the wire nobody can tell the stacks apart. And each is what it says it is.

One module for all that needs every stack: they are started once.
"""

from __future__ import annotations

import dataclasses
import http.client
import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import jwt
import psycopg
import pytest

from apps import contract
from apps.domain.cities import LATE_CITY
from apps.settings import DEFAULT_JWT_SECRET, Settings
from harness.checking import explore, parity
from harness.planning.files import STACKS_FILE
from harness.planning.stacks import load_stacks
from harness.processes.meter import cpu_seconds
from harness.serving.services import Services
from harness.serving.targets import Target
from tests.integration.conftest import EVERY_STACK, TWINS, wait_for

#: The first test pays for the start of all stacks. That takes all cores for a minute, in which
#: tests beside it would come to nothing.
pytestmark = [pytest.mark.timeout(300), pytest.mark.busy]
thorough = pytest.mark.thorough

STACKS = list(load_stacks(STACKS_FILE))
BREAKS = {name: stack.breaks for name, stack in load_stacks(STACKS_FILE).items() if stack.breaks}


@pytest.fixture(scope="session")
def differences(servers: dict[str, Target]) -> dict[str, list[str]]:
    """What of each stack's replies is not as contract and stacks.toml say."""
    urls = {label: server.url for label, server in servers.items()}
    breaks = {label: samples for label, samples in BREAKS.items() if label in urls}
    sent, found = parity.check_stacks(urls, breaks)
    assert sent > 600
    return {label: [str(difference) for difference in several] for label, several in found.items()}


@pytest.mark.parametrize("stack", EVERY_STACK)
def test_a_stack_keeps_the_contract(differences: dict[str, list[str]], stack: str) -> None:
    assert differences[stack] == []


def test_the_stacks_that_can_not_keep_all_of_the_contract_are_known() -> None:
    broken = (
        *(exchange.name for exchange in contract.exchanges()),
        "protected: letters outside ASCII",
    )
    assert dict.fromkeys(["flask-granian", "flask-granian-pydantic"], broken) == BREAKS


def test_a_stack_that_keeps_what_it_is_said_to_break_would_be_noticed(
    urls: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "flask-gthread"
    of_items = [sample for sample in contract.samples("once") if sample.path.startswith("/items")]
    monkeypatch.setattr(contract, "samples", lambda unique: of_items)  # all were sent before
    _, found = parity.check_stacks({name: urls[name]}, {name: ("live: texts", "GET /items")})
    assert [
        (difference.sample, difference.problem.split(",")[0]) for difference in found[name]
    ] == [
        ("live: texts", "kept"),
        ("GET /items", "kept"),
    ]


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


@pytest.mark.parametrize("stack", EVERY_STACK)
def test_half_a_websocket_handshake_is_the_clients_fault(urls: dict[str, str], stack: str) -> None:
    with closing(connect(urls[stack])) as connection:
        headers = {"connection": "upgrade", "upgrade": "websocket"}
        connection.request("GET", "/live", headers=headers)
        reply = connection.getresponse()
        if stack in BREAKS:  # it can't hold a WebSocket at all, and takes the blame in good form
            assert reply.status == 500
            assert reply.headers["content-type"] == "application/problem+json"
        else:
            assert 400 <= reply.status < 500


def test_a_stack_that_breaks_the_contract_would_be_noticed(urls: dict[str, str]) -> None:
    other = dataclasses.replace(contract.hello(), json={"message": "Good evening"})
    (found,) = parity.check_stack(urls["flask-gthread"], [other])
    assert "Hello, World!" in str(found)


@thorough
def test_a_spot_check_of_any_endpoint_finds_nothing_where_the_contract_is_kept(
    urls: dict[str, str],
) -> None:
    endpoints = {f"{endpoint.method} {endpoint.path}" for endpoint in contract.ENDPOINTS} | {
        "WS /live"
    }
    few = {name: urls[name] for name in ("flask-gthread", "fastapi-uvicorn", *BREAKS)}
    breaks = {sample for samples in BREAKS.values() for sample in samples}
    for seed in range(4):
        found = parity.spot_check(few, endpoints, uuid.uuid4().hex[:12], str(seed), breaks)
        assert found == dict.fromkeys(few, ())


@thorough
def test_a_spot_check_finds_what_a_stack_breaks(urls: dict[str, str]) -> None:
    few = {name: urls[name] for name in ("flask-gthread", *BREAKS)}
    found = parity.spot_check(few, {"WS /live"}, uuid.uuid4().hex[:12], "1")
    assert found.pop("flask-gthread") == ()
    for differences in found.values():
        assert {difference.split(": no conversation")[0] for difference in differences} == {
            exchange.name for exchange in contract.exchanges()
        }


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
    bodies = {stack: body_of(url, sample) for stack, url in urls.items()}
    assert len(set(bodies.values())) == 1, bodies


@pytest.mark.parametrize("cases", [500, pytest.param(2000, marks=thorough)])
def test_the_twins_answer_generated_requests_alike(urls: dict[str, str], cases: int) -> None:
    found = explore.explore({name: urls[name] for name in TWINS}, cases, 1)
    assert [str(disagreement) for disagreement in found.disagreements] == []
    assert found.cases == cases
    # They get past the door: most kinds of answers come up, and none of them rarely.
    least = 5 if cases == 2000 else 1
    assert all(found.statuses[status] >= least for status in (200, 201, 400, 404, 405, 415, 422))


@thorough
@pytest.mark.timeout(900)
def test_every_stack_answers_generated_requests_as_the_first_one_does(urls: dict[str, str]) -> None:
    assert set(urls) == set(STACKS)
    stacks = load_stacks(STACKS_FILE)
    merging = [name for name, stack in stacks.items() if stack.merges_slashes]
    assert merging == ["flask-dev"]
    found = explore.explore(urls, 2000, 2, merging_slashes=merging)
    assert [str(disagreement) for disagreement in found.disagreements] == []
    assert found.cases == 2000


def test_a_token_of_one_stack_opens_the_next(urls: dict[str, str]) -> None:
    for stack, following in zip(urls, [*list(urls)[1:], *list(urls)[:1]], strict=True):
        token = json.loads(body_of(urls[stack], contract.login(9)))["access_token"]
        claims = jwt.decode(token, DEFAULT_JWT_SECRET, algorithms=["HS256"])
        assert claims["exp"] - claims["iat"] == 900
        sample = dataclasses.replace(
            contract.protected(9), headers={"authorization": f"Bearer {token}"}
        )
        assert parity.check_stack(urls[following], [sample]) == [], (stack, following)


def body_of(url: str, sample: contract.Sample) -> bytes:
    with closing(connect(url)) as connection:
        connection.request(sample.method, sample.path, sample.body, dict(sample.headers))
        return connection.getresponse().read()


# --------------------------------------- each stack is what it says: waiting, connections, logs

AT_ONCE = 6
#: Requests that a stack works on at once, where that is not all of them.
ONE_AT_A_TIME = {"flask-sync", "fastapi-blocking"}
NO_KEEP_ALIVE = {"flask-sync", "flask-sync-2n-plus-1", "flask-dev"}


def connect(url: str, timeout: float = 30) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout)


def get(url: str, path: str, timeout: float = 30) -> int:
    with closing(connect(url, timeout)) as connection:
        connection.request("GET", path)
        return connection.getresponse().status


def concurrency(server: Target) -> int:
    if server.label in ONE_AT_A_TIME:
        return 1
    if server.label == "flask-sync-2n-plus-1":
        return min(AT_ONCE, len(server.child.tree()) - 1)  # all but gunicorn's arbiter
    return AT_ONCE


@contextmanager
def locked_users(database: psycopg.Connection) -> Iterator[None]:
    """Nobody reads a user inside the block."""
    with database.transaction():
        database.execute("LOCK TABLE twinbench.users IN ACCESS EXCLUSIVE MODE")
        yield


def waiting(database: psycopg.Connection) -> int:
    row = database.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture
def database(around: Services) -> Iterator[psycopg.Connection]:
    address = around.environment["TWIN_DATABASE_URL"].replace("+psycopg", "")
    with psycopg.connect(address, autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("stack", EVERY_STACK)
def test_as_many_requests_wait_for_the_database_as_the_stack_can_hold_and_the_rest_goes_on(
    servers: dict[str, Target], database: psycopg.Connection, stack: str
) -> None:
    server = servers[stack]
    together = concurrency(server)
    assert get(server.url, "/users/1") == 200
    with ThreadPoolExecutor(AT_ONCE + 1) as threads:
        with locked_users(database):
            asked = [threads.submit(get, server.url, "/users/1") for _ in range(AT_ONCE)]
            wait_for(lambda: waiting(database) >= together, f"{together} requests in waiting")
            greeted = threads.submit(get, server.url, "/hello")
            if together == AT_ONCE:  # it has room for one more, though all those wait
                assert greeted.result(20) == 200
            else:
                time.sleep(0.3)
                assert not greeted.done()
            assert waiting(database) == together
        assert {request.result() for request in asked} == {200}
        assert greeted.result() == 200


@pytest.fixture(scope="session")
def seconds_for_all(servers: dict[str, Target]) -> dict[str, float]:
    """How long a few requests, sent at once, wait for an upstream that is too late: per stack."""

    def seconds(server: Target) -> float:
        # Two are enough where they come one after the other.
        number = AT_ONCE if concurrency(server) == AT_ONCE else 2
        if server.label == "flask-sync-2n-plus-1":
            number = concurrency(server)
        with ThreadPoolExecutor(number) as threads:
            began = time.monotonic()
            path = f"/weather/{quote(LATE_CITY)}"
            statuses = set(threads.map(lambda _: get(server.url, path), range(number)))
            assert statuses == {504}
            return time.monotonic() - began

    with ThreadPoolExecutor(len(servers)) as threads:
        return dict(zip(servers, threads.map(seconds, servers.values()), strict=True))


@pytest.mark.parametrize("stack", EVERY_STACK)
def test_requests_wait_for_the_upstream_together_unless_the_stack_is_there_to_show_otherwise(
    seconds_for_all: dict[str, float], stack: str
) -> None:
    one = Settings.upstream_timeout_s
    if stack in ONE_AT_A_TIME:
        assert seconds_for_all[stack] >= 2 * one
    else:
        assert one <= seconds_for_all[stack] < AT_ONCE * one / 2


def test_a_connection_stays_open_longer_than_any_servers_own_default(
    servers: dict[str, Target],
) -> None:
    connections = {
        name: connect(server.url) for name, server in servers.items() if name not in NO_KEEP_ALIVE
    }
    for pause_s in (6, 0):  # gunicorn's is 2 s, uvicorn's 5 s
        for name, connection in connections.items():
            sock = connection.sock
            connection.request("GET", "/hello")
            reply = connection.getresponse()
            assert reply.read() == b'{"message":"Hello, World!"}'
            assert not reply.will_close, name
            assert sock is None or connection.sock is sock, name  # else it was opened again
        time.sleep(pause_s)
    for connection in connections.values():
        connection.close()


@thorough
@pytest.mark.parametrize("stack", sorted(NO_KEEP_ALIVE))
def test_a_stack_without_keep_alive_says_so_in_each_reply(
    servers: dict[str, Target], stack: str
) -> None:
    with closing(connect(servers[stack].url)) as connection:
        connection.request("GET", "/hello")
        reply = connection.getresponse()
        assert reply.read() == b'{"message":"Hello, World!"}'
        assert reply.getheader("connection") == "close"


@thorough
@pytest.mark.parametrize("stack", ["flask-dev", "fastapi-dev"])
def test_a_server_of_development_is_metered_with_the_process_that_watches_and_the_one_that_serves(
    servers: dict[str, Target], stack: str
) -> None:
    tree = servers[stack].tree()
    before = {pid: cpu_seconds(pid) for pid in tree}
    for _ in range(100):
        assert get(servers[stack].url, contract.cpu_python().path) == 200
    used = {pid: cpu_seconds(pid) - before[pid] for pid in tree}
    watching, *_ = tree
    serving = max(used, key=lambda pid: used[pid])
    assert serving != watching
    assert used[watching] < used[serving] / 2


@pytest.mark.parametrize("stack", EVERY_STACK)
def test_a_request_that_went_well_leaves_no_line_in_a_log(
    servers: dict[str, Target], logs: Path, stack: str
) -> None:
    assert get(servers[stack].url, "/hello") == 200
    (log,) = [path for path in logs.glob(f"{stack}-*.log") if path.stem[len(stack) + 1 :].isdigit()]
    assert "/hello" not in log.read_text()
