import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import store
from harness.analysis.analyse import analyse
from harness.errors import BadInput, ResultsUnwritable, UnknownName
from harness.models import RunRecord, Samples
from harness.planning.files import PROJECT
from tests.runs import FakeRun, hello_plan

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def run() -> FakeRun:
    return FakeRun(
        hello_plan(rounds=2), {"flask-gthread": [900.0] * 2, "fastapi-uvicorn": [2e3] * 2}
    )


@pytest.fixture
def folder(tmp_path: Path, run: FakeRun) -> Path:
    """The run as measuring it would have left it."""
    folder = store.create_run(tmp_path, "quick", NOW)
    store.write_run(folder, run.record)
    journal = store.Journal(folder)
    for made, one in zip(run.record.decisions, run.record.rounds, strict=True):
        journal.decision(made)
        journal.block(one.number, one.cells, one.blocks[0])
        journal.round(one.number, one.started, one.order, one.ready_s)
    journal.close()
    return folder


def test_a_journal_without_the_time_of_cores_is_read_and_knows_nothing_of_it(folder: Path) -> None:
    journal = folder / "journal.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for line in lines:
        for cell in line.get("cells", []):
            del cell["cores"]
        line.get("usage", {}).pop("busiest", None)
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    rounds = store.read_run(folder).rounds
    assert {len(cell.cores) for one in rounds for cell in one.cells} == {0}
    assert {block.busiest for one in rounds for block in one.blocks} == {()}


def test_what_was_written_is_read_again(folder: Path, run: FakeRun) -> None:
    assert store.read_run(folder) == run.record


def climbed(tmp_path: Path) -> tuple[Path, RunRecord]:
    """A run with a ladder, of which nothing is measured yet."""
    blank = FakeRun(hello_plan(rounds=2, ladder=True), {"flask-gthread": []}).record
    folder = store.create_run(tmp_path, "quick", NOW)
    store.write_run(folder, blank)
    return folder, blank


def test_a_ladder_is_written_and_read_again(tmp_path: Path) -> None:
    folder, record = climbed(tmp_path)
    assert len(record.plan.blocks[0].ladder) == 4
    assert store.read_run(folder) == record


def test_a_run_of_schema_2_opens_with_the_same_content(folder: Path, run: FakeRun) -> None:
    as_schema_2(folder)
    record = store.read_run(folder)
    (block,) = run.record.plan.blocks
    scenario = replace(block.scenario, needs=("database", "upstream"))  # they were always started
    plan = replace(run.record.plan, blocks=(replace(block, scenario=scenario),))
    assert record == replace(run.record, schema=2, decisions=(), plan=plan)
    analysis, before = (analyse(each, run.read) for each in (record, run.record))
    assert store.summary_rows(analysis) == store.summary_rows(before)
    assert store.comparison_rows(analysis) == store.comparison_rows(before)


def test_the_reference_run_opens() -> None:
    record = store.read_run(PROJECT / "results" / "reference")
    assert record.rounds
    assert {cell.key for finished in record.rounds for cell in finished.cells} == {
        cell for block in record.blocks for cell in block.cells
    }


def as_schema_2(folder: Path) -> None:
    """Rewrite a run as version 2 wrote it: one load per scenario, no ladder in a plan without."""
    value = json.loads((folder / "run.json").read_text())
    blocks = value["plan"].pop("blocks")
    for block in blocks:
        del block["ladder"], block["family"], block["scenario"]["needs"]
    value |= {"schema": 2, "plan": {**value["plan"], "cells": blocks}}
    (folder / "run.json").write_text(json.dumps(value))
    lines = []
    for line in (folder / "journal.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry["type"] == "decision":
            continue
        if entry["type"] == "block":
            del entry["usage"]["load"]
            for cell in entry["cells"]:
                services = cell.pop("services_cpu_s")
                cell |= {f"{name}_cpu_s": seconds for name, seconds in services.items()}
        else:
            entry["order"] = [key["scenario"] for key in entry["order"]]
        lines.append(json.dumps(entry) + "\n")
    (folder / "journal.jsonl").write_text("".join(lines))


def test_a_ladder_with_a_rung_that_is_no_stack_of_the_run_is_damaged(tmp_path: Path) -> None:
    folder, _ = climbed(tmp_path)
    value = json.loads((folder / "run.json").read_text())
    value["plan"]["blocks"][0]["ladder"][1]["after"] = "elsewhere"
    (folder / "run.json").write_text(json.dumps(value))
    with pytest.raises(BadInput, match=r"elsewhere in hello \(closed-4\) is compared but no stack"):
        store.read_run(folder)


def test_a_torn_last_line_is_left_out_with_a_note(folder: Path, run: FakeRun) -> None:
    journal = folder / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    record = store.read_run(folder)
    assert "cut off" in record.notes[-1]
    assert record.rounds[0] == run.record.rounds[0]
    # The last line was the end of round 2; what the round measured stood in the line before.
    assert record.rounds[1].cells == run.record.rounds[1].cells


@pytest.fixture(scope="module")
def of_two_rounds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A run's folder, and its whole journal."""
    whole = FakeRun(hello_plan(rounds=2), {"flask-gthread": [900.0] * 2})
    folder = store.create_run(tmp_path_factory.mktemp("results"), "quick", NOW)
    store.write_run(folder, whole.record)
    journal = store.Journal(folder)
    for one in whole.record.rounds:
        journal.block(one.number, one.cells, one.blocks[0])
    journal.close()
    return folder, (folder / "journal.jsonl").read_bytes()


@given(st.integers(min_value=0))
def test_wherever_the_journal_is_cut_whole_lines_are_kept(
    of_two_rounds: tuple[Path, bytes], cut: int
) -> None:
    folder, data = of_two_rounds
    kept = data[: cut % (len(data) + 1)]
    (folder / "journal.jsonl").write_bytes(kept)
    record = store.read_run(folder)
    complete = len(kept.rstrip(b"\n").split(b"\n")) if kept else 0
    assert len(record.rounds) in {complete, complete - 1}
    assert len(record.rounds) >= kept.count(b"\n")


def test_damage_in_the_middle_of_the_journal_is_not_passed_over(folder: Path) -> None:
    journal = folder / "journal.jsonl"
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join([lines[0][:50], *lines[1:]]))
    with pytest.raises(BadInput, match=r"journal\.jsonl:1: not JSON"):
        store.read_run(folder)


