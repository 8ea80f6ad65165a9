"""Requests to running servers: all stacks of a round are up, and take turns under load."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from harness.channel.messages import Contender
from harness.checking import parity
from harness.measuring.blocks import TIMEOUT_S, Bench, play_block, warm_up
from harness.measuring.crew import Crew, Order
from harness.models import BlockPlan, BlockUsage, CellRound, Measures
from harness.planning.files import PROJECT
from harness.processes.children import Child
from harness.processes.meter import Meter
from harness.serving.servers import Server, serving


@dataclass(frozen=True, slots=True)
class ByLoad:
    """A way of measuring."""

    bench: Bench
    crew: Crew

    @contextmanager
    def round(self, number: int, blocks: Sequence[BlockPlan]) -> Iterator[LoadedBlocks]:
        """Every stack that one of the scenarios needs, until all answer; then pinned."""
        bench, where = self.bench, self.bench.placement
        stacks = [
            one for one in bench.plan.stacks if any(one.label in block.stacks for block in blocks)
        ]
        bench.listener.preparing(f"round {number}: starting {len(stacks)} servers")
        with serving(
            stacks,
            workers=bench.plan.workers,
            environment=bench.environment(Measures.REQUESTS),
            cores=where.servers,
            start_cores=sorted({*where.servers, *where.load, *where.services}),
            logs=bench.logs,
            folder=PROJECT,
            check=bench.services.check,
        ) as up:
            yield LoadedBlocks(bench, self.crew, number, up)


@dataclass(frozen=True, slots=True)
class LoadedBlocks:
    """The blocks of a round in which these servers are up."""

    bench: Bench
    crew: Crew
    number: int
    up: Mapping[str, Server]

    @property
    def ready_s(self) -> dict[str, float]:
        """Stack -> seconds from spawn to the first good answer."""
        return {label: round(server.ready_s, 3) for label, server in self.up.items()}

    def measure(self, block: BlockPlan) -> tuple[list[CellRound], BlockUsage]:
        """Parity, warm-up, turns, parity."""
        before = self._spot_check(block, "before")
        self.crew.seat(
            Order(
                scenario_file=str(PROJECT / block.scenario.file),
                contenders=tuple(
                    Contender(
                        label,
                        self.up[label].url,
                        str(self.bench.samples_path(block, label, self.number)),
                    )
                    for label in block.stacks
                ),
                load=block.load,
                timeout_s=TIMEOUT_S,
                seed=f"{self.bench.plan.seed} requests {self.number} {block.key}",
            )
        )
        warm_up(self.crew, block)
        trees = {label: server.child.tree() for label, server in self.up.items()}
        loads = [f" load {member + 1}" for member in range(self.bench.plan.generators)]

        def metering() -> Meter:
            members = dict(zip(loads, self.crew.trees, strict=True))
            return Meter(trees | members | self.bench.roles, self.bench.cores)

        measured, usage = play_block(self.bench, block, self.number, self.crew, metering, loads)
        after = self._spot_check(block, "after")
        return [
            dataclasses.replace(
                one,
                died=_died(self.up[one.stack].child, set(trees[one.stack])),
                parity=before[one.stack] + after[one.stack],
            )
            for one in measured
        ], usage

    def _spot_check(self, block: BlockPlan, when: str) -> dict[str, tuple[str, ...]]:
        """Whether the stacks still answer as the contract says: label -> what differs."""
        seed = f"{self.bench.plan.seed} parity {self.number} {block.key} {when}"
        urls = {label: self.up[label].url for label in block.stacks}
        breaks = {name for label in block.stacks for name in self.up[label].stack.breaks}
        found = parity.spot_check(
            urls, block.scenario.endpoints, secrets.token_hex(6), seed, breaks
        )
        return {label: tuple(f"{when}: {one}" for one in found[label]) for label in found}


def _died(child: Child, before: set[int]) -> str:
    """Which of a server's processes ended in the meantime; its CPU time is lost with it."""
    if child.exit_code() is not None:
        return f"the server ended with exit code {child.exit_code()}"
    gone = before - set(child.tree())
    return f"{len(gone)} of the server's {len(before)} processes ended" if gone else ""
