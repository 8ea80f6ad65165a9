"""Ctrl-C and SIGTERM as one exception, raised once and never while a process is being born."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from harness.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Turns the first signal into `Interrupted`; later ones can't disturb the cleaning up."""

    def __init__(self) -> None:
        self._holds = 0
        self._received: str | None = None
        self._raised = False

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self._received = self._received or signal.Signals(number).name
        self._raise_if_due()

    def _raise_if_due(self) -> None:
        if self._received and not self._holds and not self._raised:
            self._raised = True
            raise Interrupted(f"interrupted ({self._received})")

    def install(self) -> None:
        """Handle the signals from now to the end of the process.

        They are never given back: a second Ctrl-C must not cut off the cleaning up.
        """
        for number in _SIGNALS:
            signal.signal(number, self._handle)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep a signal back until the block ends.

        A process that was started but not yet written down could not be stopped.
        """
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
        self._raise_if_due()


#: The process has one set of signal handlers, hence one of these.
interrupts = Interrupts()
