"""Simulated runs whose true ratio is known, to be analysed as real runs are.

They have the noise of a real run: the machine drifts, each process is a little faster or slower for
its whole life, and slices differ.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from harness.analysis.analyse import analyse
from harness.models import (
    Analysis,
    CellRound,
    Comparison,
    Decision,
    Plan,
    Round,
    RunRecord,
    Samples,
    Slice,
    Usage,
)
from tests.runs import FakeRun, hello_plan

ROUNDS, CYCLES = 8, 20
#: Standard deviations of the logarithm of a rate: by round, by process, by slice.
DRIFT, PROCESS_LUCK, SLICE_LUCK = 0.2, 0.03, 0.13
SECOND = 1_000_000_000
BASELINE, CANDIDATE = "flask-gthread", "fastapi-uvicorn"


@dataclass
class Simulated:
    """A run of two stacks; the candidate is `truth` × as fast as the baseline."""

    plan: Plan
    truth: float
    generator: np.random.Generator

    def __post_init__(self) -> None:
        self.samples: dict[str, Samples] = {}

    def block(self, number: int) -> tuple[CellRound, ...]:
        """Simulate a round of both stacks."""
        machine = self.generator.normal(0, DRIFT)
        return tuple(
            self._cell(number, label, math.log(factor) + machine)
            for label, factor in ((BASELINE, 1.0), (CANDIDATE, self.truth))
        )

    def _cell(self, number: int, label: str, level: float) -> CellRound:
        block = self.plan.blocks[0]
        level += self.generator.normal(0, PROCESS_LUCK)
        rates = np.exp(level + self.generator.normal(0, SLICE_LUCK, CYCLES))
        users = block.load.users
        # Each user sends once and waits beyond the window, and counts by the share inside it.
        begin = np.arange(CYCLES) * 20 * SECOND
        start_ns = np.repeat(begin, users)
        file = f"{label}.{number}"
        self.samples[file] = Samples(
            slice=np.repeat(np.arange(CYCLES, dtype=np.int32), users),
            intended_ns=start_ns,
            start_ns=start_ns,
            latency_ns=np.repeat(users / rates * SECOND, users).astype(np.int64),
            failure=np.zeros(len(start_ns), dtype=np.int8),
            starved=np.zeros(len(start_ns), dtype=np.bool_),
        )
        return CellRound(
            round=number,
            scenario=block.scenario.name,
            stack=label,
            load=block.load.label,
            samples_file=file,
            requests=len(start_ns),
            errors=0,
            slices=tuple(
                Slice(place, int(at), int(at), int(at) + SECOND, int(at) + 19 * SECOND)
                for place, at in enumerate(begin)
            ),
            server=Usage(0.001, 50 << 20, 1, 1),
            load_cpu_s=(0.1,),
            services_cpu_s={"postgres": 0.0, "upstream": 0.0},
            wall_s=float(CYCLES),
        )

    def read(self, cell: CellRound) -> Samples:
        """Return the samples of a cell, as store.read_samples does."""
        return self.samples[cell.samples_file]

    def record(self, blocks: Sequence[tuple[CellRound, ...]]) -> RunRecord:
        """The record of the run when these rounds are complete."""
        key = self.plan.blocks[0].key
        numbered = list(enumerate(blocks, 1))
        return replace(
            any_record(),
            plan=self.plan,
            rounds=tuple(Round(number, (key,), "", {}, cells, ()) for number, cells in numbered),
            decisions=tuple(Decision(number, (key,), "simulated") for number, _ in numbered),
        )

    def analysed(self, blocks: Sequence[tuple[CellRound, ...]]) -> Analysis:
        """Analyse the run when these rounds are complete."""
        return analyse(self.record(blocks), self.read)


@cache
def plan_of(rounds: int = ROUNDS, precision: float | None = None) -> Plan:
    return hello_plan(rounds=rounds, precision=precision)


@cache
def any_record() -> RunRecord:
    return FakeRun(hello_plan(), {BASELINE: [1000.0]}).record


def throughput(analysis: Analysis) -> Comparison:
    return next(c for c in analysis.comparisons if c.metric == "throughput_rps")
