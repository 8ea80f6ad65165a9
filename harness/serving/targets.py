"""Targets: what is loaded, whoever started it."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from dataclasses import dataclass

from harness.checking.exchange import tls_context
from harness.models.addresses import Address
from harness.processes.children import Child

_REPLY_WITHIN_S = 5.0
#: A page that says "ready" needs less; what has no end is not read to its end.
_MOST_BYTES = 1 << 20
_FIRST_ERROR = 500


@dataclass(frozen=True, slots=True)
class Readiness:
    """The request that tells whether a target is ready, and the status of a reply that says so."""

    path: str
    status: int | None = 200  # None: any that is no error of the server's own (500 and above)
    verify_tls: bool = True

    def ask(self, url: str) -> bytes | None:
        """Send the request; return the reply's body, or None unless the target is ready.

        Where a server listens before it can answer, the request waits in its queue, so that a
        server that starts is not asked again and again.
        """
        address = Address.of(url)
        with contextlib.ExitStack() as stack:
            try:
                sock = stack.enter_context(_connected(address))
                if address.tls:
                    context = tls_context(self.verify_tls)
                    sock = context.wrap_socket(sock, server_hostname=address.host)
                    stack.enter_context(sock)
                connection = http.client.HTTPConnection(address.host, address.port)
                connection.sock = sock  # it is slow to connect where it is mostly refused
                connection.request(
                    "GET", address.prefix + self.path, headers={"connection": "close"}
                )
                reply = connection.getresponse()
                body = _beginning(reply)
            except (OSError, UnicodeError, http.client.HTTPException):
                return None
        return body if self._says_ready(reply.status) else None

    def _says_ready(self, status: int) -> bool:
        return status < _FIRST_ERROR if self.status is None else status == self.status


def _beginning(reply: http.client.HTTPResponse) -> bytes:
    """The body, or what of it comes within the time: it may have no end."""
    deadline = time.monotonic() + _REPLY_WITHIN_S
    body = b""
    while len(body) < _MOST_BYTES and time.monotonic() < deadline:
        piece = reply.read1(1 << 16)
        if not piece:
            break
        body += piece
    return body


def _connected(address: Address) -> socket.socket:
    """A connected socket.

    Raises:
        OSError: Nobody listens there; or, by chance, we were given the port and met ourselves.
    """
    sock = socket.create_connection((address.host, address.port), _REPLY_WITHIN_S)
    if sock.getsockname()[1] == address.port:
        sock.close()
        raise ConnectionRefusedError("nobody listens")
    return sock


@dataclass(frozen=True, slots=True)
class Target:
    """What is loaded: a URL that answers, and its processes if we can see them."""

    label: str
    url: str
    child: Child | None = None  # top of its process tree; None if it is not ours to meter
    ready_s: float | None = None  # from spawn to the first good reply; None if we did not start it
    first_reply: bytes = b""  # the body of that reply

    def tree(self) -> list[int]:
        """Ids of its processes that are alive; empty if it is not ours to meter."""
        return self.child.tree() if self.child is not None else []
