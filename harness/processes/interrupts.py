"""Ctrl-C and SIGTERM as one exception, raised once and never while a process is being born."""

from __future__ import annotations

import math
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from harness.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


#: Cleaning up takes less than 5 s. Who asks again after that long is not heard because
#: something swallowed the first exception, and is to be heard now.
_DEAF_S = 6.0
_AGAIN_S = 0.5


class Interrupts:
    """Turns a signal into `Interrupted`; more of them can't disturb the cleaning up."""

    def __init__(self) -> None:
        self._holds = 0
        self._received: str | None = None
        self._raised_at = -math.inf
        self._installed = False
        self._unheard = ""

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if time.monotonic() - self._raised_at > _DEAF_S:
            self._received = signal.Signals(number).name
            self._raise_if_due()

    def _raise_if_due(self) -> None:
        if self._received and not self._holds:
            received, self._received = self._received, None
            self._raised_at = time.monotonic()
            self._raise(received)

    def _raise(self, received: str) -> None:
        if self._installed:
            self._unheard = received
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
        raise Interrupted(f"interrupted ({received})")

    def _raise_again(self, _number: int, _frame: FrameType | None) -> None:
        """Nobody acknowledged it.

        It was raised where Python drops exceptions: in the callback of a weak reference, say, of
        which an import has many.
        """
        if self._unheard and self._holds:
            self._received = self._unheard  # for when the hold ends
        elif self._unheard:
            self._raise(self._unheard)

    def acknowledge(self) -> None:
        """Whoever catches it says so; else it is raised again."""
        self._unheard = ""
        if self._installed:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def hold_for_good(self) -> None:
        """From now on, signals are too late to matter.

        Ignored by the system, not by a handler: Python takes handlers away before it ends.
        """
        self.acknowledge()
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def install(self) -> None:
        """Handle the signals from now to the end of the process.

        They are never given back: a second Ctrl-C must not cut off the cleaning up.
        """
        self._installed = True
        signal.signal(signal.SIGALRM, self._raise_again)
        for number in _SIGNALS:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # started by nohup: it is meant to go on without a terminal
            signal.signal(number, self._handle)

    def block(self) -> None:
        """Let the system keep signals back until `unblock`."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)

    def unblock(self) -> None:
        """Deliver what was kept back."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep a signal back until the block ends.

        A process that was started but not yet written down could not be stopped, and cleaning
        up that is cut off is none.
        """
        if isinstance(sys.exc_info()[1], Interrupted):  # cleaning up because of it
            self.acknowledge()
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
        self._raise_if_due()


#: The process has one set of signal handlers, hence one of these.
interrupts = Interrupts()
