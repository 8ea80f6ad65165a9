"""A short run of scenarios whose replies are no short JSON: bytes, pieces, problems, messages."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from harness import store
from tests.integration.conftest import Command

STATUSES = {"page": {200}, "export": {200}, "errors": {400, 401, 404, 405, 422}, "live": {101}}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


def test_every_cell_is_valid_and_every_reply_as_promised(
    twinbench: Callable[..., Command], out: Path
) -> None:
    code, said, err = twinbench(
        "run", *STATUSES, "--stack", "flask-gthread", "--stack", "fastapi-uvicorn",
        "--profile", "smoke", "--slice", "0.15", "--seed", "7", "--json", "--out", out,
    ).finish()  # fmt: skip
    assert code == 0, err
    folder = Path(json.loads(said)["run"])
    found: dict[str, set[int]] = {name: set() for name in STATUSES}
    for one in store.read_run(folder).rounds:
        for cell in one.cells:
            table = pq.read_table(folder / cell.samples_file)
            assert table.num_rows == cell.requests > 0
            assert cell.errors == 0, cell.error_examples
            found[cell.scenario] |= set(table["status"].to_pylist())
            if cell.scenario == "live":
                assert cell.load == "closed-32"  # the connections that are held
    assert found == STATUSES


def test_connections_that_a_stack_can_not_hold_make_its_cell_invalid(
    twinbench: Callable[..., Command], out: Path
) -> None:
    """A worker of gunicorn's default kind holds one."""
    code, said, err = twinbench(
        "run", "live", "--stack", "flask-sync", "--users", "3",
        "--profile", "smoke", "--json", "--out", out,
    ).finish()  # fmt: skip
    assert code == 1, err
    (row,) = json.loads(said)["summary"]
    assert not row["valid"]
    assert "2 of 3 connections could not be opened: no answer within 5 s" in row["reason"]
