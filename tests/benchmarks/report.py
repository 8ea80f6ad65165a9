"""Measures how long `twinbench report` takes: `python -m tests.benchmarks.report`.

It makes up runs of a given size with the store's own writers. A fresh process draws the report of
each, from a cold start to the last chart; its peak of memory is measured too.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness import store
from harness.models import (
    BlockPlan,
    BlockUsage,
    CellRound,
    Load,
    Placement,
    Plan,
    Profile,
    RunRecord,
    Slice,
    Usage,
)
from harness.planning.files import PROJECT
from harness.planning.options import RunOptions
from harness.planning.plan import load_catalogue, make_plan

ROUNDS = 6
SMALL, LARGE = 1_000_000, 10_000_000
#: Targets for the larger run, on a machine like that of the reference run.
TARGET_S = 10.0
TARGET_MIB = 1024
#: The time may grow as the samples do, and no faster.
TARGET_GROWTH = LARGE / SMALL
_TRIES = 3
_NS = 1_000_000_000
_CPU_S = 200e-6  # of a request
_OVERSHOOT = 1.08  # slices end when the first user has nothing more to send


def main() -> int:
    """Print a table; exit with 1 unless all targets are met."""
    print("| load | samples | seconds | MiB | target | |")
    print("| --- | ---: | ---: | ---: | --- | --- |")
    met = True
    for rate_rps, name in ((None, "closed"), (500.0, "open")):
        small, large = (_measured(samples, rate_rps) for samples in (SMALL, LARGE))
        growth = large.seconds / small.seconds
        good = large.seconds <= TARGET_S and large.mib <= TARGET_MIB
        fair = growth <= TARGET_GROWTH
        met = met and good and fair
        print(_row(name, f"{small.samples:,}", small, "", ""))
        target = f"{TARGET_S:g} s, {TARGET_MIB:,} MiB"
        print(_row(name, f"{large.samples:,}", large, target, _word(good)))
        print(
            f"| {name} | × {large.samples / small.samples:.1f} | × {growth:.1f} "
            f"| × {large.mib / small.mib:.1f} | time × {TARGET_GROWTH:g} | {_word(fair)} |"
        )
    return 0 if met else 1


def _row(name: str, samples: str, report: _Measured, target: str, word: str) -> str:
    return f"| {name} | {samples} | {report.seconds:.1f} | {report.mib:,.0f} | {target} | {word} |"


def _word(met: bool) -> str:
    return "met" if met else "not met"


@dataclass(frozen=True, slots=True)
class _Measured:
    samples: int
    seconds: float
    mib: float


def _measured(samples: int, rate_rps: float | None) -> _Measured:
    """The median time of a few reports, and the most memory that one of them took."""
    with tempfile.TemporaryDirectory(prefix="twinbench-") as folder:
        run, made = make_run(Path(folder), samples, rate_rps)
        tries = [_report(run) for _ in range(_TRIES)]
    seconds = sorted(taken for taken, _ in tries)[_TRIES // 2]
    return _Measured(made, seconds, max(mib for _, mib in tries))


def _report(run: Path) -> tuple[float, float]:
    """Seconds and MiB of one `twinbench report` in a process of its own."""
    begun = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", "harness", "report", str(run)],
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - begun
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"twinbench report ended with exit code {child.returncode}")
    kib = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return seconds, kib / 1024


# ------------------------------------------------------------------- a made-up run


def make_run(out: Path, samples: int, rate_rps: float | None) -> tuple[Path, int]:
    """Make up a run of all scenarios with about so many samples.

    Returns:
        Its folder, and how many samples it has.
    """
    todo = _plan(rate_rps)
    run = store.create_run(out, "synthetic", datetime.now(UTC))
    record = RunRecord(
        run_id=run.name,
        schema=store.SCHEMA,
        plan=todo,
        environment={"cpu": "made up"},
        placement=Placement((0,), (1,), (1,)),
        command=("twinbench", "run"),
        started="2026-01-01T00:00:00+00:00",
        ended="2026-01-01T01:00:00+00:00",
        rounds=(),
    )
    store.write_run(run, record)
    journal = store.Journal(run)
    cells = sum(len(block.stacks) for block in todo.blocks)
    made = 0
    for number in range(1, ROUNDS + 1):
        for block in todo.blocks:
            measured = list(
                _block(run, block, number, round(samples * _OVERSHOOT / (cells * ROUNDS)))
            )
            made += sum(cell.requests for cell in measured)
            journal.block(number, measured, _usage(block, number))
        journal.round(number, record.started, [block.key for block in todo.blocks], {})
    journal.close()
    return run, made


def _plan(rate_rps: float | None) -> Plan:
    options = RunOptions(
        profile=Profile("synthetic", rounds=ROUNDS, cell_s=1.5),
        seed=1,
        rates_rps=() if rate_rps is None else (rate_rps,),
        users=() if rate_rps is None else (100,),
    )
    return make_plan(load_catalogue(), options)


def _block(run: Path, block: BlockPlan, number: int, samples: int) -> Iterator[CellRound]:
    for place, label in enumerate(block.stacks):
        generator = np.random.default_rng([number, place, *block.scenario.name.encode()])
        file = f"samples/{block.scenario.name}.{label}.r{number:02}.parquet"
        columns, slices = _samples(generator, block.load, block.cycles, samples)
        requests = len(columns["slice"])
        store.write_samples(run / file, columns)
        wall_s = sum(piece.end_ns - piece.begin_ns for piece in slices) / _NS
        yield CellRound(
            round=number,
            scenario=block.scenario.name,
            stack=label,
            load=block.load.label,
            samples_file=file,
            requests=requests,
            errors=0,
            slices=slices,
            # No more than lets one core serve as many requests as were served.
            server=Usage(min(requests * _CPU_S, 0.9 * wall_s), 70 << 20, 12, 2 * requests),
            load_cpu_s=(0.3 * wall_s,),
            services_cpu_s={"postgres": 0.1 * wall_s, "upstream": 0.1 * wall_s},
            wall_s=wall_s,
        )


def _samples(
    generator: np.random.Generator, load: Load, cycles: int, wanted: int
) -> tuple[dict[str, npt.NDArray[np.generic]], tuple[Slice, ...]]:
    """Requests with log-normal service times, in slices that are long enough for so many."""
    per_slice = max(load.users, wanted // cycles)
    pieces, slices, begin = [], [], 0
    luck = generator.normal(0, 0.02)
    for cycle in range(cycles):
        if load.rate_rps is None:
            shape = load.users, max(2, per_slice // load.users)
            took = generator.lognormal(15 + luck, 0.4, shape).astype(np.int64)
            sent = np.cumsum(took, axis=1) - took
            # All are busy until the first of them has nothing more to send.
            length = int((sent + took)[:, -1].min())
            keep = sent < length
            due, sent, took = sent[keep], sent[keep], took[keep]
        else:
            length = int(per_slice / load.rate_rps * _NS)
            due = np.sort(generator.integers(0, length, per_slice))
            sent = due + generator.integers(20_000, 200_000, per_slice)
            took = generator.lognormal(15 + luck, 0.4, per_slice).astype(np.int64)
        order = np.argsort(due, kind="stable")
        pieces.append(
            (np.full(len(due), cycle), begin + due[order], begin + sent[order], took[order])
        )
        end = begin + int((sent + took).max())
        slices.append(Slice(cycle, begin, begin + length // 10, begin + length, end))
        begin = end + 1_000_000
    index, due, sent, took = (np.concatenate(column) for column in zip(*pieces, strict=True))
    count = len(index)
    return {
        "slice": index.astype(np.int32),
        "intended_ns": due,
        "start_ns": sent,
        "latency_ns": took + sent - due,
        "status": np.full(count, 200, dtype=np.int16),
        "size": np.full(count, 27, dtype=np.int32),
        "failure": np.zeros(count, dtype=np.int8),
        "starved": np.zeros(count, dtype=np.int8),
        "endpoint": np.zeros(count, dtype=np.int8),
    }, tuple(slices)


def _usage(block: BlockPlan, number: int) -> BlockUsage:
    roles = {
        name: Usage(0.3, 40 << 20, 4, 1000)
        for name in ("postgres", "upstream", "load 1", "harness")
    }
    key = block.key
    idle = dict.fromkeys(block.stacks, 0.002)
    return BlockUsage(number, key.scenario, key.load, 10.0, idle, roles)


if __name__ == "__main__":
    sys.exit(main())
