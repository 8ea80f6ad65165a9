"""Turns Ctrl-C and SIGTERM into an exception, raised once and never while a process starts."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

from harness.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

#: Cleaning up takes less than 5 s. If a signal comes later than that, something has swallowed the
#: first exception, so that the signal must raise another.
_IGNORED_WITHIN_S = 6.0
_RAISE_AGAIN_AFTER_S = 0.5

T = TypeVar("T")


class Interrupts:
    """Turns a signal into `Interrupted`; further signals can't disturb the cleaning up."""

    def __init__(self) -> None:
        self._holds = 0
        self._received: str | None = None
        self._raised_at = -math.inf
        self._installed = False
        self._unacknowledged = ""
        self._signal = ""  # that was raised last

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if time.monotonic() - self._raised_at > _IGNORED_WITHIN_S:
            self._received = signal.Signals(number).name
            self._raise_if_due()

    def _raise_if_due(self) -> None:
        if self._received and not self._holds:
            received, self._received = self._received, None
            self._raised_at = time.monotonic()
            self._raise(received)

    def _raise(self, received: str) -> None:
        self._signal = self._unacknowledged = received
        if self._installed:
            signal.setitimer(signal.ITIMER_REAL, _RAISE_AGAIN_AFTER_S)
        raise Interrupted(f"interrupted ({received})")

    def _raise_again(self, _number: int, _frame: FrameType | None) -> None:
        """Raise an exception again that nobody has acknowledged.

        The first was raised where Python drops exceptions, such as in the callback of a weak
        reference, of which an import has many.
        """
        if self._unacknowledged and self._holds:
            self._received = self._unacknowledged  # raised when the last hold ends
        elif self._unacknowledged:
            self._raise(self._unacknowledged)

    def acknowledge(self) -> None:
        """Say that the exception was caught; otherwise it is raised again."""
        self._unacknowledged = ""
        if self._installed:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def hold_for_good(self) -> None:
        """Ignore signals from now on, because the process is about to end.

        The system ignores them, not a handler: Python removes handlers before it ends.
        """
        self.acknowledge()
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def install(self) -> None:
        """Handle signals until the process ends.

        The handlers stay in place: a second Ctrl-C must not interrupt the cleaning up.
        """
        self._installed = True
        sys.unraisablehook = _show_unless_interrupted
        signal.signal(signal.SIGALRM, self._raise_again)
        for number in _SIGNALS:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # nohup started us: we must go on without a terminal
            signal.signal(number, self._handle)

    def handled_during(self, work: Callable[[], T]) -> T:
        """Handle signals while `work` runs in a process that is not ours, and then give them back.

        A signal raises `Interrupted` in `work`, as in a command. Once everything is cleaned up, the
        caller's own handler gets the signal: Ctrl-C becomes a KeyboardInterrupt, and SIGTERM ends the
        process if that is what it did before. Timers and hooks stay the caller's all the time. Python
        delivers signals to the main thread alone, so that there is nothing to do in others.

        It is no context manager, because a signal could get lost where one is left.
        """
        if self._installed or threading.current_thread() is not threading.main_thread():
            return work()
        before: dict[signal.Signals, Any] = {}
        self._signal = ""
        try:
            for number in _SIGNALS:
                handler = signal.getsignal(number)
                if handler not in (signal.SIG_IGN, None):  # None: it is not one of Python's
                    before[number] = handler
                    signal.signal(number, self._handle)
            return work()
        finally:
            self._holds += 1  # from here on, a signal is only noted
            for number, handler in before.items():
                signal.signal(number, handler)
            self._holds -= 1
            received = self._signal or self._received
            self._received, self._unacknowledged, self._raised_at = None, "", -math.inf
            if received:
                _hand_over(received)

    def raise_dropped(self) -> None:
        """Raise an exception again that Python has dropped; the timer of `install` does so by itself."""
        if self._unacknowledged and not self._holds:
            self._raise(self._unacknowledged)

    def block(self) -> None:
        """Let the system keep signals until `unblock` is called."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)

    def unblock(self) -> None:
        """Deliver the signals that the system has kept."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Delay signals until the block ends.

        An interrupt between the start of a process and its entry in our list would leave a process
        that nobody stops; and an interrupted clean-up leaves something behind.
        """
        if isinstance(sys.exc_info()[1], Interrupted):  # this block cleans up after it
            self.acknowledge()
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
        self._raise_if_due()


def _show_unless_interrupted(dropped: sys.UnraisableHookArgs) -> None:
    """Print an exception that Python drops; an interrupt is raised again, so it needs no words."""
    if not isinstance(dropped.exc_value, Interrupted):
        sys.__unraisablehook__(dropped)


def _hand_over(received: str) -> None:
    """Have the caller's handler do what it does; whatever that is, what was interrupted has no result."""
    interrupted = sys.exc_info()[1]
    ended = KeyboardInterrupt()
    try:
        signal.raise_signal(signal.Signals[received])
    except KeyboardInterrupt as error:
        ended = error
    for note in getattr(interrupted, "__notes__", ()):
        ended.add_note(note)
    raise ended from None


#: A process has one set of signal handlers, so it has one object that owns them.
interrupts = Interrupts()
