"""The channel to a member on this machine: pipes on its stdin and stdout.

A message is a line of JSON: `{"kind": …, "values": …, "bytes": N}`, and N bytes after it.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from typing import IO, TYPE_CHECKING, Any

from harness.channel.messages import Message
from harness.errors import BadInput, LoadFailed

if TYPE_CHECKING:
    from harness.processes.children import Child

_READ_BYTES = 1 << 20


class PipeToMember:
    """The measuring side's end: a Channel."""

    #: All processes of a machine share the clock of `time.perf_counter_ns`.
    clock_offset_ns = 0

    def __init__(self, child: Child, what: str = "the load process") -> None:
        """Talk to a child that was started with pipes; messages call it `what`."""
        self._child = child
        self._what = what
        self._unread = bytearray()

    def tell(self, order: Message) -> None:
        """Send an order.

        Raises:
            LoadFailed: The member has died.
        """
        try:
            _send(self._child.stdin, order)
        except BrokenPipeError:
            raise self._failure(f"{self._what} died") from None

    def answer(self, within_s: float) -> Message:
        """Wait for the next answer.

        Raises:
            LoadFailed: The member has died, reported a failure or sent nothing in time.
        """
        deadline = time.monotonic() + within_s
        while (end := self._unread.find(b"\n")) < 0:
            self._read(deadline)
        line = bytes(self._unread[:end])
        del self._unread[: end + 1]
        try:
            kind, values, size = _header(line)
        except (ValueError, KeyError, TypeError):
            raise self._failure(f"{self._what} said {line[:80]!r}") from None
        while len(self._unread) < size:
            self._read(deadline)
        data = bytes(self._unread[:size])
        del self._unread[:size]
        if kind == "failed" and values.get("is_input"):
            raise BadInput(str(values["message"]))
        if kind == "failed":
            raise self._failure(f"{self._what} failed: {values['message']}")
        return Message(kind, values, data)

    def _read(self, deadline: float) -> None:
        descriptor = self._child.stdout.fileno()
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not select.select([descriptor], [], [], left_s)[0]:
            raise self._failure(f"{self._what} sent nothing in time")
        data = os.read(descriptor, _READ_BYTES)
        if not data:
            raise self._failure(f"{self._what} died")
        self._unread += data

    def _failure(self, message: str) -> LoadFailed:
        return LoadFailed(f"{message}; its last lines:", detail=self._child.last_lines())


class PipeFromMember:
    """A member's end: a MemberEnd."""

    def __init__(self, orders: IO[bytes], answers: IO[bytes]) -> None:
        """Talk over two binary streams."""
        self._orders = orders
        self._answers = answers

    @classmethod
    def on_stdio(cls) -> PipeFromMember:
        """Take over stdin and stdout of this process; what it prints goes to stderr from now on.

        A scenario or an application that prints would otherwise print into our answers.
        """
        answers = os.fdopen(os.dup(1), "wb")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        return cls(sys.stdin.buffer, answers)

    def receive(self) -> Message | None:
        """Wait for the next order; None if there are no more."""
        line = self._orders.readline()
        if not line:
            return None
        kind, values, size = _header(line)
        return Message(kind, values, self._orders.read(size))

    def say(self, answer: Message) -> None:
        """Send an answer."""
        _send(self._answers, answer)


def _send(stream: IO[bytes], message: Message) -> None:
    header = {"kind": message.kind, "values": message.values, "bytes": len(message.data)}
    stream.write(json.dumps(header).encode() + b"\n")
    stream.write(message.data)
    stream.flush()


def _header(line: bytes) -> tuple[str, dict[str, Any], int]:
    """Kind, values and the number of bytes that follow."""
    header = json.loads(line)
    return header["kind"], header["values"], header["bytes"]
