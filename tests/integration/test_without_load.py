"""A smoke run of the scenarios that load no running server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from harness import store
from tests.integration.conftest import Command, assert_sound, cpu_clocks

#: Beside other tests, which are foreign load, cells would be invalid.
pytestmark = [pytest.mark.alone, pytest.mark.thorough]


def test_starts_and_test_clients_are_measured(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    before = cpu_clocks()
    command = twinbench(
        "run", "startup", "tests", "--profile", "smoke", "--json", "--out", tmp_path
    )
    code, out, err = command.finish()
    assert code in {0, 1}, err
    said = json.loads(out)
    assert_sound(code, Path(said["run"]), before)
    rows = {(row["scenario"], row["stack"]): row for row in said["summary"]}
    assert set(rows) == {
        (scenario, stack)
        for scenario in ("startup", "tests")
        for stack in ("flask-gthread", "fastapi-uvicorn")
    }
    for (scenario, _), row in rows.items():
        assert row["errors"] == 0
        if scenario == "startup":
            # A start in each of two rounds; importing a framework alone takes longer than that.
            assert row["requests"] == 2
            assert row["throughput_rps"] is None
            assert row["latency_p50_ms"] > 20
            assert row["latency_p99_ms"] is None
            assert row["cpu_us_per_request"] > 20_000
            assert row["pss_mib"] > 20
        else:
            assert row["requests"] > 0
            assert row["throughput_rps"] > 0
            assert row["pss_mib"] is None
    record = store.read_run(Path(said["run"]))
    for finished in record.rounds:
        assert {cell.scenario for cell in finished.cells} == {"startup", "tests"}
        # Nobody else's servers were up, and one turn ended before the next began.
        assert finished.ready_s == {}
        for cell in finished.cells:
            assert cell.load_cpu_s == ()
            assert not cell.parity
            table = pq.read_table(Path(said["run"]) / cell.samples_file)
            assert table.num_rows == cell.requests
            others = [o for o in finished.cells if o.scenario == cell.scenario and o is not cell]
            for own in cell.slices:
                for piece in (piece for other in others for piece in other.slices):
                    assert own.end_ns <= piece.begin_ns or piece.end_ns <= own.begin_ns
    assert command.left_running() == []
