"""Measures requests through each framework's own test client: one process per stack, no server.

Of a stack, only its application and its settings matter here, and not its server.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from harness.channel.messages import Contender, Turn
from harness.channel.pipe import PipeToMember
from harness.measuring.blocks import TIMEOUT_S, Bench, Meters, StacksAndRoles, play_block, warm_up
from harness.measuring.crew import Crew, Order
from harness.measuring.players import Finished, PlayedSlice
from harness.models import BlockPlan, BlockUsage, CellRound, Measures, Stack
from harness.planning.files import PROJECT
from harness.planning.plan import start_order
from harness.processes import children as processes
from harness.processes.children import Child
from harness.serving.servers import READY_WITHIN_S, settings_of


@dataclass(frozen=True, slots=True)
class ByTestClient:
    """The way for scenarios that measure test clients."""

    bench: Bench

    @contextmanager
    def round(self, number: int, blocks: Sequence[BlockPlan]) -> Iterator[ClientBlocks]:
        """Start nothing yet: each block starts processes of its own."""
        yield ClientBlocks(self.bench, number)


@dataclass(frozen=True, slots=True)
class ClientBlocks:
    """Measures the blocks of a round."""

    bench: Bench
    number: int

    @property
    def ready_s(self) -> dict[str, float]:
        """Nothing, because no server stays up."""
        return {}

    def measure(self, block: BlockPlan) -> tuple[list[CellRound], BlockUsage]:
        """Measure a block: fresh processes, warm-up, turns. They check parity themselves."""
        children: dict[str, Child] = {}
        try:
            for stack in start_order(self.bench.plan, [block], self.number):
                children[stack.label] = self._spawn(stack, block)
            clients = ClientPlayers(children)
            clients.seat(block)
            rates_rps = warm_up(clients, self.bench.plan, block, self.number)
            return play_block(
                self.bench, block, self.number, clients, lambda: self._meter(children), rates_rps
            )
        finally:
            processes.stop(children.values())

    def _meter(self, children: Mapping[str, Child]) -> Meters:
        trees = {label: child.tree() for label, child in children.items()}
        return Meters(StacksAndRoles(trees, self.bench.roles), self.bench.cores)

    def _spawn(self, stack: Stack, block: BlockPlan) -> Child:
        return Child(
            stack.label,
            [
                *(sys.executable, "-m", "harness.load.in_process"),
                *(stack.app, *block.scenario.endpoints),
            ],
            log=self.bench.logs / f"{stack.label}-{block.scenario.name}.log",
            environment={
                **self.bench.environment(Measures.TEST_CLIENT, self.number),
                **settings_of(stack),
            },
            cores=self.bench.placement.servers,
            piped=True,
            folder=PROJECT,
        )


class ClientPlayers:
    """Players of which each plays the turns of its own stack alone."""

    def __init__(self, children: Mapping[str, Child]) -> None:
        channels = {
            label: PipeToMember(child, f"the test client of '{label}'")
            for label, child in children.items()
        }
        for channel in channels.values():
            channel.answer(READY_WITHIN_S)  # its application is built
        self._crews = {label: Crew([channel]) for label, channel in channels.items()}

    def seat(self, block: BlockPlan) -> None:
        """Order the block; all times count from the same moment."""
        origin_ns = time.perf_counter_ns()
        for label, crew in self._crews.items():
            order = Order(
                scenario_file=str(PROJECT / block.scenario.file),
                contenders=(Contender(block.cell(label), block.load, url=""),),
                timeout_s=TIMEOUT_S,
                seed="",  # nothing is drawn: the requests of a test suite have an order
            )
            crew.seat(order, origin_ns)

    def play(self, turn: Turn) -> PlayedSlice:
        """Play one slice of one cell. No load process takes part: what sends is what is measured."""
        played = self._crews[turn.cell.stack].play(turn)
        return PlayedSlice(played.slice, played.samples, load_cpu_s=())

    def measure(self) -> None:
        """Count from now on; what was played until now was warm-up."""
        for crew in self._crews.values():
            crew.measure()

    def finish(self) -> Finished:
        """End the block; return what came of it."""
        finished = [crew.finish() for crew in self._crews.values()]
        return Finished(load=(), cells=(cell for of_stack in finished for cell in of_stack.cells))
