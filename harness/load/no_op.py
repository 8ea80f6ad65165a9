"""A server that does nothing: what the load side reaches against it is the load side's own limit.

`python -m harness.load.no_op` prints its port. It answers every request with the reply that the
contract promises to GET /hello, without looking at it: bytes in, bytes out, on uvloop.
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
    """One connection. Requests have no body, and come one at a time or several at once."""

    _REPLY = _reply()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready to answer."""
        self._write = cast("asyncio.WriteTransport", transport).write

    def data_received(self, data: bytes) -> None:
        """One reply for every request that ends here."""
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
