"""Cut off at any moment: nothing stays running, what was measured is kept."""

import json
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import store
from tests.integration.conftest import Command, Ended, journal_lines, wait_for


def long_run(twinbench: Callable[..., Command], out: Path) -> Command:
    """A run of gunicorn's tree of processes alone, which is quick to start."""
    return twinbench(
        "run", "hello", "cpu-native", "--stack", "flask-gthread",
        "--profile", "smoke", "--rounds", 100, "--out", out,
    )  # fmt: skip


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.thorough)]
)
def test_in_the_middle_of_a_run_all_is_gone_and_the_rounds_are_kept(
    twinbench: Callable[..., Command],
    here: Callable[..., Ended],
    without_drawings: None,
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    command = long_run(twinbench, tmp_path)
    wait_for(lambda: journal_lines(tmp_path) >= 4, "a round and a scenario of the next")
    command.process.send_signal(number)
    code, _, err = command.finish()
    assert code == 130
    assert command.left_running() == []
    assert f"interrupted ({number.name})" in err
    assert "kept what was measured" in err

    (folder,) = (path.parent for path in tmp_path.glob("*/run.json"))
    record = store.read_run(folder)
    assert record.ended is None
    assert len(record.rounds) >= 1
    code, out, err = here("report", folder).finish()
    assert code in {0, 1}, err  # 1: a scenario may have been measured once only
    assert "hello" in out


def handles_signals(command: Command) -> bool:
    """Whether its first lines have run; before, Python itself ends it with a traceback."""
    status = Path(f"/proc/{command.process.pid}/status").read_text()
    masks = re.findall(r"Sig(?:Blk|Cgt):\s*(\w+)", status)  # kept until `main` listens, or caught
    return any(int(mask, 16) >> (signal.SIGTERM - 1) & 1 for mask in masks)


@pytest.mark.parametrize("after_s", [0.0, 0.3, 0.8, 1.5, 2.5])
def test_while_things_start_all_is_gone_and_no_empty_run_is_left(
    twinbench: Callable[..., Command], tmp_path: Path, after_s: float
) -> None:
    command = long_run(twinbench, tmp_path)
    if sys.platform == "linux":
        wait_for(lambda: handles_signals(command), "its first lines")
    else:
        time.sleep(0.5)
    time.sleep(after_s)
    command.process.send_signal(signal.SIGINT)
    code, _, err = command.finish()
    assert code == 130, err
    assert command.left_running() == []
    assert "Traceback" not in err
    runs = [path.parent for path in tmp_path.glob("*/run.json")]
    # What a fast machine has measured by then is kept.
    assert bool(runs) == ("kept what was measured" in err)
    assert all(store.count_rounds(run) for run in runs)


def test_ctrl_c_again_and_again_does_not_disturb_the_cleaning_up(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    command = long_run(twinbench, tmp_path)
    wait_for(lambda: journal_lines(tmp_path) >= 1, "a scenario")
    for _ in range(20):
        if command.process.poll() is None:
            command.process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    code, _, err = command.finish()
    assert code == 130
    assert "Traceback" not in err
    assert command.left_running() == []


def test_even_a_killed_runner_leaves_nothing_running_and_keeps_its_journal(
    twinbench: Callable[..., Command],
    here: Callable[..., Ended],
    without_drawings: None,
    tmp_path: Path,
) -> None:
    command = long_run(twinbench, tmp_path)
    wait_for(lambda: journal_lines(tmp_path) >= 3, "a round")
    command.process.kill()
    command.process.communicate(timeout=60)
    assert command.left_running() == []
    (folder,) = (path.parent for path in tmp_path.glob("*/run.json"))
    assert len(store.read_run(folder).rounds) >= 1
    code, _, err = here("report", folder, "--json").finish()
    assert code in {0, 1}, err


def test_serve_runs_until_it_is_interrupted(twinbench: Callable[..., Command]) -> None:
    import urllib.request

    command = twinbench("serve", "flask-gthread")
    assert command.process.stdout is not None
    word, url = command.process.stdout.readline().split()
    assert word == "ready"
    with urllib.request.urlopen(f"{url}/hello") as reply:
        assert json.load(reply) == {"message": "Hello, World!"}
    command.process.send_signal(signal.SIGINT)
    code, _, _ = command.finish()
    assert code == 130
    assert command.left_running() == []