def test_another_schema_is_refused(folder: Path) -> None:
    value = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**value, "schema": 99}))
    with pytest.raises(BadInput, match="schema 99, this version reads 2 to 6"):
        store.read_run(folder)


def test_a_run_json_that_lacks_something_is_named(folder: Path) -> None:
    value = json.loads((folder / "run.json").read_text())
    del value["plan"]["seed"]
    (folder / "run.json").write_text(json.dumps(value))
    with pytest.raises(BadInput, match=r"damaged: plan\.seed"):
        store.read_run(folder)


def test_samples_survive_the_file(folder: Path, run: FakeRun) -> None:
    cell = run.record.rounds[0].cells[0]
    samples = run.read(cell)
    write(folder, cell.samples_file, samples)
    read = store.read_samples(folder, cell)
    for name in (
        "slice",
        "intended_ns",
        "start_ns",
        "latency_ns",
        "failure",
        "starved",
        "endpoint",
    ):
        assert np.array_equal(getattr(read, name), getattr(samples, name))
        assert getattr(read, name).dtype == getattr(samples, name).dtype


def test_samples_of_an_older_version_know_no_endpoint(folder: Path, run: FakeRun) -> None:
    cell = run.record.rounds[0].cells[0]
    write(folder, cell.samples_file, run.read(cell))
    path = folder / cell.samples_file
    pq.write_table(pq.read_table(path).drop_columns(["endpoint"]), path)
    assert store.read_samples(folder, cell).endpoint is None


def test_a_cell_without_any_sample_is_read_as_that(folder: Path, run: FakeRun) -> None:
    cell = replace(run.record.rounds[0].cells[0], requests=0)
    samples = run.read(cell)
    nothing = {name: getattr(samples, name)[:0] for name in Samples.__slots__}
    write(folder, cell.samples_file, Samples(**nothing))
    assert len(store.read_samples(folder, cell).slice) == 0


