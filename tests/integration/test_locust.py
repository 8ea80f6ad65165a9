"""Each scenario is a Locust file that anybody can run by itself."""

import json
import subprocess
import sys

import pytest

from harness import plan
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


@pytest.mark.parametrize("file", FILES)
def test_a_scenario_runs_by_itself(urls: dict[str, str], file: str) -> None:
    code, requests, failures = locust(file, urls["fastapi-uvicorn"])
    assert code == 0
    assert requests > 5
    assert failures == 0


def test_locust_counts_a_broken_promise_as_a_failure() -> None:
    with serving(says(reply(b'{"message":"Good evening"}'))) as url:
        code, requests, failures = locust("hello.py", url)
    assert code == 1
    assert failures == requests > 5
