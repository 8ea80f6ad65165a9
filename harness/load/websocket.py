"""Messages over WebSockets: each is a text and its echo, on a connection that stays open.

The frame of a message and its expected echo are encoded beforehand. An echo that comes as one
frame and equals the expected one to the byte is recognised. Everything else (a ping, a fragment, a
close, another echo) is parsed by the `websockets` library. The client offers no extension, so that
frames are not compressed.
"""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from harness.checking.values import differing
from harness.load.connection import RECEIVE_BYTES, Awaited, Connection, Outcome, Sendable
from harness.models import Failure

if TYPE_CHECKING:
    from apps.contract import Message

#: The status of a message is that of the handshake that its connection began with.
SWITCHED = 101
_DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
_EXCERPT_BYTES = 120
#: Marks a binary message: no echo of a text begins like this.
_NO_TEXT = b"bytes, and not a text: "


class Text(Sendable):
    """One message as a masked frame, and the lengths of good echoes of it."""

    shakes_hands = True

    __slots__ = (
        "_echo_end", "_echo_start", "_host", "_path",
        "endpoint", "known", "method", "name", "payload",
    )  # fmt: skip

    def __init__(self, message: Message, host: str, endpoint: int = -1) -> None:
        self.name = message.name
        self.endpoint = endpoint
        self.method = message.method
        self.payload = Frame(Opcode.TEXT, message.text.encode()).serialize(mask=True)
        # An echo begins with the message's number, whatever its text is.
        start, _, end = message.echo(0).partition("0")
        self._echo_start, self._echo_end = start.encode(), end.encode()
        self._host, self._path = host, message.path
        #: Length of a good echo in bytes -> number of its Outcome in the caller's recorder.
        self.known: dict[int, int] = {}

    def echo(self, number: int) -> bytes:
        """Return the echo that is expected when the connection's n-th message (from 1) is this."""
        return b"%s%d%s" % (self._echo_start, number, self._echo_end)

    def connect(self, sock: socket.socket) -> WebSocket:
        """Make a connected socket a WebSocket."""
        protocol = ClientProtocol(parse_uri(f"ws://{self._host}{self._path}"))
        protocol.send_request(protocol.connect())
        seconds = sock.gettimeout()
        until = time.monotonic() + seconds if seconds is not None else None
        sock.sendall(b"".join(protocol.data_to_send()))
        while protocol.state is not OPEN and protocol.handshake_exc is None:
            if until is not None:
                sock.settimeout(max(0.001, until - time.monotonic()))
            data = sock.recv(RECEIVE_BYTES)
            protocol.receive_data(data) if data else protocol.receive_eof()
        if protocol.handshake_exc is not None:
            raise ConnectionRefusedError(str(protocol.handshake_exc))
        sock.settimeout(seconds)
        return WebSocket(sock, protocol, self._path)

    def forget(self) -> None:
        """Recognise no echo any more."""
        self.known.clear()


class WebSocket(Connection):
    """A connection after its handshake. Its messages are numbered; one is in flight at a time."""

    __slots__ = ("_due", "_pieces", "_protocol", "_seq", "_text")

    def __init__(self, sock: socket.socket, protocol: ClientProtocol, path: str) -> None:
        super().__init__(sock)
        self.request = Awaited(path)
        self._protocol = protocol
        self._seq = 0
        self._text: Text | None = None
        self._due = b""  # the expected echo
        self._pieces: list[bytes] = []  # fragments of a message that is not whole yet

    def expect(self, request: Text) -> None:
        """Expect the echo of this message, with the next number."""
        self._seq += 1
        self._text = request
        self._due = due = request.echo(self._seq)
        awaited = self.request
        awaited.name, awaited.endpoint = request.name, request.endpoint
        number = request.known.get(len(due))
        if number is None:
            awaited.known_length = -1
        else:
            awaited.known_tail = frame = text_frame(due)
            awaited.known_length = len(frame)
            awaited.known_outcome = number

    def take(self, data: bytes) -> Outcome | None:
        """Parse data that came, send what the protocol requires, judge the echo once it is whole.

        Args:
            data: empty when the server has closed the connection.
        """
        if not data:
            return self._broke(Failure.CLOSED, "connection closed by the server")
        self.partial = True
        messages = self._heard(data)
        if len(messages) > 1:
            return self._broke(Failure.MALFORMED, "more than one echo of one message")
        if not messages:
            return self._ended()
        self.partial = False
        return self._judge(messages[0])

    def _judge(self, echo: bytes) -> Outcome:
        """Compare an echo with the expected one."""
        try:
            value = json.loads(echo)
        except ValueError:
            problem = "not JSON"
        else:
            problem = next(differing(json.loads(self._due), value, "echo"), "")
        if not problem:
            return Outcome(SWITCHED, len(echo), Failure.NONE, endpoint=self.request.endpoint)
        self.broken = True  # the next echo might belong to another message
        example = f"{self.request.name}: unexpected echo {echo[:_EXCERPT_BYTES]!r}: {problem}"
        return Outcome(SWITCHED, len(echo), Failure.WRONG_BODY, example, self.request.endpoint)

    def remember(self, data: bytes, outcome: int) -> None:
        """Recognise echoes of this text that have this length from now on."""
        if self._text is not None and data == text_frame(self._due):
            self._text.known[len(self._due)] = outcome

    def take_unasked(self, data: bytes) -> Outcome | None:
        """Answer pings. A connection is meant to stay open, so that losing it is a failure."""
        if self.broken:
            return None
        if not data:
            return self._broke(Failure.CLOSED, "connection closed by the server while it was held")
        self.partial = True
        if self._heard(data):
            return self._broke(Failure.MALFORMED, "an echo that nobody waits for")
        return self._ended()

    def close(self) -> None:
        """Send a close frame, and close the socket without waiting for the answer."""
        if self._protocol.state is OPEN and not self.broken:
            self._protocol.send_close(1000)
            self._answer()
        super().close()

    def _heard(self, data: bytes) -> list[bytes]:
        """Parse data, send the answers that the protocol requires, return the whole messages."""
        self._protocol.receive_data(data)
        self._answer()
        messages = []
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode in _DATA:
                if event.opcode is Opcode.BINARY:
                    self._pieces.append(_NO_TEXT)
                self._pieces.append(bytes(event.data))
                if event.fin:
                    messages.append(b"".join(self._pieces))
                    self._pieces.clear()
        return messages

    def _ended(self) -> Outcome | None:
        """Return an outcome if the server has closed the connection or broken the protocol."""
        if self._protocol.close_rcvd is not None:
            return self._broke(Failure.CLOSED, f"closed by the server: {self._protocol.close_rcvd}")
        if self._protocol.state is not OPEN:
            return self._broke(Failure.MALFORMED, f"not WebSocket: {self._protocol.parser_exc}")
        return None

    def _answer(self) -> None:
        """Send what the protocol has ready to send."""
        data = b"".join(self._protocol.data_to_send())
        if data:
            self._write(data)


def text_frame(payload: bytes) -> bytes:
    """Return a text in one frame that is not masked, as a server sends it."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload
