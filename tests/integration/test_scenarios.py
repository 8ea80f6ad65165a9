"""A short run of scenarios whose replies are no short JSON: in pieces, problems, messages."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from harness import store
from tests.integration.conftest import Command, assert_sound, cpu_clocks

#: Beside other tests, which are foreign load, cells would be invalid.
pytestmark = [pytest.mark.alone, pytest.mark.thorough]

STATUSES = {"export": {200}, "errors": {400, 401, 404, 405, 422}, "live": {101}}


def test_every_cell_is_sound_and_every_reply_as_promised(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    before = cpu_clocks()
    code, said, err = twinbench(
        "run", *STATUSES, "--stack", "flask-gthread", "--stack", "fastapi-uvicorn",
        "--profile", "smoke", "--slice", "0.15", "--seed", "7", "--json", "--out", tmp_path,
    ).finish()  # fmt: skip
    assert code in {0, 1}, err
    folder = Path(json.loads(said)["run"])
    assert_sound(code, folder, before)
    found: dict[str, set[int]] = {name: set() for name in STATUSES}
    for finished in store.read_run(folder).rounds:
        for cell in finished.cells:
            table = pq.read_table(folder / cell.samples_file)
            assert table.num_rows == cell.requests > 0
            assert cell.errors == 0, cell.error_examples
            found[cell.scenario] |= set(table["status"].to_pylist())
            if cell.scenario == "live":
                assert cell.load == "closed-32"  # the connections that are held
    assert found == STATUSES
