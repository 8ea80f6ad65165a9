"""A server that does nothing, so that a test against it shows the limits of the load process.

`python -m harness.load.no_op` prints its port. The server runs on uvloop and answers every request
with the reply that the contract promises to GET /hello, without parsing the request.
"""

from __future__ import annotations

import asyncio
import json
import socket
from typing import cast

import uvloop

from apps import contract

HEAD_END = b"\r\n\r\n"
_BACKLOG = 16_384


def _reply() -> bytes:
    body = json.dumps(contract.hello().json, separators=(",", ":")).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    return head.encode() + HEAD_END + body


class NoOp(asyncio.Protocol):
    """One connection. Requests have no body; one or several of them may come at once."""

    _REPLY = _reply()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the function that writes to the client."""
        self._write = cast("asyncio.WriteTransport", transport).write

    def data_received(self, data: bytes) -> None:
        """Send one reply for every request that ends in this data."""
        self._write(
            self._REPLY if data.count(HEAD_END) == 1 else self._REPLY * data.count(HEAD_END)
        )


async def _serve() -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(_BACKLOG)
    server = await asyncio.get_running_loop().create_server(NoOp, sock=listener, backlog=_BACKLOG)
    print(listener.getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve())
