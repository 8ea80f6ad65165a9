"""A smoke run whose loads decide what each request asks for."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from apps import contract
from apps.contract.records import compact_json
from harness import store
from tests.integration.conftest import Command

#: Beside other tests, which are foreign load, cells would be invalid.
pytestmark = [pytest.mark.alone, pytest.mark.thorough]

#: A load's label -> its queries and its work; several loads, so that none can be mistaken for another.
LOADS = {
    f"closed-2-io5-q{queries}-w{work}": (queries, work) for queries in (0, 3) for work in (0, 4)
}


def test_each_load_sends_requests_of_its_own(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    command = twinbench(
        *("run", "dashboard", "--stack", "flask-gthread", "--stack", "fastapi-uvicorn"),
        *("--users", 2, "--io-ms", 5, "--queries", "0,3", "--work", "0,4"),
        *("--profile", "smoke", "--json", "--out", tmp_path),
    )
    code, out, err = command.finish()
    assert code in {0, 1}, err
    found: dict[str, set[int]] = {label: set() for label in LOADS}
    folder = Path(json.loads(out)["run"])
    for finished in store.read_run(folder).rounds:
        for cell in finished.cells:
            assert cell.errors == 0, cell.error_examples
            found[cell.load] |= set(pq.read_table(folder / cell.samples_file)["size"].to_pylist())
    for label, (queries, work) in LOADS.items():
        # Every reply is checked in full; its size tells which request it answers.
        promised = {
            len(compact_json(contract.dashboard(city, queries, work).json))
            for city in contract.CITIES[:15]
        }
        assert found[label]
        assert found[label] <= promised
