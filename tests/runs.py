"""Makes up runs whose content is known, without starting anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, replace
from functools import cache

import numpy as np

from harness.models import (
    BlockPlan,
    BlockUsage,
    CellRound,
    Decision,
    Failure,
    Placement,
    Plan,
    Profile,
    Round,
    RunRecord,
    Samples,
    Slice,
    Usage,
)
from harness.planning.options import RunOptions
from harness.planning.plan import Catalogue, load_catalogue, make_plan
from harness.store import SCHEMA

MS = 1_000_000
A_STACK = "fastapi-uvicorn"


@cache
def _catalogue() -> Catalogue:
    return load_catalogue()


def hello_plan(
    *,
    rounds: int = 6,
    stacks: tuple[str, ...] = (),
    cycles: int = 4,
    rate_rps: float | None = None,
    scenario: str = "hello",
    users: tuple[int, ...] = (4,),
    precision: float | None = None,
    ladder: bool = False,
) -> Plan:
    """Plan to measure two stacks, or all rungs of the ladder.

    Unless stated otherwise there are 4 users. Slices take 100 ms under closed load.
    """
    return make_plan(
        _catalogue(),
        RunOptions(
            profile=Profile("test", rounds=rounds, cell_s=0.1 * cycles),
            seed=1,
            scenarios=(scenario,),
            stacks=stacks,
            users=users,
            rates_rps=() if rate_rps is None else (rate_rps,),
            precision=precision,
            ladder=ladder,
            slice_s=None if rate_rps or scenario == "startup" else 0.1,
        ),
    )


def closed_load(rate_rps: float, users: int, slices: int) -> tuple[Samples, tuple[Slice, ...]]:
    """Samples and slices of users that are never idle, from a server with a steady rate."""
    latency = users / rate_rps * 1e9
    pieces, starts, index = [], [], []
    for number in range(slices):
        begin = number * 150 * MS
        pieces.append(
            Slice(number, begin, begin + 10 * MS, begin + 100 * MS, begin + 100 * MS + int(latency))
        )
        for user in range(users):
            # Users do not send at the same moment, because real replies do not come at once.
            first = begin + user * latency / users - latency
            times = np.arange(first, begin + 100 * MS, latency)
            times = times[times >= begin - latency]
            starts.append(times)
            index.append(np.full(len(times), number))
    start_ns = np.concatenate(starts).astype(np.int64)
    order = np.argsort(start_ns)
    samples = Samples(
        slice=np.concatenate(index).astype(np.int32)[order],
        intended_ns=start_ns[order],
        start_ns=start_ns[order],
        latency_ns=np.full(len(start_ns), int(latency), dtype=np.int64),
        failure=np.zeros(len(start_ns), dtype=np.int8),
        starved=np.zeros(len(start_ns), dtype=np.bool_),
        endpoint=np.zeros(len(start_ns), dtype=np.int8),
    )
    return samples, tuple(pieces)


def open_load(
    rate_rps: float, service_ms: float, lag_ms: float, slices: int
) -> tuple[Samples, tuple[Slice, ...]]:
    """Samples and slices of requests that are due at even intervals.

    Each request is sent `lag_ms` after it is due, and takes `service_ms` from then on.
    """
    pieces, due, index = [], [], []
    for number in range(slices):
        begin = number * 1500 * MS
        end = begin + 1000 * MS + int((service_ms + lag_ms) * MS)
        pieces.append(Slice(number, begin, begin + 100 * MS, begin + 1000 * MS, end))
        times = begin + np.arange(int(rate_rps)) * 1e9 / rate_rps
        due.append(times)
        index.append(np.full(len(times), number))
    intended_ns = np.concatenate(due).astype(np.int64)
    lag_ns = np.full(len(intended_ns), int(lag_ms * MS))
    samples = Samples(
        slice=np.concatenate(index).astype(np.int32),
        intended_ns=intended_ns,
        start_ns=intended_ns + lag_ns,
        latency_ns=lag_ns + int(service_ms * MS),
        failure=np.zeros(len(intended_ns), dtype=np.int8),
        starved=np.zeros(len(intended_ns), dtype=np.bool_),
        endpoint=np.zeros(len(intended_ns), dtype=np.int8),
    )
    return samples, tuple(pieces)


class FakeRun:
    """A run in which the rate of each stack in each round is given.

    Under open load, the duration of a request in ms is given instead of a rate.
    """

    def __init__(
        self, plan: Plan, rates_rps: dict[str, list[float]], *, lag_ms: float = 0.01
    ) -> None:
        self.samples: dict[str, Samples] = {}
        rounds = []
        for number in range(1, max(map(len, rates_rps.values())) + 1):
            cells, usages = [], []
            for block in plan.blocks:
                for label, rates in rates_rps.items():
                    if number <= len(rates):
                        cells.append(self._cell(block, label, number, rates[number - 1], lag_ms))
                roles = {"postgres": Usage(0.01, 40 << 20, 9, 10), "harness": Usage(0.03, 1, 1, 1)}
                usages.append(BlockUsage(number, *astuple(block.key), 1.0, {A_STACK: 0.002}, roles))
            order = tuple(block.key for block in plan.blocks)
            rounds.append(Round(number, order, "", {}, tuple(cells), tuple(usages)))
        self.record = RunRecord(
            run_id="fake",
            schema=SCHEMA,
            plan=plan,
            environment={},
            placement=Placement((0,), (1,), (1,)),
            command=("twinbench", "run"),
            started="2026-01-01T00:00:00+00:00",
            ended="2026-01-01T00:01:00+00:00",
            rounds=tuple(rounds),
            decisions=tuple(
                Decision(made.number, made.order, "every block in every round") for made in rounds
            ),
        )

    def _cell(
        self, block: BlockPlan, label: str, number: int, given: float, lag_ms: float
    ) -> CellRound:
        if block.load.rate_rps is None:
            samples, slices = closed_load(given, block.load.users, block.cycles)
        else:
            samples, slices = open_load(block.load.rate_rps, given, lag_ms, block.cycles)
        file = f"samples/{block.scenario.name}.{label}.{block.load.label}.{number}.parquet"
        self.samples[file] = samples
        count = len(samples.start_ns)
        wall_s = sum(piece.end_ns - piece.begin_ns for piece in slices) / 1e9
        return CellRound(
            round=number,
            scenario=block.scenario.name,
            stack=label,
            load=block.load.label,
            samples_file=file,
            requests=count,
            errors=0,
            slices=slices,
            server=Usage(count * 200e-6, 50 << 20, 41, 3 * count),
            load_cpu_s=(0.1 * wall_s,),
            services_cpu_s={"postgres": 0.0, "upstream": 0.0},
            wall_s=wall_s,
        )

    def read(self, cell: CellRound) -> Samples:
        """Return the samples of a cell, as store.read_samples does."""
        return self.samples[cell.samples_file]

    def change(self, label: str, change: Callable[[CellRound], CellRound]) -> None:
        """Change every round of a stack."""
        self.record = replace(
            self.record,
            rounds=tuple(
                replace(
                    finished,
                    cells=tuple(
                        change(cell) if cell.stack == label else cell for cell in finished.cells
                    ),
                )
                for finished in self.record.rounds
            ),
        )

    def spoil(self, label: str, share: float) -> None:
        """Make a share of a stack's requests fail."""

        def spoilt(cell: CellRound) -> CellRound:
            samples = self.samples[cell.samples_file]
            bad = int(len(samples.failure) * share)
            failure = samples.failure.copy()
            failure[:bad] = Failure.WRONG_STATUS
            self.samples[cell.samples_file] = replace(samples, failure=failure)
            return replace(cell, errors=bad, error_examples=("hello: status 500",))

        self.change(label, spoilt)
