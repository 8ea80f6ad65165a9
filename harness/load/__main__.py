"""The load process: `python -m harness.load`, orders on stdin, answers on stdout."""

from __future__ import annotations

import gevent.monkey

gevent.monkey.patch_all()  # before anything else is imported, as Locust wants it

import gc  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import traceback  # noqa: E402
from collections import defaultdict  # noqa: E402
from dataclasses import asdict  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from locust.env import Environment  # noqa: E402
from locust.util.load_locustfile import load_locustfile  # noqa: E402

from harness import meter, store  # noqa: E402
from harness.load.block import Block, Metered, Played  # noqa: E402
from harness.load.users import ScenarioUser, Seat, seated  # noqa: E402
from harness.models import Slice  # noqa: E402

_SPAWN_WITHIN_S = 10.0
# Roles beside the stacks; no stack's label begins with a space.
POSTGRES, UPSTREAM, LOAD = " postgres", " upstream", " load"
_answers = os.fdopen(os.dup(1), "w")


class _Meter:
    """CPU clocks of everything that takes part, read between slices."""

    def __init__(self, metered: Metered) -> None:
        self._pids = {
            **metered.stacks,
            POSTGRES: metered.postgres,
            UPSTREAM: metered.upstream,
            LOAD: [os.getpid()],
        }

    def read(self) -> dict[str, float]:
        """Role or stack -> CPU seconds so far."""
        return {
            role: sum(meter.cpu_seconds(pid) for pid in pids) for role, pids in self._pids.items()
        }


class _Tally:
    """One stack's slices, and what everybody used in them."""

    def __init__(self) -> None:
        self.slices: list[Slice] = []
        self.cpu_s: defaultdict[str, float] = defaultdict(float)

    def add(self, piece: Slice, before: dict[str, float], after: dict[str, float]) -> None:
        """One slice more."""
        self.slices.append(piece)
        for role, seconds in after.items():
            self.cpu_s[role] += seconds - before[role]

    @property
    def wall_s(self) -> float:
        return sum(piece.end_ns - piece.begin_ns for piece in self.slices) / 1e9


def main() -> None:
    """Play blocks until the orders end."""
    # A scenario that prints must not talk into our answers: its output goes to the log.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin:
        try:
            _play(Block.from_json(json.loads(line)))
        except Exception as error:
            traceback.print_exc()
            _say("failed", message=f"{type(error).__name__}: {error}")


def _say(event: str, **values: Any) -> None:
    print(json.dumps({"event": event, **values}), flush=True, file=_answers)


def _play(block: Block) -> None:
    seats = {
        contender.label: Seat(
            contender.label, block.users, block.drain_s, f"{block.seed} {contender.label}"
        )
        for contender in block.contenders
    }
    scenario = _scenario(block.scenario_file)
    origin_ns = time.perf_counter_ns()
    environment = Environment(
        user_classes=[
            seated(scenario, seats[contender.label], contender.url, origin_ns)
            for contender in block.contenders
        ]
    )
    runner = environment.create_local_runner()
    runner.start(len(seats), spawn_rate=len(seats))
    try:
        with gevent.Timeout(_SPAWN_WITHIN_S):
            while any(seat.fleet is None for seat in seats.values()):
                gevent.sleep(0.005)
        for seat in seats.values():
            seat.play(0, block.warmup_s, 0.0)
            seat.forget_warmup()
        _say("warm")
        line = sys.stdin.readline()
        if line:
            _measure(block, seats, _Meter(Metered(**json.loads(line))))
    finally:
        for seat in seats.values():
            if seat.fleet is not None:
                seat.fleet.close()
        runner.quit()


def _scenario(file: str) -> type[ScenarioUser]:
    """The one user class of a scenario file."""
    classes = load_locustfile(file)[0]
    found = [user for user in classes.values() if issubclass(user, ScenarioUser)]
    if len(found) != 1:
        raise ValueError(f"{file}: needs exactly one subclass of ScenarioUser, has {len(found)}")
    return found[0]


def _measure(block: Block, seats: dict[str, Seat], clocks: _Meter) -> None:
    tallies = {label: _Tally() for label in seats}
    # A collection in the middle of a slice would be measured as the server's latency.
    gc.collect()
    gc.disable()
    try:
        first = clocks.read()
        begun = time.perf_counter()
        for cycle, turn in enumerate(block.turns):
            for label in turn:
                seat = seats[label]
                before = clocks.read()
                piece = seat.play(cycle, block.slice_s, block.settle_s)
                tallies[label].add(piece, before, clocks.read())
                seconds = (piece.end_ns - piece.begin_ns) / 1e9
                _say("slice", stack=label, cycle=cycle, rps=seat.recorder.last_slice / seconds)
        wall_s = time.perf_counter() - begun
        last = clocks.read()
    finally:
        gc.enable()
    played = []
    for contender in block.contenders:
        tally, recorder = tallies[contender.label], seats[contender.label].recorder
        store.write_samples(Path(contender.samples_file), recorder.columns())
        played.append(
            Played(
                label=contender.label,
                requests=len(recorder),
                errors=recorder.errors,
                examples=recorder.examples,
                slices=tuple(tally.slices),
                server_cpu_s=tally.cpu_s[contender.label],
                load_cpu_s=tally.cpu_s[LOAD],
                postgres_cpu_s=tally.cpu_s[POSTGRES],
                upstream_cpu_s=tally.cpu_s[UPSTREAM],
                wall_s=tally.wall_s,
            )
        )
    _say(
        "done",
        played=[asdict(item) for item in played],
        wall_s=wall_s,
        idle_core_share=_idle_shares(tallies, first, last, wall_s),
    )


def _idle_shares(
    tallies: dict[str, _Tally], first: dict[str, float], last: dict[str, float], wall_s: float
) -> dict[str, float]:
    """Per stack: the share of a core that it used while it did not have its turn."""
    shares = {}
    for label in last.keys() - {POSTGRES, UPSTREAM, LOAD}:
        own = tallies.get(label, _Tally())
        idle_s = wall_s - own.wall_s
        if idle_s > 0:
            shares[label] = max(0.0, last[label] - first[label] - own.cpu_s[label]) / idle_s
    return shares


if __name__ == "__main__":
    main()
