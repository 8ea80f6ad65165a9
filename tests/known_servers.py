"""Servers whose latency is known: `python -m tests.known_servers KIND`, a process for each server.

A server prints its port, answers every request with the reply that the contract promises for
GET /hello, and records by its own clock how long it took from the request to the reply. GET /log
answers these times as a JSON list of seconds.

two-humped  three quarters of the replies take about 0.2 s, one quarter about 0.8 s
stalling    answers at once, but stands still for 1 s, which begins 9 s after the first request
pausing     serves one request after the other, and stands still after every 101st. Here GET /log
            answers when it began and ended each request
queueing    keeps its core busy with each request for 2 ms, one after the other as they come: the queue
            M/D/1, where they come at random
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import deque
from typing import ClassVar, cast

from tests.socket_server import reply

HUMPS_S, FIRST_HUMP = (0.2, 0.8), 0.75
#: The stall ends so long after the first request.
STALL_END_S = 10.0
STALL_S = 1.0
PAUSING_SERVICE_S, PAUSE_EVERY, PAUSE_S = 0.001, 101, 0.05
GATHER_S = 0.005
QUEUEING_SERVICE_S = 0.002
#: What comes so soon after the last reply came before it: while a request is served, nobody looks.
_LOOKED_LATE_S = 0.0003


class TwoHumped(asyncio.Protocol):
    took_s: list[float]  # shared by all connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        received_at = time.perf_counter()
        if data.startswith(b"GET /log "):
            self._transport.write(reply(json.dumps(self.took_s).encode()))
        else:
            asyncio.get_running_loop().call_later(self.latency_s(), self._answer, received_at)

    def latency_s(self) -> float:
        return HUMPS_S[random.random() > FIRST_HUMP] * random.uniform(0.9, 1.1)

    def _answer(self, received_at: float) -> None:
        self.took_s.append(time.perf_counter() - received_at)
        self._transport.write(reply())


class Stalling(TwoHumped):
    """Stops the whole process, as a garbage collector or a full disk does."""

    stall_is_scheduled = False

    def data_received(self, data: bytes) -> None:
        if not Stalling.stall_is_scheduled:
            Stalling.stall_is_scheduled = True
            asyncio.get_running_loop().call_later(STALL_END_S - STALL_S, time.sleep, STALL_S)
        self._transport.write(reply())


class Pausing(TwoHumped):
    """Serves one request at a time, in turn; a pause is part of the request after which it comes.

    Where all users begin at once, it waits until all have come. Otherwise those who came first would
    have their second requests before the others' first: epoll names them first. How long a slice is
    would then depend on how many came first, and pauses would not come evenly at all its places.
    """

    served = 0
    waiting: ClassVar[deque[Pausing]] = deque()
    is_serving = False

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"GET /log "):
            self._transport.write(reply(json.dumps(self.took_s).encode()))
            return
        Pausing.waiting.append(self)
        if not Pausing.is_serving:
            Pausing.is_serving = True
            asyncio.get_running_loop().call_later(GATHER_S, Pausing.serve_next)

    @staticmethod
    def serve_next() -> None:
        user = Pausing.waiting.popleft()
        Pausing.served += 1
        began_at = time.perf_counter()
        time.sleep(PAUSING_SERVICE_S)
        if Pausing.served % PAUSE_EVERY == 0:
            time.sleep(PAUSE_S)
        user._transport.write(reply())
        user.took_s += [began_at, time.perf_counter()]
        Pausing.is_serving = bool(Pausing.waiting)
        if Pausing.is_serving:
            asyncio.get_running_loop().call_soon(Pausing.serve_next)


class Queueing(TwoHumped):
    """Serves one request at a time, by working; what it does beside that is part of the 2 ms."""

    free_at = 0.0
    waiting: ClassVar[deque[Queueing]] = deque()

    def data_received(self, data: bytes) -> None:
        Queueing.waiting.append(self)
        if len(Queueing.waiting) == 1:
            asyncio.get_running_loop().call_soon(Queueing.serve_next)

    @staticmethod
    def serve_next() -> None:
        now = time.perf_counter()
        waited = now - Queueing.free_at < _LOOKED_LATE_S
        Queueing.free_at = (Queueing.free_at if waited else now) + QUEUEING_SERVICE_S
        while time.perf_counter() < Queueing.free_at:
            pass
        Queueing.waiting.popleft()._transport.write(reply())
        if Queueing.waiting:
            asyncio.get_running_loop().call_soon(Queueing.serve_next)


async def main(kind: str) -> None:
    random.seed(3)
    TwoHumped.took_s = []
    protocol = {
        "two-humped": TwoHumped,
        "stalling": Stalling,
        "pausing": Pausing,
        "queueing": Queueing,
    }[kind]
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
