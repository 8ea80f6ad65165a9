import signal
import threading

from hypothesis import settings

# No test judges a speed: an example may take as long as a busy machine makes it take.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")


def pytest_configure() -> None:
    """Let fixtures end what they started, by whichever signal somebody ends the tests.

    Python would leave SIGTERM to the system, which ends pytest at once, and it would ignore Ctrl-C
    where a shell started it in the background.
    """
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
