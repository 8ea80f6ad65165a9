"""Each scenario is a Locust file that anybody can run by itself."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from harness import plan
from tests.socket_server import reply, says, serving

FILES = sorted(
    path.name for path in plan.SCENARIOS_FOLDER.glob("*.py") if path.name != "__init__.py"
)


def locust(file: str, url: str, folder: Path) -> tuple[int, dict[str, dict[str, str]]]:
    """Exit code, and Locust's statistics by request name."""
    done = subprocess.run(
        [sys.executable, "-m", "locust", "-f", f"scenarios/{file}", "--headless", "--host", url,
         "--users", "2", "--run-time", "1s", "--csv", str(folder / "stats"), "--loglevel", "ERROR"],
        cwd=plan.PROJECT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    with (folder / "stats_stats.csv").open() as lines:
        return done.returncode, {row["Name"]: row for row in csv.DictReader(lines)}


@pytest.mark.parametrize("file", FILES)
def test_a_scenario_runs_by_itself(urls: dict[str, str], tmp_path: Path, file: str) -> None:
    code, stats = locust(file, urls["fastapi-uvicorn"], tmp_path)
    assert code == 0
    assert int(stats["Aggregated"]["Request Count"]) > 5
    assert int(stats["Aggregated"]["Failure Count"]) == 0


def test_locust_counts_a_broken_promise_as_a_failure(tmp_path: Path) -> None:
    with serving(says(reply(b'{"message":"Good evening"}'))) as url:
        code, stats = locust("hello.py", url, tmp_path)
    assert code == 1
    total = stats["Aggregated"]
    assert int(total["Failure Count"]) == int(total["Request Count"]) > 5
