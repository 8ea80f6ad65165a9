"""Ask the kernel to wake this thread when it asked to be woken, and not a little later.

Open load sleeps until the next request is due. By default Linux may deliver a wake-up 50 µs late,
to save power, and a thread that wakes up waits until the thread that has the core has used up its
slice of time, which is 3 to 4 ms. Both delays would become part of the latency that is reported.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_PR_SET_TIMERSLACK = 29
#: Nanoseconds by which a wake-up may be late; 0 would mean the kernel's default of 50 µs.
_SLACK_NS = 1
#: The shortest slice that Linux accepts. The scheduler prefers threads with short slices when
#: they wake up. Over time, a thread gets the same share of the core whatever its slice is, so that
#: the services on this core lose no CPU time.
_SLICE_NS = 100_000
#: The C library offers no function for these two calls: machine -> (set, get).
_SCHEDULING_CALLS = {"x86_64": (314, 315), "aarch64": (274, 275)}
#: Only these two policies share a core fairly; under others, a slice means something else.
_FAIR_POLICIES = (0, 3)  # SCHED_OTHER, SCHED_BATCH


class _Scheduling(ctypes.Structure):
    """`struct sched_attr` of the Linux kernel, in its first version."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime_ns", ctypes.c_uint64),  # the slice, since Linux 6.12; ignored before
        ("deadline_ns", ctypes.c_uint64),
        ("period_ns", ctypes.c_uint64),
    )


@contextmanager
def punctual() -> Iterator[None]:
    """Wake this thread without delay inside the block, as far as the system lets us.

    A refusal is no error: what it costs shows as schedule lag, which is measured and judged.
    """
    if sys.platform != "linux":
        yield
        return
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl(_PR_SET_TIMERSLACK, _SLACK_NS, 0, 0, 0)
    _set_slice(library, _SLICE_NS)
    try:
        yield
    finally:
        _set_slice(library, 0)  # 0 restores the kernel's own
        library.prctl(_PR_SET_TIMERSLACK, 0, 0, 0, 0)


def _set_slice(library: ctypes.CDLL, nanoseconds: int) -> None:
    """Change this thread's slice, and leave its policy and its nice value as they are."""
    calls = _SCHEDULING_CALLS.get(platform.machine())
    if calls is None:
        return
    set_call, get_call = calls
    scheduling = _Scheduling()
    size = ctypes.sizeof(scheduling)
    if library.syscall(get_call, 0, ctypes.byref(scheduling), size, 0) != 0:
        return
    if scheduling.policy in _FAIR_POLICIES:
        scheduling.runtime_ns = nanoseconds
        library.syscall(set_call, 0, ctypes.byref(scheduling), 0)
