"""A target that somebody else started, loaded by a real load process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import store
from harness.machine import placement
from harness.measuring.blocks import HARNESS
from harness.measuring.by_load import LoadedBlocks
from harness.measuring.crew import crew
from harness.planning.files import PROJECT
from harness.serving.targets import Target
from tests.test_blocks import bench_in


@pytest.fixture
def url() -> Iterator[str]:
    """A server that knows nothing of twins, readiness or stacks."""
    with subprocess.Popen(
        [sys.executable, "-m", "harness.load.no_op"],
        cwd=PROJECT, stdout=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        server.kill()


def test_a_url_is_measured_without_its_processes(url: str, tmp_path: Path) -> None:
    bench = bench_in(tmp_path)
    (block,) = bench.plan.blocks
    targets = {label: Target(label, url) for label in block.stacks}
    cores = placement.place_here().load
    with crew(size=2, cores=cores, logs=tmp_path, folder=PROJECT) as load:
        cells, usage = LoadedBlocks(bench, load, 1, targets).measure(block)
    for cell in cells:
        assert cell.requests > 0
        assert cell.errors == 0, cell.error_examples
        assert cell.server is None
        assert len(cell.load_cpu_s) == 2
        assert all(0 < cpu_s < cell.wall_s for cpu_s in cell.load_cpu_s)
        assert len(store.read_samples(tmp_path, cell).latency_ns) == cell.requests
    assert list(usage.roles) == ["load 1", "load 2", HARNESS]
    assert all(usage.roles[f"load {number}"].pss_bytes > 10 << 20 for number in (1, 2))
    assert usage.idle_core_share == {}
