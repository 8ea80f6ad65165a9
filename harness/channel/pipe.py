"""The harness's end of one load process. Nothing of Locust is imported here."""

from __future__ import annotations

import json
import os
import select
import time
from typing import Any

from harness.errors import LoadFailed
from harness.processes.children import Child


class LoadProcess:
    """Takes orders, one at a time, and answers each (see block.py)."""

    def __init__(self, child: Child, what: str = "the load process") -> None:
        """Talk to a child; messages call it `what`."""
        self.child = child
        self._what = what
        self._unread = b""

    def tell(self, order: str, **values: Any) -> None:
        """Send an order; `answer` has what comes of it."""
        try:
            self.child.stdin.write(json.dumps({"order": order, **values}) + "\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            raise self._failure(f"{self._what} died") from None

    def answer(self, seconds: float) -> dict[str, Any]:
        """What it says, within so many seconds.

        Raises:
            LoadFailed: it died, reported a failure or fell silent.
        """
        message = self._message(time.monotonic() + seconds)
        if message["event"] == "failed":
            raise self._failure(f"{self._what} failed: {message['message']}")
        return message

    def _message(self, deadline: float) -> dict[str, Any]:
        descriptor = self.child.stdout.fileno()
        while b"\n" not in self._unread:
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not select.select([descriptor], [], [], left_s)[0]:
                raise self._failure(f"{self._what} fell silent")
            data = os.read(descriptor, 1 << 16)
            if not data:
                raise self._failure(f"{self._what} died")
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        try:
            message: dict[str, Any] = json.loads(line)
        except ValueError:
            raise self._failure(f"{self._what} said {line[:80]!r}") from None
        return message

    def _failure(self, message: str) -> LoadFailed:
        return LoadFailed(f"{message}; its last lines:", detail=self.child.last_lines())
