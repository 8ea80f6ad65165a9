"""twinbench as a library, with real services: in a notebook, in a thread, interrupted."""

import base64
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import twinbench
from harness.planning.files import PROJECT
from tests.integration.conftest import Command, child_ids, journal_lines, wait_for

NOTEBOOK = PROJECT / "docs" / "examples" / "versus.ipynb"
SERVER = "python -m http.server {port} --bind 127.0.0.1"
USERS = (
    4  # its queue holds five connections, and what finds no place there tries again after a second
)


def test_the_example_notebook_runs(adopting_orphans: None, tmp_path: Path) -> None:
    others = child_ids()
    done = subprocess.Popen(
        [sys.executable, "-m", "tests.notebooks", str(NOTEBOOK)],
        cwd=PROJECT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    code, out, err = (command := Command(done, others)).finish()
    assert code == 0, err
    assert not command.left_running()
    outputs = json.loads(err.splitlines()[-1])
    (comparison,) = (each for each in outputs if each and "text/html" in each)
    assert "new ÷ old" in comparison["text/html"]
    pictures = [
        base64.b64decode(each["image/png"]) for each in outputs if each and "image/png" in each
    ]
    assert len(pictures) == 2
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert "round 2 of 2" in out
    assert "throughput: " in out
    (report,) = tmp_path.glob("twinbench-results-*/*/report/index.html")
    assert str(report) in out


def test_two_servers_are_compared_in_a_thread_and_leave_nothing_behind(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hello").write_text("hello")
    service = twinbench.Service(SERVER, folder=tmp_path)
    others, handlers = child_ids(), [signal.getsignal(each) for each in signal.Signals]
    cores = {int(each): os.sched_getaffinity(int(each)) for each in os.listdir("/proc/self/task")}
    found: list[twinbench.Comparison] = []

    def measure() -> None:
        found.append(
            twinbench.versus(
                service, SERVER, get="/hello", profile="smoke", users=USERS, out=tmp_path / "out"
            )
        )

    thread = threading.Thread(target=measure)
    thread.start()
    thread.join()
    (comparison,) = found
    assert comparison.report.is_file()
    assert [each.service for each in comparison.figures] == ["a", "b"]
    assert all(each.throughput_rps.value > 0 for each in comparison.figures)
    # The second server runs in a folder that has no such file: nobody compares an error with a reply.
    assert any(not each.same_work for each in comparison.differences)
    assert math.isnan(comparison.throughput.value)
    assert not comparison.valid
    assert child_ids() == others
    assert [signal.getsignal(each) for each in signal.Signals] == handlers
    assert cores == {thread: os.sched_getaffinity(thread) for thread in cores}
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.thorough)]
)
def test_an_interrupt_ends_everything_and_reaches_the_caller(
    number: signal.Signals, adopting_orphans: None, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code = f"""
import sys, twinbench
try:
    twinbench.versus({SERVER!r}, {SERVER!r}, get="/", rounds=1000, users={USERS}, out={str(out)!r})
except KeyboardInterrupt as error:
    print("interrupted", *getattr(error, "__notes__", ()))
"""
    others = child_ids()
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    command = Command(process, others)
    wait_for(lambda: journal_lines(out) >= 2 or process.poll() is not None, "a measured block")
    process.send_signal(number)
    begun = time.monotonic()
    code_, said, err = command.finish()
    assert not command.left_running()
    assert time.monotonic() - begun < 30
    if number is signal.SIGINT:
        assert code_ == 0, err
        assert said.startswith("interrupted kept what was measured")
    else:  # it ends the process, as it would have done without twinbench
        assert code_ == -number, err
    (run,) = out.iterdir()
    assert (run / "run.json").is_file()


def test_a_service_that_does_not_start_is_an_error_with_its_last_lines(tmp_path: Path) -> None:
    others = child_ids()
    broken = twinbench.Service(["python", "-c", "raise SystemExit('no table orders')", "{port}"])
    with pytest.raises(twinbench.ServerFailed) as caught:
        twinbench.versus(SERVER, broken, get="/", profile="smoke", out=tmp_path)
    assert any("no table orders" in note for note in caught.value.__notes__)
    assert child_ids() == others
    assert list(tmp_path.iterdir()) == []
