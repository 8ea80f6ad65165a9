"""Real servers, a real database, the real command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from harness.machine import placement
from harness.planning.files import PROJECT, STACKS_FILE
from harness.planning.stacks import load_stacks
from harness.serving import services
from harness.serving.servers import Server, serving
from harness.serving.services import Services

_MARK = "TWINBENCH_TEST_MARK"


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the output of services and servers goes."""
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session")
def around(logs: Path) -> Iterator[Services]:
    """PostgreSQL and the upstream."""
    with services.running(
        upstream_latency="constant:5",
        seed=0,
        cores=placement.usable_cores(),
        logs=logs,
        folder=PROJECT,
    ) as running:
        yield running


@pytest.fixture(scope="session")
def servers(around: Services, logs: Path) -> Iterator[dict[str, Server]]:
    """Every stack of stacks.toml, by name."""
    cores = placement.usable_cores()
    stacks = load_stacks(STACKS_FILE).values()
    with serving(
        # Two workers show what five would, and each takes seconds to start.
        [replace(stack, workers="2") if stack.workers else stack for stack in stacks],
        workers=1,
        environment=around.environment,
        cores=cores,
        start_cores=cores,
        logs=logs,
        folder=PROJECT,
    ) as up:
        yield up


@pytest.fixture(scope="session")
def urls(servers: dict[str, Server]) -> dict[str, str]:
    """Every stack of stacks.toml: name -> URL."""
    return {label: server.url for label, server in servers.items()}


@dataclass
class Command:
    """A twinbench process, and a way to find everything that it started."""

    process: subprocess.Popen[str]
    mark: str

    def living(self) -> list[str]:
        """Command lines of all processes that carry our mark in their environment."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(_MARK) == self.mark:
                    found.append(" ".join(process.cmdline()) or process.name())
            except psutil.Error:
                continue  # it ended while we looked
        return found

    def all_gone_within(self, seconds: float) -> list[str]:
        """What is still alive after so many seconds; empty as soon as nothing is."""
        deadline = time.monotonic() + seconds
        while (left := self.living()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return left

    def finish(self, timeout: float = 100) -> tuple[int, str, str]:
        """Wait for the end: exit code, stdout, stderr."""
        out, err = self.process.communicate(timeout=timeout)
        return self.process.returncode, out, err


@pytest.fixture
def twinbench() -> Iterator[Callable[..., Command]]:
    """Start the command line; whatever a test leaves alive is ended."""
    commands: list[Command] = []

    def start(
        *arguments: object,
        environment: dict[str, str] | None = None,
        prefix: tuple[str, ...] = (),
    ) -> Command:
        mark = uuid.uuid4().hex
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "harness", *map(str, arguments)],
            cwd=PROJECT,
            env={**os.environ, **(environment or {}), _MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        commands.append(Command(process, mark))
        return commands[-1]

    yield start
    for command in commands:
        if command.process.poll() is None:
            command.process.send_signal(signal.SIGINT)
            command.process.communicate(timeout=10)


def journal_lines(out: Path) -> int:
    """How many lines the journal of the one run below `out` has."""
    return sum(path.read_text().count("\n") for path in out.glob("*/journal.jsonl"))


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Fail unless `condition` comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)
