"""Each scenario is a Locust file that anybody can run by itself."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps import contract
from harness import placement, plan, servers
from harness.models import Scenario
from harness.services import Services
from harness.stacks import load_stacks
from tests.socket_server import reply, says, serving

FILES = sorted(
    path.name for path in plan.SCENARIOS_FOLDER.glob("*.py") if path.name != "__init__.py"
)


def locust(file: str, url: str) -> tuple[int, int, int]:
    """Exit code, requests and failures, as Locust counts them."""
    done = subprocess.run(
        [sys.executable, "-m", "locust", "-f", f"scenarios/{file}", "--headless", "--host", url,
         "--users", "2", "--spawn-rate", "2", "--run-time", "2s", "--json", "--loglevel", "ERROR"],
        cwd=plan.PROJECT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    stats = json.loads(done.stdout)
    requests = sum(one["num_requests"] for one in stats)
    return done.returncode, requests, sum(one["num_failures"] for one in stats)


@pytest.fixture(scope="module")
def url(around: Services, logs: Path) -> Iterator[str]:
    """One stack, not all of them: those are started for another module, in another process."""
    cores = placement.usable_cores()
    stack = load_stacks(plan.STACKS_FILE)["fastapi-uvicorn"]
    with servers.serving(
        [stack],
        workers=1,
        environment=around.environment,
        cores=cores,
        start_cores=cores,
        logs=logs,
        folder=plan.PROJECT,
    ) as up:
        yield up[stack.label].url


@pytest.mark.parametrize("file", FILES)
def test_a_scenario_runs_by_itself(url: str, file: str) -> None:
    code, requests, failures = locust(file, url)
    assert code == 0
    assert requests > 5
    assert failures == 0


ASKED = """
import importlib, json, sys
from harness.load.__main__ import _scenario
print(json.dumps([[s.method, s.path] for s in _scenario(sys.argv[1]).samples]))
"""


@pytest.mark.parametrize("scenario", plan.load_scenarios().values(), ids=lambda s: s.name)
def test_a_scenario_asks_what_it_declares(scenario: Scenario) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASKED, scenario.file],
        cwd=plan.PROJECT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    templates = {
        f"{endpoint.method} {endpoint.path}": re.compile(re.sub(r"{\w+}", "[^/]+", endpoint.path))
        for endpoint in contract.ENDPOINTS
    }
    asked = set()
    for method, path in json.loads(done.stdout):
        plain = path.partition("?")[0]
        fitting = [
            name
            for name, pattern in templates.items()
            if name.startswith(f"{method} ") and pattern.fullmatch(plain)
        ]
        asked.add(fitting[0])
    assert asked == set(scenario.endpoints)


def test_locust_counts_a_broken_promise_as_a_failure() -> None:
    with serving(says(reply(b'{"message":"Good evening"}'))) as url:
        code, requests, failures = locust("hello.py", url)
    assert code == 1
    assert failures == requests > 5