def test_reading_samples_does_not_import_what_it_has_no_use_for(folder: Path, run: FakeRun) -> None:
    cell = run.record.rounds[0].cells[0]
    write(folder, cell.samples_file, run.read(cell))
    code = (
        "import sys; from pathlib import Path; from harness import store; "
        f"run = Path({str(folder)!r}); record = store.read_run(run); "
        "store.read_samples(run, record.rounds[0].cells[0]); "
        "print(*sys.modules.keys() & {'pandas', 'pyarrow.dataset'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def write(folder: Path, name: str, samples: Samples) -> None:
    count = len(samples.start_ns)
    store.write_samples(
        folder / name,
        {
            "slice": samples.slice,
            "intended_ns": samples.intended_ns,
            "start_ns": samples.start_ns,
            "latency_ns": samples.latency_ns,
            "status": np.full(count, 200, dtype=np.int16),
            "size": np.full(count, 27, dtype=np.int32),
            "failure": samples.failure,
            "starved": samples.starved.astype(np.int8),
            "endpoint": samples.endpoint,
        },
    )


def test_missing_samples_are_named(folder: Path, run: FakeRun) -> None:
    with pytest.raises(BadInput, match=r"\.parquet is missing"):
        store.read_samples(folder, run.record.rounds[0].cells[0])


def test_torn_samples_are_named(folder: Path, run: FakeRun) -> None:
    cell = run.record.rounds[0].cells[0]
    write(folder, cell.samples_file, run.read(cell))
    path = folder / cell.samples_file
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(BadInput, match="is damaged"):
        store.read_samples(folder, cell)


def test_the_tables_have_the_promised_columns(folder: Path, run: FakeRun) -> None:
    store.write_tables(folder, analyse(run.record, run.read))
    with (folder / "summary.csv").open() as file:
        summary = list(csv.DictReader(file))
    assert tuple(summary[0]) == store.SUMMARY_COLUMNS
    assert float(summary[0]["throughput_rps"]) == pytest.approx(900, rel=0.01)
    assert summary[0]["valid"] == "true"
    with (folder / "comparisons.csv").open() as file:
        comparisons = list(csv.DictReader(file))
    assert tuple(comparisons[0]) == store.COMPARISON_COLUMNS
    assert comparisons[0]["verdict"] == "inconclusive"


def test_figures_that_are_not_known_are_empty_in_csv_and_null_in_json(run: FakeRun) -> None:
    run.record = replace(run.record, rounds=run.record.rounds[:1])
    rows = store.comparison_rows(analyse(run.record, run.read))
    assert rows[0]["ci_low"] is None
    json.dumps(rows, allow_nan=False)


def test_two_runs_in_one_second_have_two_folders(tmp_path: Path) -> None:
    first, second = (store.create_run(tmp_path, "quick", NOW) for _ in range(2))
    assert first.name == "20260102-030405-quick"
    assert second.name == "20260102-030405-quick-2"


def test_a_results_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("")
    with pytest.raises(ResultsUnwritable, match=r"can't write results to '.*results'.*--out"):
        store.create_run(tmp_path / "results", "quick", NOW)


def test_the_newest_run_is_found_and_the_reference_is_never_the_newest(tmp_path: Path) -> None:
    for name in ("20260101-000000-quick", "reference", "20260102-000000-quick", "reference-sweep"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text("{}")
    assert store.find_run(tmp_path, None).name == "20260102-000000-quick"
    assert store.find_run(tmp_path, "reference").name == "reference"


def test_without_a_run_of_ones_own_the_reference_is_the_newest(tmp_path: Path) -> None:
    for name in ("reference", "reference-bench", "reference-sweep"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text("{}")
    assert store.find_run(tmp_path, None).name == "reference"


def test_an_unknown_run_is_answered_with_the_near_match(tmp_path: Path) -> None:
    (tmp_path / "20260101-000000-quick").mkdir()
    (tmp_path / "20260101-000000-quick" / "run.json").write_text("{}")
    with pytest.raises(UnknownName, match="did you mean 20260101-000000-quick"):
        store.find_run(tmp_path, "20260101-00000-quick")


def test_without_any_run_the_message_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="'twinbench run' makes one"):
        store.find_run(tmp_path / "none", None)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("before")

    def half() -> None:
        with store.replacing(path) as file:
            file.write(b"ha")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        half()
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["table.csv"]


@pytest.mark.parametrize("text", ["[]", "null", '"x"', "{}"])
def test_a_run_json_that_is_no_object_is_named(folder: Path, text: str) -> None:
    (folder / "run.json").write_text(text)
    with pytest.raises(BadInput, match="this version reads 2 to 6"):
        store.read_run(folder)


@pytest.mark.parametrize("line", ["5", "{}", "null", '{"round": 1, "type": "block"}'])
def test_a_line_that_is_none_of_a_journals_is_named(folder: Path, line: str) -> None:
    with (folder / "journal.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(BadInput, match=r"journal\.jsonl:7: not a line of a journal"):
        store.read_run(folder)


def test_a_torn_last_line_is_left_out_also_with_a_line_end(folder: Path) -> None:
    with (folder / "journal.jsonl").open("a") as file:
        file.write('{"type": "blo\n')
    assert "cut off" in store.read_run(folder).notes[-1]


def test_a_cell_that_was_never_planned_is_not_passed_over(folder: Path) -> None:
    journal = folder / "journal.jsonl"
    journal.write_text(journal.read_text().replace('"stack": "flask-gthread"', '"stack": "other"'))
    with pytest.raises(BadInput, match=r"other in hello \(closed-4\) was measured but not planned"):
        store.read_run(folder)


def test_samples_that_are_fewer_than_the_journal_says_are_damage(
    folder: Path, run: FakeRun
) -> None:
    cell = run.record.rounds[0].cells[0]
    write(folder, cell.samples_file, run.read(cell))
    with pytest.raises(BadInput, match="the journal has"):
        store.read_samples(folder, replace(cell, requests=cell.requests + 1))


def test_samples_outside_the_run_are_not_read(folder: Path, run: FakeRun) -> None:
    cell = replace(run.record.rounds[0].cells[0], samples_file="/etc/passwd")
    with pytest.raises(BadInput, match="lies outside the run"):
        store.read_samples(folder, cell)


def test_only_a_lock_of_another_process_is_taken_for_one(folder: Path) -> None:
    with (
        store.writing(folder),
        pytest.raises(BadInput, match="is being measured"),
        store.writing(folder),
    ):
        raise AssertionError("two at a time")
    with pytest.raises(BlockingIOError), store.writing(folder):
        raise BlockingIOError("no process can be started")


def test_a_part_that_was_cut_off_before_its_first_block_is_none(folder: Path, run: FakeRun) -> None:
    begun = folder / store.PARTS_FOLDER / "sweep-hello"
    store.make_part(begun)
    store.write_run(begun, run.record)
    assert store.parts_within(folder) == []
    (begun / "journal.jsonl").write_bytes((folder / "journal.jsonl").read_bytes())
    assert store.parts_within(folder) == [begun]
