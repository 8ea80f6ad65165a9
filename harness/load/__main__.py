"""A load process: `python -m harness.load`, orders on stdin, answers on stdout (see block.py)."""

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
from collections.abc import Iterator  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from dataclasses import asdict  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from locust.env import Environment  # noqa: E402
from locust.util.load_locustfile import load_locustfile  # noqa: E402

from harness import store  # noqa: E402
from harness.channel.messages import Block, Played, Turn  # noqa: E402
from harness.load.users import ScenarioUser, Seat, seated  # noqa: E402
from harness.models import Slice  # noqa: E402

_SPAWN_WITHIN_S = 10.0
_answers = os.fdopen(os.dup(1), "w")


def main() -> None:
    """Play blocks until the orders end."""
    # A scenario that prints must not talk into our answers: its output goes to the log.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for order in _orders():
        try:
            _play(Block.from_json(order["block"]))
        except Exception as error:
            traceback.print_exc()
            _say("failed", message=f"{type(error).__name__}: {error}")


def _orders() -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        yield json.loads(line)


def _say(event: str, **values: Any) -> None:
    print(json.dumps({"event": event, **values}), flush=True, file=_answers)


def _play(block: Block) -> None:
    with _users(block) as seats:
        _say("seated")
        slices: defaultdict[str, list[Slice]] = defaultdict(list)
        for order in _orders():
            match order.pop("order"):
                case "slice":
                    turn = Turn(**order)
                    piece = _slice(seats[turn.stack], turn)
                    slices[turn.stack].append(piece)
                    requests = seats[turn.stack].recorder.last_slice
                    _say("slice", slice=asdict(piece), requests=requests)
                case "measure":
                    for seat in seats.values():
                        seat.forget_warmup()
                    slices.clear()
                    _say("measuring")
                case "finish":
                    _say("done", played=_write(block, seats, slices))
                    return


@contextmanager
def _users(block: Block) -> Iterator[dict[str, Seat]]:
    """One Locust user per stack, each waiting in its seat."""
    seats = {contender.label: Seat(contender.label) for contender in block.contenders}
    scenario = _scenario(block.scenario_file)
    environment = Environment(
        user_classes=[
            seated(scenario, seats[contender.label], contender.url, block)
            for contender in block.contenders
        ]
    )
    runner = environment.create_local_runner()
    runner.start(len(seats), spawn_rate=len(seats))
    try:
        with gevent.Timeout(_SPAWN_WITHIN_S):
            while any(seat.fleet is None for seat in seats.values()):
                gevent.sleep(0.005)
        yield seats
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


def _slice(seat: Seat, turn: Turn) -> Slice:
    # A collection in the middle of a slice would be measured as the server's latency.
    gc.collect(0)
    gc.disable()
    try:
        while time.perf_counter_ns() < turn.begin_ns:
            pass  # all load processes begin together; a sleep would overshoot
        return seat.play(turn.cycle, turn.seconds, turn.settle_s)
    finally:
        gc.enable()


def _write(
    block: Block, seats: dict[str, Seat], slices: dict[str, list[Slice]]
) -> list[dict[str, Any]]:
    """Samples to Parquet; what is to be said of each stack."""
    played = []
    for contender in block.contenders:
        seats[contender.label].look_back()
        recorder = seats[contender.label].recorder
        store.write_samples(Path(contender.samples_file), recorder.columns(block.origin_ns))
        played.append(
            asdict(
                Played(
                    label=contender.label,
                    requests=len(recorder),
                    errors=recorder.errors,
                    starved=recorder.starved,
                    spun_s=(recorder.spun_ns / 1e9,),
                    examples=recorder.examples,
                    slices=tuple(slices[contender.label]),
                )
            )
        )
    return played


if __name__ == "__main__":
    main()
