"""A load process: `python -m harness.load` takes orders on stdin and answers on stdout.

channel/messages.py has the table of orders and answers.
"""

from __future__ import annotations

import gevent.monkey

gevent.monkey.patch_all()  # Locust wants this before anything else is imported

import gc  # noqa: E402
import time  # noqa: E402
from collections import defaultdict  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from contextlib import chdir, contextmanager  # noqa: E402
from pathlib import Path  # noqa: E402

import gevent  # noqa: E402
from locust import User  # noqa: E402
from locust.env import Environment  # noqa: E402
from locust.util.load_locustfile import load_locustfile  # noqa: E402

from harness.channel.messages import Block, Played, Turn, share_of  # noqa: E402
from harness.channel.pipe import PipeFromMember  # noqa: E402
from harness.channel.samples import Columns  # noqa: E402
from harness.load.locustfile import LocustfileUsers  # noqa: E402
from harness.load.member import serve  # noqa: E402
from harness.load.users import ScenarioUser, Seat, seated, seated_with_own  # noqa: E402
from harness.models import CellKey, Slice  # noqa: E402

_SPAWN_WITHIN_S = 10.0


def main() -> None:
    """Play blocks until there are no more orders."""
    serve(PipeFromMember.on_stdio(), _seat)


@contextmanager
def _seat(block: Block) -> Iterator[LoadPlayer]:
    """Start one Locust user per cell; each waits in its seat until the block is over."""
    if block.locustfile:
        with _seat_locustfile(block) as player:
            yield player
        return
    seats = {contender.cell: Seat() for contender in block.contenders}
    environment = Environment(user_classes=_user_classes(block, seats))
    runner = environment.create_local_runner()
    runner.start(len(seats), spawn_rate=len(seats))
    try:
        with gevent.Timeout(_SPAWN_WITHIN_S):
            while any(seat.fleet is None for seat in seats.values()):
                gevent.sleep(0.005)
        yield LoadPlayer(seats, block.origin_ns)
    finally:
        for seat in seats.values():
            if seat.fleet is not None:
                seat.fleet.close()
        runner.quit()


def _user_classes(block: Block, seats: dict[CellKey, Seat]) -> list[type[User]]:
    """A class for each cell."""
    if not block.scenario_file:
        return [seated_with_own(seats[each.cell], each, block) for each in block.contenders]
    scenario = _scenario(block.scenario_file)
    return [seated(scenario, seats[each.cell], each, block) for each in block.contenders]


@contextmanager
def _seat_locustfile(block: Block) -> Iterator[LoadPlayer]:
    """Start the users of a locustfile, once for each cell; they stand still between their turns."""
    seats: dict[CellKey, Seat] = {}
    taking_turns = []
    # Such files open their data by names relative to the folder in which Locust is called.
    with chdir(Path(block.locustfile).parent):
        try:
            for contender in block.contenders:
                seat = seats[contender.cell] = Seat()
                seat.fleet = LocustfileUsers(
                    block.locustfile,
                    contender.url,
                    share_of(contender.load.users, block.part, block.parts),
                    timeout_s=block.timeout_s,
                    seed=f"{block.seed} {block.part}",  # the users of all stacks begin alike
                    origin_ns=block.origin_ns,
                    verify_tls=contender.verify_tls,
                )
                taking_turns.append(gevent.spawn(seat.take_turns))
            yield LoadPlayer(seats, block.origin_ns)
        finally:
            gevent.killall(taking_turns)
            for seat in seats.values():
                if seat.fleet is not None:
                    seat.fleet.close()


def _scenario(file: str) -> type[ScenarioUser]:
    """The one user class of a scenario file."""
    classes = load_locustfile(file)[0]
    found = [user for user in classes.values() if issubclass(user, ScenarioUser)]
    if len(found) != 1:
        raise ValueError(f"{file}: needs exactly one subclass of ScenarioUser, has {len(found)}")
    return found[0]


class LoadPlayer:
    """Plays slices by letting one user after the other load its stack."""

    def __init__(self, seats: dict[CellKey, Seat], origin_ns: int) -> None:
        self._seats = seats
        self._origin_ns = origin_ns
        self._slices: defaultdict[CellKey, list[Slice]] = defaultdict(list)

    def play(self, turn: Turn) -> tuple[Slice, int]:
        """Let the cell's user load its stack for one slice."""
        seat = self._seats[turn.cell]
        # A collection in the middle of a slice would be measured as the server's latency.
        gc.collect(0)
        gc.disable()
        try:
            if turn.begin_ns is not None:
                spun_from_ns = time.thread_time_ns()
                while time.perf_counter_ns() < turn.begin_ns:
                    pass  # all members begin together; a sleep would overshoot
                seat.recorder.spun_ns += time.thread_time_ns() - spun_from_ns
            played = seat.play(turn)
        finally:
            gc.enable()
        self._slices[turn.cell].append(played)
        return played, seat.recorder.last_slice

    def samples_of_slice(self, cell: CellKey) -> Columns:
        """The samples of the slice that a cell played last."""
        return self._seats[cell].recorder.columns_of_slice(self._origin_ns)

    def forget_warmup(self) -> None:
        """Drop what was recorded; connections stay open."""
        for seat in self._seats.values():
            seat.forget_warmup()
        self._slices.clear()

    def results(self) -> Iterator[tuple[Played, Columns]]:
        """Every cell with its samples."""
        for cell, seat in self._seats.items():
            seat.look_back()
            recorder = seat.recorder
            played = Played(
                cell=cell,
                requests=len(recorder),
                errors=recorder.errors,
                starved=recorder.starved,
                spun_s=(recorder.spun_ns / 1e9,),
                examples=recorder.examples,
                slices=tuple(self._slices[cell]),
                endpoints=tuple(getattr(seat.fleet, "endpoints", ())),
            )
            yield played, recorder.columns(self._origin_ns)


if __name__ == "__main__":
    main()
