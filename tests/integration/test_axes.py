"""A smoke run with several numbers of workers and several latencies of the upstream."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.conftest import Command

#: Beside other tests, which are foreign load, cells would be invalid.
pytestmark = [pytest.mark.alone, pytest.mark.thorough]


def test_workers_and_latencies_are_measured_side_by_side(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    command = twinbench(
        *("run", "weather", "--stack", "flask-gthread", "--workers", "1,2", "--users", 4),
        *("--io-ms", "0,60", "--profile", "smoke", "--json", "--out", tmp_path),
    )
    code, out, err = command.finish()
    assert code in {0, 1}, err
    assert command.left_running() == []
    said = json.loads(out)
    rows = {(row["stack"], row["load"]): row for row in said["summary"]}
    stacks, loads = ("flask-gthread@1", "flask-gthread@2"), ("closed-4-io0", "closed-4-io60")
    assert set(rows) == {(stack, load) for stack in stacks for load in loads}
    for (stack, load), row in rows.items():
        assert row["errors"] == 0
        assert row["workers"] == int(stack[-1])
        assert 0 < row["uss_mib"] <= row["pss_mib"]
        # The upstream can't answer sooner than it was told to.
        if load.endswith("io60"):
            assert row["latency_p50_ms"] >= 60
    for load in loads:
        assert rows[stacks[1], load]["pss_mib"] > 1.3 * rows[stacks[0], load]["pss_mib"]
    assert (Path(said["run"]) / "report" / "charts" / "workers.svg").is_file()
