"""The load process: `python -m harness.load`, orders on stdin, answers on stdout."""

from __future__ import annotations

import gevent.monkey

gevent.monkey.patch_all()  # before anything else is imported, as Locust wants it

import gc  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import traceback  # noqa: E402
from dataclasses import asdict  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from locust.env import Environment  # noqa: E402
from locust.util.load_locustfile import load_locustfile  # noqa: E402

from harness import store  # noqa: E402
from harness.load.block import Block, Played  # noqa: E402
from harness.load.users import ScenarioUser, Seat, seated  # noqa: E402
from harness.models import Slice  # noqa: E402

_SPAWN_WITHIN_S = 10.0


class _Tally:
    """One stack's slices and what they cost the load process."""

    def __init__(self) -> None:
        self.slices: list[Slice] = []
        self.cpu_ns = 0

    @property
    def wall_ns(self) -> int:
        return sum(piece.end_ns - piece.begin_ns for piece in self.slices)


def main() -> None:
    """Play blocks until the orders end."""
    for line in sys.stdin:
        try:
            _play(Block.from_json(json.loads(line)))
        except Exception as error:
            traceback.print_exc()
            _say("failed", message=f"{type(error).__name__}: {error}")


def _say(event: str, **values: Any) -> None:
    print(json.dumps({"event": event, **values}), flush=True)


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
        if sys.stdin.readline().strip() != "go":
            return
        _measure(block, seats)
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


def _measure(block: Block, seats: dict[str, Seat]) -> None:
    tallies = {label: _Tally() for label in seats}
    # A collection in the middle of a slice would be measured as the server's latency.
    gc.collect()
    gc.disable()
    try:
        for cycle, turn in enumerate(block.turns):
            for label in turn:
                tally, seat = tallies[label], seats[label]
                cpu_ns = time.process_time_ns()
                piece = seat.play(cycle, block.slice_s, block.settle_s)
                tally.cpu_ns += time.process_time_ns() - cpu_ns
                tally.slices.append(piece)
                requests = seat.recorder.last_slice
                seconds = (piece.end_ns - piece.begin_ns) / 1e9
                _say("slice", stack=label, cycle=cycle, rps=requests / seconds)
    finally:
        gc.enable()
    _say("measured")
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
                load_cpu_s=tally.cpu_ns / 1e9,
                wall_s=tally.wall_ns / 1e9,
            )
        )
    _say("done", played=[asdict(item) for item in played])


if __name__ == "__main__":
    main()
