"""Lets a Python process say which code it runs, each time it has used some more CPU time, while it is asked to.

Python imports a module of this name when it starts (sampler.environment leads it here). The kernel sends
SIGPROF to the thread that uses the CPU time. The handler is faulthandler's: it is C, needs no GIL, and
appends that thread's stack to a file. So code counts for the CPU time that it takes, whether the
interpreter runs it, or a compiled function that let go of the GIL, or the kernel.
"""

import _thread
import faulthandler
import os
import signal
import struct

_FOLDER = os.environ["TWINBENCH_SAMPLES"]


def _listen(requests: int) -> None:
    """Set the timer to as many seconds as are asked for; 0 stops it."""
    while message := os.read(requests, 8):
        (interval_s,) = struct.unpack("d", message)
        signal.setitimer(signal.ITIMER_PROF, interval_s, interval_s)


def _begin() -> None:
    """Be ready to be asked. Timer and threads don't survive a fork, so children do it again."""
    mine = f"{_FOLDER}/{os.getpid()}"
    output = os.open(f"{mine}.stacks", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    faulthandler.register(signal.SIGPROF, output, all_threads=False)
    os.mkfifo(f"{mine}.requests")
    # For writing too, or it would be at its end when the first who wrote has closed it.
    requests = os.open(f"{mine}.requests", os.O_RDWR)
    # No threading.Thread: nobody waits for it at the end, and no server counts it.
    _thread.start_new_thread(_listen, (requests,))


os.register_at_fork(after_in_child=_begin)
_begin()
