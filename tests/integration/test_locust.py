"""Each scenario is a Locust file that anybody can run by itself."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from apps import contract
from harness.machine import placement
from harness.models import Measures, Scenario
from harness.planning.files import PROJECT, STACKS_FILE
from harness.planning.scenarios import load_scenarios
from harness.planning.stacks import load_stacks
from harness.processes.children import free_port
from harness.serving import servers
from harness.serving.services import Services
from tests.integration.conftest import wait_for
from tests.socket_server import reply, says, serving

ALL = load_scenarios().values()
SCENARIOS = [scenario for scenario in ALL if scenario.measures is Measures.REQUESTS]
FILES = [scenario.file for scenario in SCENARIOS]
NOT_BY_LOCUST = [scenario for scenario in ALL if scenario not in SCENARIOS]

#: Requests in each row of Locust's table.
ENOUGH = 6

#: Method and name of a row of Locust's table -> requests and failures.
Rows = dict[tuple[str, str], tuple[int, int]]


def run_locust(
    *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "locust", "--headless", *arguments],
        cwd=PROJECT, capture_output=True, text=True, timeout=110,
        env={**os.environ, **(environment or {})},
    )  # fmt: skip


def locust(files: list[str], url: str, rows: set[str], *, users: int = 2) -> tuple[int, Rows]:
    """Exit code, and the rows of Locust's table, once these rows have enough requests."""
    done = run_locust(
        *("-f", ",".join([*files, "tests/enough_requests.py"]), "--host", url),
        *("--users", str(users), "--spawn-rate", str(users), "--run-time", "90s"),
        *("--json", "--loglevel", "ERROR"),
        environment={"WAITED_FOR": json.dumps(dict.fromkeys(rows, ENOUGH))},
    )
    rows = {
        (row["method"], row["name"]): (row["num_requests"], row["num_failures"])
        for row in json.loads(done.stdout)
    }
    return done.returncode, rows


@pytest.fixture(scope="module")
def url(around: Services, logs: Path) -> Iterator[str]:
    """One stack; another module, in another process, starts all of them."""
    cores = placement.usable_cores()
    stack = load_stacks(STACKS_FILE)["fastapi-uvicorn"]
    with servers.serving(
        [stack],
        workers=1,
        environment=around.environment,
        cores=cores,
        start_cores=cores,
        logs=logs,
        folder=PROJECT,
    ) as up:
        yield up[stack.label].url


@pytest.fixture(scope="module")
def asked() -> dict[str, list[list[str]]]:
    """Scenario file -> method, path and promised status of each of its requests."""
    done = subprocess.run(
        [sys.executable, "-c", ASKED, *FILES],
        cwd=PROJECT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    answer: dict[str, list[list[str]]] = json.loads(done.stdout)
    return answer


ASKED = """
import json, sys
from harness.load.__main__ import _scenario
def asked(sample):
    return sample.method, sample.path, getattr(sample, "status", 101)
print(json.dumps({file: [asked(s) for s in _scenario(file).samples] for file in sys.argv[1:]}))
"""


def endpoint_of(method: str, path: str) -> str:
    """Method and path in the form of the contract."""
    return f"{method} {contract.path_template(method, path)}"


def test_scenarios_run_without_the_harness_and_locust_has_a_row_for_each_endpoint(
    url: str, asked: dict[str, list[list[str]]]
) -> None:
    """All of them side by side, since each would take seconds to start."""
    sent = {endpoint_of(method, path) for some in asked.values() for method, path, _ in some}
    code, rows = locust(FILES, url, sent, users=2 * len(FILES))
    assert code == 0
    assert {f"{method} {name}" for method, name in rows} == sent
    assert {"GET /users/{id}", "POST /users/validate", "GET /nothing", "WS /live"} < sent
    assert all(requests >= ENOUGH for requests, _ in rows.values()), rows
    assert all(failures == 0 for _, failures in rows.values()), rows


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "locust needs the address of a server: add --host http://127.0.0.1:8000"),
        (["--host", "localhost:8000"], "--host localhost:8000: 'localhost:8000' is not an http://"),
        (["--host", "https://localhost"], "--host https://localhost: 'https://localhost' is not"),
    ],
)
def test_locust_without_an_address_that_can_be_used_ends_with_one_line(
    arguments: list[str], complaint: str
) -> None:
    done = run_locust("-f", "scenarios/hello.py", "--run-time", "3s", *arguments)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if "/INFO/" not in line]
    assert line.startswith(complaint)
    assert done.stdout == ""


def test_a_wrong_address_on_locusts_page_is_said_in_one_line() -> None:
    port = free_port()
    command = [sys.executable, "-m", "locust", "-f", "scenarios/hello.py", "--web-host=127.0.0.1"]
    process = subprocess.Popen(
        [*command, f"--web-port={port}", "--loglevel=ERROR"],
        cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    form = urlencode({"user_count": 1, "spawn_rate": 1, "host": "ftp://localhost"}).encode()
    assert process.stderr is not None
    try:
        wait_for(lambda: started(f"http://127.0.0.1:{port}/swarm", form), "Locust's page")
        first = process.stderr.readline()
    finally:
        # Not SIGINT, which a process ignores that was begun in the background of a shell.
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert first == "locust: 'ftp://localhost' is not an http:// address\n"
    assert "Traceback" not in said


def started(url: str, form: bytes) -> bool:
    try:
        with urlopen(url, form, timeout=5) as reply:
            return bool(json.load(reply)["success"])
    except URLError:  # Locust is not up yet
        return False


@pytest.mark.parametrize("scenario", NOT_BY_LOCUST, ids=lambda s: s.name)
def test_locust_refuses_a_scenario_that_does_not_measure_requests_to_a_server(
    scenario: Scenario,
) -> None:
    with serving(says(reply(b'{"status":"ok"}'))) as url:
        done = run_locust("-f", f"{scenario.file}", "--host", url, "--run-time", "3s")
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if "/INFO/" not in line]
    assert line.startswith(f"scenario '{scenario.name}' measures ")
    assert line.endswith(f"which Locust can't do: run 'twinbench run {scenario.name}' instead")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_a_scenario_asks_what_it_declares(
    asked: dict[str, list[list[str]]], scenario: Scenario
) -> None:
    sent = asked[scenario.file]
    known = {endpoint_of(method, path) for method, path, _ in sent}
    # A request to anything but an endpoint of the contract must be one that is refused.
    refused = {f"{method} {path}" for method, path, status in sent if status in (404, 405)}
    assert known - refused == set(scenario.endpoints)


def test_the_mix_has_its_proportions(asked: dict[str, list[list[str]]]) -> None:
    counts = Counter(
        endpoint_of(method, path) for method, path, _ in asked["scenarios/crud_mix.py"]
    )
    assert counts == {
        "GET /users/{id}": 60,
        "GET /items": 15,
        "GET /weather/{city}": 10,
        "POST /users/validate": 10,
        "POST /login": 5,
    }


def test_locust_counts_a_broken_promise_as_a_failure() -> None:
    with serving(says(reply(b'{"message":"Good evening"}'))) as url:
        code, rows = locust(["scenarios/hello.py"], url, {"GET /hello"})
    assert code == 1
    requests, failures = rows["GET", "/hello"]
    assert failures == requests >= ENOUGH
