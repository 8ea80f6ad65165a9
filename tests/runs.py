"""Runs with known content, made without starting anything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness import plan
from harness.models import (
    BlockUsage,
    CellRound,
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


def hello_plan(*, rounds: int = 6, stacks: tuple[str, ...] = (), cycles: int = 4) -> Plan:
    """Two stacks, 4 users, slices of 100 ms of which 10 ms are not counted."""
    return plan.make_plan(
        scenarios=plan.load_scenarios(),
        stacks=load_stacks(plan.STACKS_FILE),
        profile=Profile("test", rounds=rounds, cell_s=0.1 * cycles),
        seed=1,
        chosen_scenarios=["hello"],
        chosen_stacks=stacks,
        users=4,
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
        start_ns=start_ns[order],
        latency_ns=np.full(len(start_ns), int(latency), dtype=np.int64),
        good=np.ones(len(start_ns), dtype=bool),
    )
    return samples, tuple(pieces)


class FakeRun:
    """A run whose stacks have the rates that they are given, round by round."""

    def __init__(self, todo: Plan, rates_rps: dict[str, list[float]]) -> None:
        self.samples: dict[str, Samples] = {}
        cell = todo.cells[0]
        rounds = []
        for number in range(1, max(map(len, rates_rps.values())) + 1):
            cells = []
            for label, rates in rates_rps.items():
                if number > len(rates):
                    continue
                samples, slices = closed_load(rates[number - 1], cell.load.users, cell.cycles)
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
                        server=Usage(len(samples.start_ns) * 200e-6, 50 << 20, 41),
                        load_cpu_s=0.1 * sum(s.end_ns - s.begin_ns for s in slices) / 1e9,
                        postgres_cpu_s=0.0,
                        upstream_cpu_s=0.0,
                        wall_s=sum(s.end_ns - s.begin_ns for s in slices) / 1e9,
                    )
                )
            usage = BlockUsage(number, cell.scenario.name, 1.0, {A_STACK: 0.002})
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

    def spoil(self, label: str, share: float) -> None:
        """Let a share of a stack's requests fail."""
        rounds = []
        for one in self.record.rounds:
            cells = []
            for cell in one.cells:
                if cell.stack == label:
                    samples = self.samples[cell.samples_file]
                    bad = int(len(samples.good) * share)
                    good = samples.good.copy()
                    good[:bad] = False
                    self.samples[cell.samples_file] = replace(samples, good=good)
                    cell = replace(cell, errors=bad, error_examples=("hello: status 500",))
                cells.append(cell)
            rounds.append(replace(one, cells=tuple(cells)))
        self.record = replace(self.record, rounds=tuple(rounds))
