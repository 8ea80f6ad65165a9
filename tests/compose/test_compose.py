"""Tests the containers as a user runs them: `make test-compose`, which needs a Docker engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.planning.files import PROJECT

pytestmark = [pytest.mark.compose, pytest.mark.timeout(600)]

#: Nobody on the host has these ids, so files of root or of the image's own user would be noticed.
USER = (12345, 12346)
PROJECT_NAME = "twinbench-test"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    if os.geteuid() == 0:
        os.chown(folder, *USER)
    return folder


def environment(results: Path, **settings: str) -> dict[str, str]:
    cleared = {
        name: value
        for name, value in os.environ.items()
        if name not in {"SCENARIOS", "STACKS", "PROFILE", "ROUNDS", "CPUS", "MEMORY", "UID", "GID"}
    }
    return cleared | {
        "COMPOSE_PROJECT_NAME": PROJECT_NAME,
        "RESULTS": str(results),
        "PROFILE": "smoke",
        **settings,
    }


def compose(
    *arguments: str, results: Path, timeout: float = 300, **settings: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", "compose", *arguments],
        cwd=PROJECT,
        env=environment(results, **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )


def up(results: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return compose("up", "--exit-code-from", "bench", results=results, **settings)


def running() -> list[str]:
    found = subprocess.run(
        [
            *("docker", "ps", "--format", "{{.Names}}"),
            *("--filter", f"label=com.docker.compose.project={PROJECT_NAME}"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout.split()


@pytest.fixture(scope="module", autouse=True)
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Build the image once; at the end, take down whatever is left."""
    folder = tmp_path_factory.mktemp("build")
    built = compose("build", results=folder, timeout=580)
    assert built.returncode == 0, built.stdout[-3000:]
    yield
    compose("down", "--volumes", "--timeout", "5", results=folder)
    assert running() == []


def the_run(results: Path) -> Path:
    (folder,) = [path.parent for path in results.glob("*/run.json")]
    return folder


def test_a_smoke_run_leaves_its_files_to_the_caller_and_names_its_limits(results: Path) -> None:
    done = up(results, SCENARIOS="hello,weather", CPUS="1.5", MEMORY="1500m")
    assert done.returncode == 0, done.stdout[-3000:]
    run = the_run(results)
    for name in (
        "run.json",
        "journal.jsonl",
        "summary.csv",
        "comparisons.csv",
        "report/index.html",
    ):
        assert (run / name).stat().st_size > 0, name
    owner = results.stat()
    for path in results.rglob("*"):
        assert (path.stat().st_uid, path.stat().st_gid) == (owner.st_uid, owner.st_gid), path
    record = json.loads((run / "run.json").read_text())
    assert record["environment"]["container"] == {"cpu_cores": 1.5, "memory_bytes": 1500 << 20}
    assert record["environment"]["upstream"] == "127.0.0.1:8100"
    assert [block["scenario"]["name"] for block in record["plan"]["blocks"]] == ["hello", "weather"]
    summary = (run / "report" / "summary.md").read_text()
    assert "allowed 1.5 cores of CPU time" in summary
    assert (
        "Not started by twinbench: upstream (127.0.0.1:8100)" in summary
    )  # nothing else is needed
    assert running() == []

    # The database that the first run filled does not disturb the next run. A cell of one round is
    # invalid.
    again = up(results, SCENARIOS="users-lookup", STACKS="flask-gthread", ROUNDS="1")
    assert again.returncode == 1, again.stdout[-3000:]
    assert len(list(results.glob("*/run.json"))) == 2
    assert running() == []


@pytest.mark.parametrize(
    ("settings", "code", "line"),
    [
        ({"SCENARIOS": "wether"}, 2, "unknown scenario 'wether': did you mean weather?"),
        ({"CPUS": "0.5"}, 3, "a limit of 0.5 cores of CPU time"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_bad_input_gives_one_clear_line_and_the_right_exit_code(
    results: Path, settings: dict[str, str], code: int, line: str
) -> None:
    done = up(results, **{"SCENARIOS": "hello", **settings})
    assert done.returncode == code, done.stdout[-3000:]
    assert line in done.stdout
    assert "Traceback" not in done.stdout
    assert list(results.iterdir()) == []


def test_a_folder_that_belongs_to_somebody_else_gives_a_line_that_says_what_to_do(
    results: Path,
) -> None:
    owner = results.stat()
    results.chmod(0o755)
    done = up(results, SCENARIOS="hello", UID=str(owner.st_uid + 1))
    assert done.returncode == 3, done.stdout[-3000:]
    assert f"put UID={owner.st_uid} and GID={owner.st_gid} into .env" in done.stdout


def test_ctrl_c_leaves_no_container_and_keeps_what_was_measured(results: Path) -> None:
    process = subprocess.Popen(
        ["docker", "compose", "up", "--exit-code-from", "bench"],
        cwd=PROJECT,
        env=environment(results, SCENARIOS="hello", ROUNDS="500"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        deadline = time.monotonic() + 200
        while not any(
            '"type": "block"' in path.read_text() for path in results.glob("*/journal.jsonl")
        ):
            assert process.poll() is None, process.communicate()[0][-3000:]
            assert time.monotonic() < deadline
            time.sleep(0.5)
    finally:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    # Compose's own exit code varies: 2.26 may panic when all containers have stopped
    # (docker/compose#11710).
    assert process.returncode != 0, output[-3000:]
    assert running() == []
    ended = subprocess.run(
        ["docker", "inspect", "--format", "{{.State.ExitCode}}", f"{PROJECT_NAME}-bench-1"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.strip() == "130"
    record = json.loads((the_run(results) / "run.json").read_text())
    assert record["ended"] is None
    assert "ended early: interrupted" in record["notes"][-1]
    report = compose(
        *("run", "--rm", "--no-TTY", "bench", "report", f"results/{the_run(results).name}"),
        results=results,
    )
    assert "Report:" in report.stdout, report.stdout[-3000:]
