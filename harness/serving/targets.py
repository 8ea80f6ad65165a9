"""Targets: what is loaded, whoever started it."""

from __future__ import annotations

import http.client
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from harness.processes.children import Child

_REPLY_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Readiness:
    """The request that tells whether a target is ready, and the status of a reply that says so."""

    path: str
    status: int = 200

    def ask(self, url: str) -> bytes | None:
        """Send the request; return the reply's body, or None unless the target is ready.

        Where a server listens before it can answer, the request waits in its queue, so that a
        server that starts is not asked again and again.
        """
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
            sock.settimeout(_REPLY_WITHIN_S)
            if sock.connect_ex((host, port)) or sock.getsockname()[1] == port:
                return (
                    None  # nobody listens; or, by chance, we were given the port and met ourselves
                )
            connection = http.client.HTTPConnection(host, port)
            connection.sock = sock  # HTTPConnection is slow to connect where it is mostly refused
            try:
                connection.request("GET", self.path, headers={"connection": "close"})
                reply = connection.getresponse()
                body = reply.read()
            except (OSError, http.client.HTTPException):
                return None
        return body if reply.status == self.status else None


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
