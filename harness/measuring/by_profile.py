"""Samples where the CPU time of servers goes, in blocks of its own that measure nothing.

Servers, services and load are those of a run. Each stack of a round is loaded twice: first without
the sampler, for what the sampler would change (context switches, CPU time per request), and then
under it. While one stack has its turn, the others wait.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from harness import store
from harness.channel.messages import Turn
from harness.errors import ServerFailed
from harness.machine import environment, open_files, placement
from harness.measuring.blocks import Bench, Listener, warm_up
from harness.measuring.by_load import ByLoad, LoadedBlocks, died
from harness.measuring.crew import crew
from harness.models import (
    BlockPlan,
    ProfilePlan,
    ProfileRecord,
    ProfileRound,
    Served,
    Window,
)
from harness.planning.files import PROJECT
from harness.planning.profile import stack_order
from harness.processes import children, sampler
from harness.processes.meter import SwitchMeter, cpu_seconds
from harness.serving import services

#: How often a round is tried in which the sampler ends a server too soon.
_TRIES = 4
#: The share of the planned samples that a server must have lived to see.
_LEAST_SAMPLED = 0.5


class _Said:
    """Hears of a run what those want to know who wait for it."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def preparing(self, what: str) -> None:
        """A slow preparation begins."""
        self._say(what)

    def round_started(self, number: int) -> None:
        """A round begins."""

    def block_started(self, block: BlockPlan) -> None:
        """The warm-up of a block begins."""

    def warmed_up(self) -> None:
        """The warm-up of a block is over."""

    def slice_done(self, stack: str, rps: float, seconds: float) -> None:
        """A stack had a turn."""

    def window_judged(self, stack: str, window: Window) -> None:
        """A search judged a window."""

    def round_ended(self, number: int) -> None:
        """A round is whole."""


def measure(plan: ProfilePlan, folder: Path, say: Callable[[str], None]) -> ProfileRecord:
    """Sample what a plan says; what was sampled is in the folder after every round.

    Args:
        plan: What to sample.
        folder: Where to keep it.
        say: Is told what begins.

    Raises:
        EnvironmentFailed: A server or a service does not start or ends, or no server takes samples.
        Interrupted: By the user.
    """
    record = ProfileRecord(
        run_id=folder.name,
        schema=store.PROFILE_SCHEMA,
        plan=plan,
        environment=environment.describe(PROJECT),
        placement=placement.place_here(plan.run.generators),
        command=environment.command_line(),
        started=_now(),
        ended=None,
    )
    open_files.check(plan.run)
    with store.writing(folder):
        store.forget_profile(folder)
        return _measure(record, folder, _Said(say), say)


def _measure(
    record: ProfileRecord, folder: Path, listener: Listener, say: Callable[[str], None]
) -> ProfileRecord:
    plan, where = record.plan, record.placement
    with contextlib.ExitStack() as stack:
        stack.enter_context(children.kept_to(sorted({*where.load, *where.services})))
        logs = stack.enter_context(children.scratch_folder("logs"))
        needs = plan.block.scenario.needs
        listener.preparing(services.starting(needs))
        load = stack.enter_context(
            crew(size=plan.run.generators, cores=where.load, logs=logs, folder=PROJECT)
        )
        around = stack.enter_context(
            services.running(
                needs=needs,
                upstream_latency=plan.run.upstream_latency,
                seed=plan.run.seed,
                cores=where.services,
                logs=logs,
                folder=PROJECT,
            )
        )
        written = stack.enter_context(children.scratch_folder("samples"))
        sampled = sampler.environment(written)
        way = ByLoad(Bench(plan.run, where, folder, logs, around, listener, sampled), load)
        for number in range(1, plan.run.rounds + 1):
            for tries_left in reversed(range(_TRIES)):
                with way.round(number, plan.run.blocks) as loaded:
                    measured = _round(record, loaded, folder, written, say)
                ended = [each.stack for each in measured if _ended_too_soon(plan, each, folder)]
                if not ended or not tries_left:
                    break
                say(f"round {number} again: the sampler ended {' and '.join(ended)} too soon")
            record = dataclasses.replace(record, rounds=(*record.rounds, *measured))
            store.write_profile(folder, record)
    record = dataclasses.replace(record, ended=_now())
    store.write_profile(folder, record)
    return record


