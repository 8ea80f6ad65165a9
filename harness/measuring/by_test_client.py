"""Requests through each framework's own test client: one process per stack, and no server.

A stack gives its application and its settings here; which server it names does not matter.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from harness.channel.messages import Contender, Played, Turn
from harness.channel.pipe import LoadProcess
from harness.measuring.blocks import TIMEOUT_S, Bench, play_block, warm_up
from harness.measuring.crew import Crew, Order
from harness.models import BlockPlan, BlockUsage, CellRound, Measures, Slice, Stack
from harness.planning.files import PROJECT
from harness.processes import children as processes
from harness.processes.children import Child
from harness.processes.meter import Meter
from harness.serving.servers import READY_WITHIN_S, settings_of


@dataclass(frozen=True, slots=True)
class ByTestClient:
    """A way of measuring."""

    bench: Bench

    @contextmanager
    def round(self, number: int, blocks: Sequence[BlockPlan]) -> Iterator[ClientBlocks]:
        """Each block starts processes of its own."""
        yield ClientBlocks(self.bench, number)


@dataclass(frozen=True, slots=True)
class ClientBlocks:
    """The blocks of a round."""

    bench: Bench
    number: int

    @property
    def ready_s(self) -> dict[str, float]:
        """No server stays up."""
        return {}

    def measure(self, block: BlockPlan) -> tuple[list[CellRound], BlockUsage]:
        """Fresh processes, warm-up, turns; they hold their own replies against the contract."""
        stacks = {one.label: one for one in self.bench.plan.stacks}
        children: dict[str, Child] = {}
        try:
            for label in block.stacks:
                children[label] = self._spawn(stacks[label], block)
            clients = _Clients(children)
            clients.seat(self.bench, block, self.number)
            warm_up(clients, block)
            return play_block(
                self.bench,
                block,
                self.number,
                clients,
                lambda: Meter(
                    {label: child.tree() for label, child in children.items()} | self.bench.roles
                ),
            )
        finally:
            processes.stop(children.values())

    def _spawn(self, stack: Stack, block: BlockPlan) -> Child:
        return Child(
            stack.label,
            [
                *(sys.executable, "-m", "harness.load.in_process"),
                *(stack.app, *block.scenario.endpoints),
            ],
            log=self.bench.logs / f"{stack.label}-{block.scenario.name}.log",
            environment={
                **self.bench.environment(Measures.TEST_CLIENT),
                **settings_of(stack),
            },
            cores=self.bench.placement.servers,
            piped=True,
            folder=PROJECT,
        )


class _Clients:
    """As a crew, but each process plays the turns of its own stack alone."""

    def __init__(self, children: Mapping[str, Child]) -> None:
        members = {
            label: LoadProcess(child, f"the test client of '{label}'")
            for label, child in children.items()
        }
        for member in members.values():
            member.answer(READY_WITHIN_S)  # its application is built, and its replies are held
        self._crews = {label: Crew([member]) for label, member in members.items()}

    def seat(self, bench: Bench, block: BlockPlan, number: int) -> None:
        """Tell each what to play; all times have one beginning."""
        origin_ns = time.perf_counter_ns()
        for label, one in self._crews.items():
            samples_file = str(bench.samples_path(block, label, number))
            order = Order(
                scenario_file=str(PROJECT / block.scenario.file),
                contenders=(Contender(label, "", samples_file),),
                load=block.load,
                timeout_s=TIMEOUT_S,
                seed="",  # it draws nothing: the requests of a test suite have an order
            )
            one.seat(order, origin_ns)

    def play(self, turn: Turn) -> tuple[Slice, int]:
        return self._crews[turn.stack].play(turn)

    def measure(self) -> None:
        for one in self._crews.values():
            one.measure()

    def finish(self) -> list[Played]:
        return [played for one in self._crews.values() for played in one.finish()]
