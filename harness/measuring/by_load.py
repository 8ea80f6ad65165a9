"""Measures requests to targets: all targets of a round are up, and take turns under load."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from harness.channel.messages import Contender
from harness.checking import parity
from harness.measuring.blocks import TIMEOUT_S, Bench, Meters, StacksAndRoles, play_block, warm_up
from harness.measuring.by_capacity import Searching
from harness.measuring.crew import Crew, Order
from harness.measuring.own_parity import compare_replies
from harness.measuring.settling import find_settling, with_settling
from harness.models import BlockPlan, BlockUsage, CellKey, CellRound, Load, Measures, Stack
from harness.planning.files import PROJECT
from harness.planning.plan import start_order
from harness.serving.own import Secrets, requests_of
from harness.serving.servers import serving
from harness.serving.targets import Target


@dataclass(frozen=True, slots=True)
class ByLoad:
    """The way for scenarios that measure requests."""

    bench: Bench
    crew: Crew

    @contextmanager
    def round(self, number: int, blocks: Sequence[BlockPlan]) -> Iterator[LoadedBlocks]:
        """Start every stack that a block needs, wait until all answer, and pin them."""
        bench, where = self.bench, self.bench.placement
        stacks = start_order(bench.plan, blocks, number)
        plural = "s" if len(stacks) != 1 else ""
        bench.listener.preparing(f"round {number}: starting {len(stacks)} server{plural}")
        with serving(
            stacks,
            workers=bench.plan.workers,
            environment=bench.environment(Measures.REQUESTS, number),
            cores=where.servers,
            start_cores=sorted({*where.servers, *where.load, *where.services}),
            logs=bench.logs,
            folder=PROJECT,
            check=bench.services.check,
        ) as targets:
            yield LoadedBlocks(bench, self.crew, number, targets)


@dataclass(frozen=True, slots=True)
class SpotCheck:
    """How replies differed from what they should be: stack -> differences."""

    parity: Mapping[str, tuple[str, ...]]
    differences: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoadedBlocks:
    """Measures the blocks of a round while its targets are up."""

    bench: Bench
    crew: Crew
    number: int
    targets: Mapping[str, Target]  # by the label of their stack

    @property
    def ready_s(self) -> dict[str, float]:
        """Stack -> seconds from spawn to the first good reply, of targets that we started."""
        return {
            label: round(target.ready_s, 3)
            for label, target in self.targets.items()
            if target.ready_s is not None
        }

    def measure(self, block: BlockPlan) -> tuple[list[CellRound], BlockUsage]:
        """Measure a block: parity, warm-up, turns, parity."""
        before = self.spot_check(block, "before")
        self.seat(block)
        hidden = Secrets.of_run(self.bench.plan).hidden
        rates_rps: Mapping[str, float] = {}
        searching = None
        if block.search is not None:
            searching = Searching(self.bench, block, self.number, self.crew)
            searching.warm_up()
        else:
            rates_rps = warm_up(self.crew, self.bench.plan, block, self.number)
        trees = {
            label: target.tree()
            for label, target in self.targets.items()
            if target.child is not None
        }

        def metering() -> Meters:
            return Meters(StacksAndRoles(trees, self.bench.roles), self.bench.cores)

        found = None
        if searching is not None:
            measured, usage = searching.measure(metering)
        else:
            if block.load.is_open:
                cores = max(1, len(self.bench.placement.servers))
                found = find_settling(self.crew, block, trees, cores)
            measured, usage = play_block(
                self.bench,
                with_settling(block, found),
                self.number,
                self.crew,
                metering,
                # A schedule counts what is due in a time.
                {} if block.load.is_open else rates_rps,
            )
        after = self.spot_check(block, "after")
        return [
            dataclasses.replace(
                cell,
                died=died(self.targets[cell.stack], trees.get(cell.stack, ())),
                parity=before.parity[cell.stack] + after.parity[cell.stack],
                differences=before.differences.get(cell.stack, ()),
                error_examples=tuple(map(hidden, cell.error_examples)),
                endpoints=distinct(map(hidden, cell.endpoints)),
            )
            for cell in measured
        ], dataclasses.replace(usage, settling=found)

    def seat(self, block: BlockPlan) -> None:
        """Give every cell of a block its users."""
        self.crew.seat(
            Order(
                scenario_file="" if block.scenario.is_own else str(PROJECT / block.scenario.file),
                contenders=tuple(self._contender(block, cell) for cell in block.cells),
                timeout_s=TIMEOUT_S,
                seed=f"{self.bench.plan.seed} requests {self.number} {block.key}",
                endpoints=block.scenario.endpoints if block.scenario.is_own else (),
                locustfile=block.scenario.locustfile,
            )
        )

    def _contender(self, block: BlockPlan, cell: CellKey) -> Contender:
        stack = self.stacks[cell.stack]
        return Contender(
            cell,
            _load(block),
            self.targets[cell.stack].url,
            requests=requests_of(stack, block.scenario.requests),
            verify_tls=stack.own is None or stack.own.verify_tls,
        )

    @property
    def stacks(self) -> dict[str, Stack]:
        """By label."""
        return {stack.label: stack for stack in self.bench.plan.stacks}

    def spot_check(self, block: BlockPlan, when: str) -> SpotCheck:
        """Compare replies with the contract, or with each other where the reader brings the requests."""
        if block.scenario.is_own:
            return self._compared(block, when)
        seed = f"{self.bench.plan.seed} parity {self.number} {block.key} {when}"
        urls = {label: self.targets[label].url for label in block.stacks}
        stacks = [stack for stack in self.bench.plan.stacks if stack.label in urls]
        breaks = {name for stack in stacks for name in stack.breaks}
        found = parity.spot_check(
            urls, block.scenario.endpoints, secrets.token_hex(6), seed, breaks
        )
        return SpotCheck(_at(when, found))

    def _compared(self, block: BlockPlan, when: str) -> SpotCheck:
        stacks = [self.stacks[label] for label in block.stacks]
        # What replies say is compared once in a run: it takes seconds, and every round starts the same.
        closely = self.number == 1 and when == "before"
        found = compare_replies(
            block,
            stacks,
            self.targets,
            turn=2 * (self.number - 1) + (when == "after"),
            closely=closely,
        )
        nothing = dict.fromkeys(block.stacks, ())
        return SpotCheck({**nothing, **_at(when, found.other_work)}, found.in_words)


def _at(when: str, found: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    return {
        label: tuple(f"{when}: {difference}" for difference in differences)
        for label, differences in found.items()
    }


def _load(block: BlockPlan) -> Load:
    """The load of a block; each turn of a search brings a rate of its own."""
    if block.search is None:
        return block.load
    return dataclasses.replace(block.load, rate_rps=1.0, slo=None)


def distinct(names: Iterable[str]) -> tuple[str, ...]:
    """The same names in the same order; what became equal when secrets were hidden is numbered."""
    found: list[str] = []
    for name in names:
        number = sum(other == name or other.startswith(f"{name} (") for other in found)
        found.append(f"{name} ({number + 1})" if number else name)
    return tuple(found)


def died(target: Target, before: Sequence[int]) -> str:
    """Say which of a target's processes ended since `before` was read; their CPU time is lost."""
    child = target.child
    if child is None:
        return ""
    if child.exit_code() is not None:
        return f"the server ended with exit code {child.exit_code()}"
    gone = set(before) - set(child.tree())
    return f"{len(gone)} of the server's {len(before)} processes ended" if gone else ""
