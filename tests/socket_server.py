"""A server whose answers a test decides, byte by byte."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.load.fleet import Fleet

#: A key and a certificate for localhost and 127.0.0.1, which nobody trusts.
TLS = Path(__file__).parent / "tls" / "localhost.pem"
GOOD_BODY = b'{"message":"Hello, World!"}'


def reply(body: bytes = GOOD_BODY, status: str = "200 OK", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {size}\r\n\r\n"
    return head.encode() + body


#: Answers one request; returns whether the connection stays open.
Answer = Callable[[socket.socket], bool]


def says(data: bytes, *, delay_s: float = 0.0, keep: bool = True) -> Answer:
    """Answer with these bytes, all at once."""

    def answer(sock: socket.socket) -> bool:
        time.sleep(delay_s)
        sock.sendall(data)
        return keep

    return answer


def drips(data: bytes, *, every_s: float) -> Answer:
    """Answer with these bytes, one at a time."""

    def answer(sock: socket.socket) -> bool:
        for byte in data:
            sock.sendall(bytes([byte]))
            time.sleep(every_s)
        return True

    return answer


def in_pieces(data: bytes, at: int) -> Answer:
    """Answer with these bytes in two pieces, cut at a position."""

    def answer(sock: socket.socket) -> bool:
        sock.sendall(data[:at])
        time.sleep(0.002)
        sock.sendall(data[at:])
        return True

    return answer


def tls_context() -> ssl.SSLContext:
    """What a server with that certificate speaks TLS by."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS)
    return context


@contextmanager
def serving(answer: Answer, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Yield the URL of a server that gives this answer to every request; with TLS if it has a context."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    stopped = threading.Event()
    threads = []

    def talk(plain: socket.socket) -> None:
        with plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.settimeout(60)
            try:
                with context.wrap_socket(plain, server_side=True) if context else plain as sock:
                    while sock.recv(65536):
                        if not answer(sock):
                            return
            except OSError:
                return  # the client closed the connection, or does not trust us

    def accept() -> None:
        while not stopped.is_set():
            try:
                sock, _ = listener.accept()
            except TimeoutError:
                continue
            threads.append(threading.Thread(target=talk, args=(sock,), daemon=True))
            threads[-1].start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        base = "https://localhost" if context else "http://127.0.0.1"
        yield f"{base}:{listener.getsockname()[1]}"
    finally:
        stopped.set()
        accepting.join()
        listener.close()


@contextmanager
def nobody_listening() -> Iterator[str]:
    """Yield a URL whose port stays taken, and refuses every connection.

    Another process might come to listen on a port that is merely free.
    """
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def await_something_to_read(fleet: Fleet, connections: int = 1) -> None:
    """Wait until so many connections of a fleet have something to read."""
    socks = [connection.sock for connection in fleet._connections.values()]
    deadline = time.monotonic() + 60
    while len(select.select(socks, [], [], 1)[0]) < connections:
        assert time.monotonic() < deadline
        time.sleep(0.001)
