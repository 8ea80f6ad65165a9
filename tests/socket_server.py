"""A server that answers as a test tells it to, byte by byte."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

GOOD_BODY = b'{"message":"Hello, World!"}'


def reply(body: bytes = GOOD_BODY, status: str = "200 OK", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {size}\r\n\r\n"
    return head.encode() + body


Answer = Callable[[socket.socket], bool]  # False: close the connection


def says(data: bytes, *, delay_s: float = 0.0, keep: bool = True) -> Answer:
    def answer(sock: socket.socket) -> bool:
        time.sleep(delay_s)
        sock.sendall(data)
        return keep

    return answer


def drips(data: bytes, *, every_s: float) -> Answer:
    """One byte at a time."""

    def answer(sock: socket.socket) -> bool:
        for byte in data:
            sock.sendall(bytes([byte]))
            time.sleep(every_s)
        return True

    return answer


def in_pieces(data: bytes, at: int) -> Answer:
    def answer(sock: socket.socket) -> bool:
        sock.sendall(data[:at])
        time.sleep(0.002)
        sock.sendall(data[at:])
        return True

    return answer


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Yield the URL of a server that answers every request in this way."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    over = threading.Event()
    threads = []

    def talk(sock: socket.socket) -> None:
        with sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(5)
            try:
                while sock.recv(65536):
                    if not answer(sock):
                        return
            except OSError:
                return  # the client has gone, as clients do

    def accept() -> None:
        while not over.is_set():
            try:
                sock, _ = listener.accept()
            except TimeoutError:
                continue
            threads.append(threading.Thread(target=talk, args=(sock,), daemon=True))
            threads[-1].start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        accepting.join()
        listener.close()
