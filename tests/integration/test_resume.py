"""`run --resume`: a run that was killed goes on, and what it had is not measured again."""

import json
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import store
from harness.planning import plan
from harness.planning.files import PROJECT
from tests.integration.conftest import (
    Command,
    Ended,
    assert_sound,
    cpu_clocks,
    journal_lines,
    wait_for,
)

ROUNDS = 2


def killed_run(twinbench: Callable[..., Command], out: Path, lines: int) -> Path:
    """A run of two scenarios and two rounds, killed when its journal has so many lines."""
    command = twinbench(
        "run", "hello", "cpu-native", "--stack", "flask-gthread", "--stack", "fastapi-uvicorn",
        "--profile", "smoke", "--rounds", ROUNDS, "--seed", 5, "--out", out,
    )  # fmt: skip
    wait_for(lambda: any(out.glob("*/run.json")) and journal_lines(out) >= lines, f"{lines} lines")
    command.process.send_signal(signal.SIGKILL)
    command.finish()
    assert command.left_running() == []
    (folder,) = (path.parent for path in out.glob("*/run.json"))
    return folder


def blocks(folder: Path) -> list[tuple[int, str]]:
    """Round and scenario of each block in the journal."""
    return [
        (entry["round"], entry["usage"]["scenario"])
        for entry in entries(folder)
        if entry["type"] == "block"
    ]


def entries(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]


ALL_BLOCKS = {(number, name) for number in (1, 2) for name in ("hello", "cpu-native")}


@pytest.mark.thorough
@pytest.mark.alone  # beside other tests, which are foreign load, cells would be invalid
# A round writes a decision, two blocks and its end.
@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(0, id="at the start"),
        pytest.param(2, id="in round 1"),
        pytest.param(4, id="between the rounds"),
        pytest.param(6, id="in round 2"),
    ],
)
def test_a_killed_run_goes_on_where_it_was(
    twinbench: Callable[..., Command], here: Callable[..., Ended], tmp_path: Path, lines: int
) -> None:
    clocks = cpu_clocks()
    folder = killed_run(twinbench, tmp_path, lines)
    journal = folder / "journal.jsonl"
    before = journal.read_bytes() if journal.exists() else b""
    had = {path.name: path.stat().st_mtime_ns for path in (folder / "samples").glob("*.parquet")}
    measured = blocks(folder) if before else []
    assert len(entries(folder) if before else []) >= lines
    code, out, err = twinbench("run", "--resume", folder, "--json").finish()
    assert code in {0, 1}, err
    assert_sound(code, folder, clocks)
    said = json.loads(out)
    assert said["run"] == str(folder)
    assert said["seed"] == 5
    assert journal.read_bytes().startswith(before)
    assert len(blocks(folder)) == len(set(blocks(folder)))
    assert set(blocks(folder)) == ALL_BLOCKS
    record = store.read_run(folder)
    assert record.ended is not None
    assert any(note.startswith("resumed at") for note in record.notes)
    assert [made.round for made in record.decisions] == [1, 2]
    for made, finished in zip(record.decisions, record.rounds, strict=True):
        drawn = plan.block_order(record.plan, record.plan.blocks, finished.number)
        assert finished.order == made.blocks == tuple(block.key for block in drawn)
        for cell in finished.cells:
            name = Path(cell.samples_file).name
            if (cell.round, cell.scenario) in measured:
                assert (folder / "samples" / name).stat().st_mtime_ns == had[name]
    refused(here, folder)


def refused(here: Callable[..., Ended], folder: Path) -> None:
    """A complete run is not measured again, and neither is one from elsewhere."""
    journal = (folder / "journal.jsonl").read_bytes()
    code, _, err = here("run", "--resume", folder).finish()
    assert code == 2
    assert f"twinbench: {folder} is complete" in err
    assert (folder / "journal.jsonl").read_bytes() == journal

    # As on a machine with another processor.
    run_json = json.loads((folder / "run.json").read_text())
    run_json["ended"] = None
    run_json["environment"]["cpu"] = "Z80"
    (folder / "run.json").write_text(json.dumps(run_json))
    code, _, err = here("run", "--resume", folder).finish()
    assert code == 2
    assert re.search(r"was measured on something else \(.*\bcpu\b.* differ", err)
    assert (folder / "journal.jsonl").read_bytes() == journal


@pytest.mark.thorough
@pytest.mark.alone  # as above
def test_what_is_torn_is_set_aside_and_measured_again(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    before = cpu_clocks()
    folder = killed_run(twinbench, tmp_path, 6)
    journal = folder / "journal.jsonl"
    first = blocks(folder)[0]
    torn = next((folder / "samples").glob(f"{first[1]}.flask*.r01.parquet"))
    torn.write_bytes(torn.read_bytes()[:-100])
    whole = journal.read_text()
    journal.write_text(whole + '{"type": "block", "round": 2, "cel')
    code, _, err = twinbench("run", "--resume", folder).finish()
    assert code in {0, 1}, err
    assert_sound(code, folder, before)
    assert set(blocks(folder)) == ALL_BLOCKS
    notes = store.read_run(folder).notes
    assert f"{torn.name} is damaged: set aside" in notes
    assert "the journal's last line was cut off: set aside" in notes
    assert (folder / "set-aside" / torn.name).exists()
    assert (folder / "set-aside" / "journal.tail").read_text().startswith('{"type": "block"')


def test_a_run_of_an_older_version_is_reported_and_not_resumed(
    here: Callable[..., Ended], tmp_path: Path
) -> None:
    folder = tmp_path / "older"
    shutil.copytree(PROJECT / "results" / "reference-bench", folder)
    run_json = json.loads((folder / "run.json").read_text())
    older = store.SCHEMA - 1
    (folder / "run.json").write_text(json.dumps({**run_json, "schema": older, "ended": None}))
    before = (folder / "journal.jsonl").read_bytes()
    code, _, err = here("run", "--resume", folder).finish()
    assert code == 2
    said = f"was begun by an older version (schema {older}): it can be reported but not resumed"
    assert said in err
    assert (folder / "journal.jsonl").read_bytes() == before


@pytest.mark.parametrize("extra", [("hello",), ("--rounds", 3), ("--seed", 1), ("--stack", "x")])
def test_resuming_takes_no_other_plan(
    here: Callable[..., Ended], tmp_path: Path, extra: tuple[object, ...]
) -> None:
    code, _, err = here("run", "--resume", "results/reference", *extra).finish()
    assert code == 2
    assert "--resume continues the run's own plan" in err


def test_resuming_what_there_is_not_names_what_there_is(
    here: Callable[..., Ended], tmp_path: Path
) -> None:
    code, _, err = here("run", "--resume", "nothing", "--out", tmp_path).finish()
    assert code == 2
    assert "unknown run 'nothing'" in err
