"""Tests that somebody ends leave nothing running."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.planning.files import PROJECT

TEST = """
import subprocess, sys, time
from pathlib import Path
import pytest

@pytest.fixture
def child():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    yield process
    process.kill()
    process.wait()

def test_something_long(child):
    Path("child").with_suffix(".part").write_text(str(child.pid))
    Path("child.part").rename("child")
    time.sleep(100)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_fixtures_end_what_they_started(
    tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "test_long.py").write_text(TEST)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"]
    with subprocess.Popen(
        [*command, "-p", "tests.conftest", "--rootdir", str(tmp_path), "test_long.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # As a shell without job control starts what it puts into the background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    ) as tests:
        deadline = time.monotonic() + 90
        while not (tmp_path / "child").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        child = psutil.Process(int((tmp_path / "child").read_text()))
        try:
            tests.send_signal(number)
            assert tests.wait(60) == pytest.ExitCode.INTERRUPTED
            assert not child.is_running()
        finally:
            tests.kill()
            if child.is_running():
                child.kill()