def _round(
    record: ProfileRecord,
    loaded: LoadedBlocks,
    folder: Path,
    written: Path,
    say: Callable[[str], None],
) -> list[ProfileRound]:
    """All stacks, one after the other, while all are up."""
    plan, number, block = record.plan, loaded.number, record.plan.block
    wrong = loaded.spot_check(block, "before").parity
    loaded.seat(block)
    warm_up(loaded.crew, plan.run, block, number)
    loaded.crew.measure()
    found: dict[str, ProfileRound] = {}
    for label in stack_order(plan, number):
        say(f"round {number} of {plan.run.rounds}: {label}, {plan.seconds:g} s under the sampler")
        found[label] = _sampled(record, loaded, folder, written, label)
    for cell in loaded.crew.finish().cells:
        played, label = cell.played, cell.played.cell.stack
        # Requests to a server that the sampler ended are no errors of the server's.
        errors, examples = (0, ()) if found[label].cut_short else (played.errors, played.examples)
        found[label] = dataclasses.replace(
            found[label],
            errors=errors + len(wrong[label]),
            error_example=next(iter((*wrong[label], *examples)), ""),
        )
    loaded.bench.services.check()
    return [found[label] for label in block.stacks]


def _sampled(
    record: ProfileRecord, loaded: LoadedBlocks, folder: Path, written: Path, label: str
) -> ProfileRound:
    """One stack: loaded without the sampler, then under it."""
    plan, target = record.plan, loaded.targets[label]
    cell, before = plan.block.cell(label), target.tree()
    counted = _served(loaded, Turn(cell, 0, plan.counted_s), before)
    ended_before = died(target, before)
    if not target.tree():
        assert target.child is not None  # ByLoad started it
        raise ServerFailed(
            f"stack '{label}': {ended_before} before it was sampled; its last lines:",
            detail=target.child.last_lines(),
        )
    with sampler.sampling(
        before, rate_hz=plan.rate_hz, folder=written, project=PROJECT
    ) as sampling:
        sampled = _served(loaded, Turn(cell, 1, plan.seconds), before)
    file = f"samples/{label}.r{loaded.number:02}.txt"
    store.write_stacks(folder / file, sampling.samples())
    ended = died(target, before)
    cut_short = sampler.MAY_END_PROCESSES and bool(ended) and not ended_before
    return ProfileRound(
        round=loaded.number,
        stack=label,
        samples_file=file,
        counted=counted,
        sampled=sampled,
        errors=0,
        died="" if cut_short else ended_before or ended,
        cut_short=cut_short,
    )


def _ended_too_soon(plan: ProfilePlan, of: ProfileRound, folder: Path) -> bool:
    """Whether the sampler ended a server before there were enough samples."""
    busy = of.counted.cpu_s / of.counted.seconds
    planned = plan.rate_hz * plan.seconds * busy
    return of.cut_short and (sum(store.read_stacks(folder, of).values()) < _LEAST_SAMPLED * planned)


def _served(loaded: LoadedBlocks, turn: Turn, pids: list[int]) -> Served:
    """Play a turn, and read what the processes of its stack did meanwhile."""
    switches, cpu_s = SwitchMeter(pids), sum(map(cpu_seconds, pids))
    played = loaded.crew.play(turn)
    used_s = sum(map(cpu_seconds, pids)) - cpu_s
    seconds = (played.slice.end_ns - played.slice.begin_ns) / 1e9
    return Served(played.samples, seconds, used_s, switches.switches())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
