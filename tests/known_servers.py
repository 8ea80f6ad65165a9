"""Servers whose latency is known, each a process of its own: `python -m tests.known_servers KIND`.

They print their port, answer every request with the reply that GET /hello owes, and write down
how long they took, by their own clock: from the request to the reply. GET /log answers all of it
as a JSON list of seconds.

two-humped  three quarters of the replies take about 0.2 s, one quarter about 0.8 s
stalling    answers at once, but for the last second of every ten nothing at all
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from typing import cast

from tests.socket_server import reply

HUMPS_S, FIRST_HUMP = (0.2, 0.8), 0.75
STALL_EVERY_S, STALL_S = 10.0, 1.0


class TwoHumped(asyncio.Protocol):
    took_s: list[float]  # of all connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        begun = time.perf_counter()
        if data.startswith(b"GET /log "):
            self._transport.write(reply(json.dumps(self.took_s).encode()))
        else:
            asyncio.get_running_loop().call_later(self.latency_s(), self._answer, begun)

    def latency_s(self) -> float:
        return HUMPS_S[random.random() > FIRST_HUMP] * random.uniform(0.9, 1.1)

    def _answer(self, begun: float) -> None:
        self.took_s.append(time.perf_counter() - begun)
        self._transport.write(reply())


class Stalling(TwoHumped):
    """Stops the whole process, as a garbage collector or a full disk would."""

    begun = False

    def data_received(self, data: bytes) -> None:
        if not Stalling.begun:
            Stalling.begun = True
            asyncio.get_running_loop().call_later(STALL_EVERY_S - STALL_S, time.sleep, STALL_S)
        self._transport.write(reply())


async def main(kind: str) -> None:
    random.seed(3)
    TwoHumped.took_s = []
    protocol = {"two-humped": TwoHumped, "stalling": Stalling}[kind]
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
