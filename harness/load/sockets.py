"""Sockets to a server, with TLS or without, for a loop that waits for many of them."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl

from gevent import monkey

from harness.checking.exchange import tls_context
from harness.models.addresses import Address

#: Locust has replaced `socket` by the time this runs; this is the system's own.
_socket = monkey.get_original("socket", "socket")
_ANSWERS_WITHIN_S = 2.0


def _place_of(address: Address) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """The family and the place that a host stands for, so that no request asks for it again.

    Of several, it is the first at which somebody listens: localhost may be ::1 and 127.0.0.1.

    Raises:
        OSError: There is no such host.
    """
    found = [
        (family, (str(place[0]), int(place[1])))
        for family, _, _, _, place in socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM
        )
    ]
    return next(filter(_answers, found), found[0]) if len(found) > 1 else found[0]


def _answers(where: tuple[socket.AddressFamily, tuple[str, int]]) -> bool:
    family, place = where
    with _socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(_ANSWERS_WITHIN_S)
        return not sock.connect_ex(place)


def _is_connected(sock: socket.socket) -> bool:
    """Whether there is a peer; on this machine, there mostly is as soon as one begins to connect."""
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


class TlsSocket:
    """TLS over a connected socket, for a loop that waits until the socket can be read.

    The TLS is in memory (`ssl.SSLObject`) and the socket stays a plain one, so that a socket that does
    not block says so for the reply, and not for a record of TLS.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, host: str) -> None:
        """Shake hands; the socket blocks, with a time-out.

        Raises:
            OSError: The server speaks no TLS, its certificate does not hold, or it takes too long.
        """
        self._sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                data = sock.recv(1 << 16)
                if not data:
                    raise ConnectionError("closed in the handshake of TLS") from None
                self._incoming.write(data)
                continue
            except ssl.SSLError:
                with contextlib.suppress(OSError):  # the alert, which tells the server why
                    self._flush()
                raise
            break
        self._flush()

    def recv(self, size: int) -> bytes:
        """What has come; empty if the server has closed.

        Raises:
            BlockingIOError: What has come is no whole record yet.
            OSError: What has come is no TLS.
        """
        data = self._sock.recv(size)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        pieces: list[bytes] = []
        try:
            while piece := self._tls.read(size):
                pieces.append(piece)
        except ssl.SSLWantReadError:
            self._flush()  # a change of keys is answered
            if not pieces:
                raise BlockingIOError from None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b"".join(pieces)
        return b"".join(pieces)

    def send(self, data: bytes) -> int:
        """Send all of it."""
        self._tls.write(data)
        self._flush()
        return len(data)

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        self.send(data)

    def _flush(self) -> None:
        data = self._outgoing.read()
        if not data:
            return
        waits = self._sock.gettimeout()
        if waits == 0:
            self._sock.setblocking(True)
        try:
            self._sock.sendall(data)
        finally:
            if waits == 0:
                self._sock.setblocking(False)

    def fileno(self) -> int:
        """The descriptor of the socket."""
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:
        """Whether to wait in `recv`."""
        self._sock.setblocking(flag)

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()


class Opener:
    """Opens connections to one server."""

    def __init__(self, base_url: str, *, verify_tls: bool = True) -> None:
        self.address = Address.of(base_url)
        self._context = tls_context(verify_tls) if self.address.tls else None
        self._place: tuple[socket.AddressFamily, tuple[str, int]] | None = None

    def begin(self) -> tuple[socket.socket, bool]:
        """Begin to connect a socket without TLS, which does not block; whether it is connected already.

        A server whose queue of connections is full answers after a second or later. Whoever waited for
        that would keep all other connections waiting too.

        Raises:
            OSError: The server refuses.
        """
        family, place = self._where()
        sock: socket.socket = _socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            code = sock.connect_ex(place)
            if code == errno.EINPROGRESS:  # on this machine, a refusal is there at once
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or code
            if code not in {0, errno.EINPROGRESS}:
                raise OSError(code, os.strerror(code))
            return sock, _is_connected(sock)
        except BaseException:
            sock.close()
            raise

    def _where(self) -> tuple[socket.AddressFamily, tuple[str, int]]:
        if self._place is None:
            self._place = _place_of(self.address)
        return self._place

    def open(self, within_s: float) -> socket.socket:
        """Connect a socket, which blocks.

        Raises:
            OSError: The server refuses, or does not answer in time.
        """
        family, place = self._where()
        sock: socket.socket = _socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(within_s)
            sock.connect(place)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is None:
                return sock
            # It is used as a socket is, by those who send and receive.
            return TlsSocket(sock, self._context, self.address.host)  # type: ignore[return-value]
        except BaseException:
            sock.close()
            raise
