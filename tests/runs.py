"""Runs with known content, made without starting anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from harness import plan
from harness.ladder import load_ladder
from harness.models import (
    BlockUsage,
    CellRound,
    Failure,
    Placement,
    Plan,
    Profile,
    Round,
    RunRecord,
    Slice,
    Usage,
)
from harness.stacks import load_stacks
from harness.store import SCHEMA, Samples

MS = 1_000_000
A_STACK = "fastapi-uvicorn"


def hello_plan(
    *,
    rounds: int = 6,
    stacks: tuple[str, ...] = (),
    cycles: int = 4,
    rate_rps: float | None = None,
    scenario: str = "hello",
    users: int | None = 4,
    precision: float | None = None,
    ladder: bool = False,
) -> Plan:
    """Two stacks, 4 users, slices of 100 ms of which 10 ms are not counted; or open load.

    With a ladder, its rungs too.
    """
    return plan.make_plan(
        scenarios=plan.load_scenarios(),
        stacks=load_stacks(plan.STACKS_FILE),
        profile=Profile("test", rounds=rounds, cell_s=0.1 * cycles),
        seed=1,
        chosen_scenarios=[scenario],
        chosen_stacks=stacks,
        users=users,
        rate_rps=rate_rps,
        precision=precision,
        ladder=ladder,
        steps=load_ladder(plan.LADDER_FILE),
    )


def closed_load(rate_rps: float, users: int, slices: int) -> tuple[Samples, tuple[Slice, ...]]:
    """What `users` that are never idle get from a server with a steady rate."""
    latency = users / rate_rps * 1e9
    pieces, starts, index = [], [], []
    for number in range(slices):
        begin = number * 150 * MS
        pieces.append(
            Slice(number, begin, begin + 10 * MS, begin + 100 * MS, begin + 100 * MS + int(latency))
        )
        for user in range(users):
            # Users a little apart, as replies are in life.
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
    )
    return samples, tuple(pieces)


def open_load(
    rate_rps: float, service_ms: float, lag_ms: float, slices: int
) -> tuple[Samples, tuple[Slice, ...]]:
    """Requests that are due evenly, are each sent so much later, and take so long from then."""
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
    )
    return samples, tuple(pieces)


class FakeRun:
    """A run whose stacks have the rates that they are given, round by round.

    Under open load, in place of rates: how many ms a request takes.
    """

    def __init__(
        self, todo: Plan, rates_rps: dict[str, list[float]], *, lag_ms: float = 0.01
    ) -> None:
        self.samples: dict[str, Samples] = {}
        cell = todo.cells[0]
        rounds = []
        for number in range(1, max(map(len, rates_rps.values())) + 1):
            cells = []
            for label, rates in rates_rps.items():
                if number > len(rates):
                    continue
                given = rates[number - 1]
                if cell.load.rate_rps is None:
                    samples, slices = closed_load(given, cell.load.users, cell.cycles)
                else:
                    samples, slices = open_load(cell.load.rate_rps, given, lag_ms, cell.cycles)
                file = f"samples/{label}.{number}.parquet"
                self.samples[file] = samples
                cells.append(
                    CellRound(
                        round=number,
                        scenario=cell.scenario.name,
                        stack=label,
                        load=cell.load.label,
                        samples_file=file,
                        requests=len(samples.start_ns),
                        errors=0,
                        slices=slices,
                        server=Usage(
                            len(samples.start_ns) * 200e-6,
                            50 << 20,
                            41,
                            3 * len(samples.start_ns),
                        ),
                        load_cpu_s=(0.1 * sum(s.end_ns - s.begin_ns for s in slices) / 1e9,),
                        postgres_cpu_s=0.0,
                        upstream_cpu_s=0.0,
                        wall_s=sum(s.end_ns - s.begin_ns for s in slices) / 1e9,
                    )
                )
            roles = {"postgres": Usage(0.01, 40 << 20, 9, 10), "harness": Usage(0.03, 1, 1, 1)}
            usage = BlockUsage(number, cell.scenario.name, 1.0, {A_STACK: 0.002}, roles)
            order = (cell.scenario.name,)
            rounds.append(Round(number, order, "", {}, tuple(cells), (usage,)))
        self.record = RunRecord(
            run_id="fake",
            schema=SCHEMA,
            plan=todo,
            environment={},
            placement=Placement((0,), (1,), (1,)),
            command=("twinbench", "run"),
            started="2026-01-01T00:00:00+00:00",
            ended="2026-01-01T00:01:00+00:00",
            rounds=tuple(rounds),
        )

    def read(self, cell: CellRound) -> Samples:
        """As store.read_samples does."""
        return self.samples[cell.samples_file]

    def change(self, label: str, change: Callable[[CellRound], CellRound]) -> None:
        """Let every round of a stack be another."""
        self.record = replace(
            self.record,
            rounds=tuple(
                replace(
                    one,
                    cells=tuple(change(c) if c.stack == label else c for c in one.cells),
                )
                for one in self.record.rounds
            ),
        )

    def spoil(self, label: str, share: float) -> None:
        """Let a share of a stack's requests fail."""

        def spoilt(cell: CellRound) -> CellRound:
            samples = self.samples[cell.samples_file]
            bad = int(len(samples.failure) * share)
            failure = samples.failure.copy()
            failure[:bad] = Failure.WRONG_STATUS
            self.samples[cell.samples_file] = replace(samples, failure=failure)
            return replace(cell, errors=bad, error_examples=("hello: status 500",))

        self.change(label, spoilt)
