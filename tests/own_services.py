"""Services of somebody else's: real servers on loopback whose replies a test decides, byte by byte."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str  # as it stood in the request line
    headers: tuple[tuple[str, str], ...]
    body: bytes
    number: int  # of this request, counted from 1

    def header(self, name: str) -> str:
        return ", ".join(value for other, value in self.headers if other.lower() == name)


#: The bytes of a reply, or pieces of them.
Answer = Callable[[Asked], bytes | Iterable[bytes]]


def reply(
    body: bytes | str = b"",
    status: str = "200 OK",
    headers: Sequence[tuple[str, str]] = (),
    kind: str = "text/plain; charset=utf-8",
) -> bytes:
    """A reply with a length."""
    data = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(data)}"]
    lines += [f"Content-Type: {kind}"] if kind else []
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode() + data


def json_reply(
    value: Any,
    status: str = "200 OK",
    headers: Sequence[tuple[str, str]] = (),
    kind: str = "application/json",
) -> bytes:
    """A reply with JSON."""
    return reply(json.dumps(value), status, headers, kind)


@contextmanager
def service(
    answer: Answer, wrap: Callable[[socket.socket], socket.socket] = lambda sock: sock
) -> Iterator[str]:
    """Yield the URL of a server that replies as `answer` says, and closes after each reply."""
    counted = threading.Lock()
    count = 0

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            nonlocal count
            try:
                sock = wrap(self.request)
            except OSError:
                return  # the client does not like our certificate
            with sock:
                self._talk(sock)

        def _talk(self, sock: socket.socket) -> None:
            try:
                sock.settimeout(20)
                asked = self._read(sock)
                if asked is None:
                    return
                answered = answer(asked)
                for piece in [answered] if isinstance(answered, bytes) else answered:
                    sock.sendall(piece)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(65536):  # or else the system would reset the connection
                    pass
            except OSError:
                return  # the client went away

        def _read(self, sock: socket.socket) -> Asked | None:
            nonlocal count
            data = b""
            while b"\r\n\r\n" not in data:
                more = sock.recv(65536)
                if not more:
                    return None  # it only wanted to know whether somebody listens
                data += more
            head, _, body = data.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            method, path, _ = first.split(" ")
            pairs = [line.partition(":") for line in lines]
            headers = tuple((name, value.strip()) for name, _, value in pairs)
            length = next((int(v) for name, v in headers if name.lower() == "content-length"), 0)
            while len(body) < length:
                body += sock.recv(65536)
            with counted:
                count += 1
                number = count
            return Asked(method, path, headers, body, number)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 100

        def handle_error(self, *_: object) -> None:
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            serving.join()


def routes(known: dict[str, bytes | Callable[[Asked], bytes]]) -> Answer:
    """Replies by "GET /path"; anything else is a 404 of plain text."""

    def answer(asked: Asked) -> bytes:
        found = known.get(f"{asked.method} {asked.path}", reply("nothing here", "404 Not Found"))
        return found if isinstance(found, bytes) else found(asked)

    return answer
