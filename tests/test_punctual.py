"""The kernel is asked for prompt wake-ups while open load is sent, and only then."""

import ctypes
import os
import platform
import sys

import pytest

from harness.load.punctual import punctual

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in {"x86_64", "aarch64"},
    reason="only Linux has the two calls, and the number of one is known for these two machines only",
)
_PR_GET_TIMERSLACK = 30
_SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}
_LIBRARY = ctypes.CDLL(None, use_errno=True)


def timer_slack_ns() -> int:
    return int(_LIBRARY.prctl(_PR_GET_TIMERSLACK, 0, 0, 0, 0))


def slice_ns() -> int:
    """The thread's slice as the kernel reports it; kernels before 6.12 report 0."""
    buffer = (ctypes.c_uint64 * 6)()
    call = _SCHED_GETATTR[platform.machine()]
    assert _LIBRARY.syscall(call, 0, buffer, ctypes.sizeof(buffer), 0) == 0
    return int(buffer[3])


def test_wake_ups_are_prompt_inside_the_block_and_as_before_after_it() -> None:
    before = timer_slack_ns(), slice_ns()
    with punctual():
        assert timer_slack_ns() == 1
        assert slice_ns() in {0, 100_000}
    assert (timer_slack_ns(), slice_ns()) == before


def test_policy_and_nice_value_stay_as_they_are() -> None:
    before = os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)
    with punctual():
        assert (os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)) == before
    assert (os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)) == before


def test_an_error_inside_the_block_restores_everything() -> None:
    before = timer_slack_ns(), slice_ns()
    with pytest.raises(ZeroDivisionError), punctual():
        raise ZeroDivisionError
    assert (timer_slack_ns(), slice_ns()) == before
