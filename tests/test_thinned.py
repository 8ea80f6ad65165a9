"""Runs that were made smaller: the same figures, and nothing lost on the way."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from harness import store
from harness.analysis.analyse import analyse
from harness.cli.main import cli
from harness.errors import BadInput
from harness.models import Analysis, CellRound, RunRecord, Samples, Slice
from harness.store.thinned import THINNED_FILE, read_thinned, write_thinned
from tests.runs import FakeRun, hello_plan

RATES = {"flask-gthread": [900.0, 910.0], "fastapi-uvicorn": [2_000.0, 2_020.0]}
EXACT = ("slice", "failure", "starved", "endpoint")
ROUNDED = ("intended_ns", "start_ns", "latency_ns")


def written(tmp_path: Path, run: FakeRun) -> Path:
    """The run as measuring it would have left it."""
    folder = store.create_run(tmp_path, "quick", datetime(2026, 1, 2, tzinfo=UTC))
    store.write_run(folder, run.record)
    journal = store.Journal(folder)
    for made, one in zip(run.record.decisions, run.record.rounds, strict=True):
        journal.decision(made)
        journal.block(one.number, one.cells, one.blocks[0])
        journal.round(one.number, one.started, one.order, one.ready_s)
    journal.close()
    for name, samples in run.samples.items():
        count = len(samples.slice)
        columns = {each: getattr(samples, each) for each in (*ROUNDED, *EXACT)}
        columns["starved"] = samples.starved.astype(np.int8)
        columns["status"] = np.full(count, 200, dtype=np.int16)
        columns["size"] = np.full(count, 27, dtype=np.int32)
        store.write_samples(folder / name, columns)
    return folder


def found(folder: Path) -> Analysis:
    record = store.read_run(folder)
    return analyse(record, lambda cell: store.read_samples(folder, cell))


def cells(record: RunRecord) -> list[CellRound]:
    return [cell for one in record.rounds for cell in one.cells]


@pytest.mark.parametrize("rate_rps", [None, 400.0])
def test_a_thinned_run_has_the_same_figures(tmp_path: Path, rate_rps: float | None) -> None:
    given = RATES if rate_rps is None else {stack: [2.0, 2.1] for stack in RATES}
    folder = written(tmp_path, FakeRun(hello_plan(rounds=2, rate_rps=rate_rps), given, lag_ms=0.3))
    before = found(folder)
    store.thin_samples(folder, store.read_run(folder))
    after = found(folder)
    assert after.run == replace(before.run, thinned=True)
    for thin, whole in zip(after.cells, before.cells, strict=True):
        assert (thin.requests, thin.errors, thin.valid) == (
            whole.requests, whole.errors, whole.valid,
        )  # fmt: skip
        assert thin.throughput_rps.value == pytest.approx(whole.throughput_rps.value, rel=1e-4)
        for name, figure in whole.latency_ms.items():
            assert thin.latency_ms[name].value == pytest.approx(
                figure.value, abs=0.001, nan_ok=True
            )


def random_samples(generator: np.random.Generator) -> tuple[Samples, tuple[Slice, ...]]:
    """Requests that are sent now and then within some 20 µs of an edge of their slice."""
    slices = tuple(
        Slice(number, begin, begin + 1_234, begin + 23_457, begin + 40_000)
        for number, begin in enumerate(range(0, 5_000_000, 1_000_001))
    )
    index = np.sort(generator.integers(0, len(slices), 400)).astype(np.int32)
    begins = np.array([piece.begin_ns for piece in slices])[index]
    due = begins + generator.integers(0, 40_000, 400)
    lag = generator.integers(0, 5_000_000, 400)
    return Samples(
        slice=index,
        intended_ns=due,
        start_ns=due + lag,
        latency_ns=lag + generator.integers(0, 10_000_000_000, 400),
        failure=generator.integers(0, 8, 400).astype(np.int8),
        starved=generator.integers(0, 2, 400).astype(np.bool_),
        endpoint=generator.integers(-1, 3, 400).astype(np.int8),
    ), slices


@pytest.mark.parametrize("seed", range(10))
def test_every_request_stays_on_its_side_of_its_slices_edges(tmp_path: Path, seed: int) -> None:
    samples, slices = random_samples(np.random.default_rng(seed))
    cell = replace(cells(FakeRun(hello_plan(), RATES).record)[0], slices=slices, requests=400)
    write_thinned(tmp_path, [(cell, samples)])
    read = read_thinned(tmp_path, cell)
    for edges in ([piece.from_ns for piece in slices], [piece.to_ns for piece in slices]):
        edge = np.array(edges)[samples.slice]
        assert ((read.intended_ns < edge) == (samples.intended_ns < edge)).all()
    for name in EXACT:
        assert np.array_equal(getattr(read, name), getattr(samples, name))
    for name in ROUNDED:
        assert np.abs(getattr(read, name) - getattr(samples, name)).max() <= 1_500
        assert getattr(read, name).dtype == getattr(samples, name).dtype


def test_samples_that_know_no_endpoint_know_none_afterwards(tmp_path: Path) -> None:
    samples, slices = random_samples(np.random.default_rng(1))
    cell = replace(cells(FakeRun(hello_plan(), RATES).record)[0], slices=slices, requests=400)
    write_thinned(tmp_path, [(cell, replace(samples, endpoint=None))])
    assert read_thinned(tmp_path, cell).endpoint is None


def test_thinning_that_was_cut_off_loses_nothing_and_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(tmp_path, FakeRun(hello_plan(rounds=2), RATES))
    requests = [cell.requests for cell in found(folder).cells]
    unlink: Callable[..., None] = Path.unlink

    def killed_at_the_second(path: Path, missing_ok: bool = False) -> None:
        if len(list((folder / "samples").iterdir())) < 4:
            raise KeyboardInterrupt
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        store.thin_samples(folder, store.read_run(folder))
    monkeypatch.undo()
    assert 0 < len(list((folder / "samples").iterdir())) < 4
    assert [cell.requests for cell in found(folder).cells] == requests
    store.thin_samples(folder, store.read_run(folder))
    assert not list((folder / "samples").iterdir())
    assert [cell.requests for cell in found(folder).cells] == requests


def test_a_cell_that_the_file_lacks_is_named(tmp_path: Path) -> None:
    folder = written(tmp_path, FakeRun(hello_plan(rounds=2), RATES))
    record = store.read_run(folder)
    store.thin_samples(folder, record)
    cell = replace(cells(record)[0], samples_file="samples/other.parquet")
    with pytest.raises(BadInput, match=r"samples\.parquet lacks samples/other\.parquet"):
        store.read_samples(folder, cell)
    (folder / THINNED_FILE).write_bytes(b"PAR1 nothing")
    with pytest.raises(BadInput, match="is damaged"):
        store.read_samples(folder, cells(record)[0])


def test_the_command_thins_a_run_with_its_parts_and_says_how_much_is_left(tmp_path: Path) -> None:
    folder = written(tmp_path, FakeRun(hello_plan(rounds=2), RATES))
    part = folder / "parts" / "sweep-hello"
    part.parent.mkdir()
    written(tmp_path / "other", FakeRun(hello_plan(rounds=2), RATES)).rename(part)
    done = CliRunner().invoke(cli, ["thin", str(folder)])
    assert done.exit_code == 0, done.output
    assert f"{folder}: " in done.output
    assert "MB before" in done.output
    for run in (folder, part):
        assert (run / THINNED_FILE).exists()
        assert not list(run.glob("samples/*"))
        assert store.read_run(run).thinned
        assert found(run).cells


def test_a_run_that_was_cut_off_is_not_thinned(tmp_path: Path) -> None:
    run = FakeRun(hello_plan(rounds=2), RATES)
    run.record = replace(run.record, ended=None)
    folder = written(tmp_path, run)
    with pytest.raises(BadInput, match="was not measured to its end: continue it first"):
        cli.main(["thin", str(folder)], standalone_mode=False)
    assert not (folder / THINNED_FILE).exists()


def test_the_page_says_that_a_run_was_thinned(tmp_path: Path) -> None:
    folder = written(tmp_path, FakeRun(hello_plan(rounds=2), RATES))
    page = folder / "report" / "index.html"
    assert CliRunner().invoke(cli, ["report", str(folder)]).exit_code in {0, 1}
    assert "times are rounded to the microsecond" not in page.read_text()
    assert CliRunner().invoke(cli, ["thin", str(folder)]).exit_code == 0
    assert "times are rounded to the microsecond" in page.read_text()


def test_a_run_that_is_being_measured_is_not_thinned(tmp_path: Path) -> None:
    folder = written(tmp_path, FakeRun(hello_plan(rounds=2), RATES))
    with store.writing(folder), pytest.raises(BadInput, match="measured by another process"):
        cli.main(["thin", str(folder)], standalone_mode=False)
    assert not (folder / THINNED_FILE).exists()
