"""A run beside another program on the servers' core says so, and is not valid."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import store
from harness.machine import placement
from harness.models import SERVER_CORES, BlockUsage
from tests.integration.conftest import Command

pytestmark = [
    pytest.mark.alone,  # other tests would be foreign load of their own
    pytest.mark.skipif(
        sys.platform != "linux",
        reason="only Linux pins processes to cores; elsewhere servers have none of their own",
    ),
]

#: Ends by itself, should the test be killed.
BUSY = """
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
print("busy", flush=True)
end = time.monotonic() + 100
while time.monotonic() < end: pass
"""


@pytest.fixture
def busy() -> Iterator[subprocess.Popen[str]]:
    """A busy loop on the servers' core."""
    (core,) = placement.place_here().servers
    with subprocess.Popen(
        [sys.executable, "-c", BUSY, str(core)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "busy\n"
        yield process
        process.kill()


def is_named(pid: int, block: BlockUsage) -> bool:
    """Whether a process is named, or others of this machine are busier: only three are named."""
    return len(block.busiest) == 3 or pid in {process.pid for process in block.busiest}


def the_busiest(folder: Path, pid: int) -> int:
    """Id of the busiest process that a run has seen; `pid` is among them."""
    blocks = [block for finished in store.read_run(folder).rounds for block in finished.blocks]
    assert all(is_named(pid, block) for block in blocks)
    found = [process for block in blocks for process in block.busiest]
    return max(found, key=lambda process: process.core_share).pid


def test_a_busy_loop_on_the_servers_core_is_named_and_makes_every_cell_invalid(
    twinbench: Callable[..., Command], tmp_path: Path, busy: subprocess.Popen[str]
) -> None:
    code, out, err = twinbench("run", "hello", "--profile", "smoke", "--out", tmp_path).finish()
    assert busy.poll() is None
    assert code == 1, err
    (folder,) = tmp_path.glob("*-smoke")
    named = f"pid {the_busiest(folder, busy.pid)}"
    with (folder / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2
    for row in rows:
        assert row["valid"] == "false"
        assert "foreign load: other processes used" in row["reason"]
        assert named in row["reason"]
    words = " ".join(out.split())
    assert "foreign load: other processes used" in words
    assert named in words
    page = (folder / "report" / "index.html").read_text()
    assert "foreign load" in page
    assert named in page


@pytest.mark.thorough
def test_a_run_keeps_what_others_used_of_the_servers_core(
    twinbench: Callable[..., Command], tmp_path: Path, busy: subprocess.Popen[str]
) -> None:
    command = twinbench("run", "startup", "--profile", "smoke", "--json", "--out", tmp_path)
    code, out, err = command.finish()
    assert code == 1, err
    for round_ in store.read_run(Path(json.loads(out)["run"])).rounds:
        for cell in round_.cells:
            usage = cell.cores[SERVER_CORES]
            # The scheduler gives a busy loop its fair share: half, beside one process at a time.
            assert usage.foreign_s > 0.2 * usage.available_s
            assert usage.own_s == pytest.approx(cell.server.cpu_s)
        for block in round_.blocks:
            assert is_named(busy.pid, block)
