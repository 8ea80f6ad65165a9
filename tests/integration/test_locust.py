"""Each scenario is a Locust file that anybody can run by itself."""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps import contract
from harness.machine import placement
from harness.models import Measures, Scenario
from harness.planning.files import PROJECT, STACKS_FILE
from harness.planning.scenarios import load_scenarios
from harness.planning.stacks import load_stacks
from harness.serving import servers
from harness.serving.services import Services
from tests.socket_server import reply, says, serving

SCENARIOS = [one for one in load_scenarios().values() if one.measures is Measures.REQUESTS]
FILES = [one.file for one in SCENARIOS]


#: Locust counts from before it has read the scenarios, which takes seconds on a busy machine.
_SECONDS = 6


def locust(files: list[str], url: str, *, users: int = 2) -> tuple[int, dict[str, tuple[int, int]]]:
    """Exit code; requests and failures of each scenario's class, as Locust counts them."""
    done = subprocess.run(
        [sys.executable, "-m", "locust", "-f", ",".join(files),
         "--headless", "--host", url, "--users", str(users), "--spawn-rate", str(users),
         "--run-time", f"{_SECONDS}s", "--json", "--loglevel", "ERROR"],
        cwd=PROJECT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    counts: dict[str, tuple[int, int]] = {}
    for one in json.loads(done.stdout):  # a row for each method
        requests, failures = counts.get(one["name"], (0, 0))
        counts[one["name"]] = requests + one["num_requests"], failures + one["num_failures"]
    return done.returncode, counts


@pytest.fixture(scope="module")
def url(around: Services, logs: Path) -> Iterator[str]:
    """One stack, not all of them: those are started for another module, in another process."""
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
    """Scenario file -> method, path and promised status of all that it sends."""
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
TEMPLATES = {
    endpoint: re.compile(endpoint.replace("{id}", "[^/]+").replace("{city}", "[^/]+"))
    for endpoint in ["WS /live", *(f"{one.method} {one.path}" for one in contract.ENDPOINTS)]
}


def endpoint_of(method: str, path: str) -> str:
    """As the contract has it, or else as it was asked."""
    plain = f"{method} {path.partition('?')[0]}"
    fitting = (name for name, pattern in TEMPLATES.items() if pattern.fullmatch(plain))
    return next(fitting, plain)


def test_scenarios_run_without_the_harness(url: str) -> None:
    """All of them side by side, since each would take seconds to start."""
    code, counts = locust(FILES, url, users=2 * len(FILES))
    assert code == 0
    assert len(counts) == len(FILES)
    assert all(requests > 0 for requests, _ in counts.values()), counts
    assert all(failures == 0 for _, failures in counts.values()), counts


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_a_scenario_asks_what_it_declares(
    asked: dict[str, list[list[str]]], scenario: Scenario
) -> None:
    sent = asked[scenario.file]
    known = {endpoint_of(method, path) for method, path, _ in sent}
    # Of what is no endpoint, a refusal is all that can be asked for.
    other = {(method, path) for method, path, status in sent if status in (404, 405)}
    assert known - {f"{method} {path}" for method, path in other} == set(scenario.endpoints)


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
        code, counts = locust(["scenarios/hello.py"], url)
    assert code == 1
    requests, failures = counts["Hello"]
    assert failures == requests > 5
