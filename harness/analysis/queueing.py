"""How long a queue takes until it does not remember that it was empty.

A slice of open load begins with an empty queue. Near capacity it takes long to fill, and what is
counted until then is too fast. The time is known from the theory of queues: the relaxation time of
a queue with one server, whose service times have the coefficient of variation cv, is about
s·(1 + cv²) ÷ 2·(1 − √ρ)², where s is the time of service and ρ the utilisation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

#: Service times as variable as an exponential distribution. Those of real servers vary less, except
#: for their pauses. Where they do not vary at all, this is twice the relaxation time.
_SQUARED_CV = 1.0
#: The window is so many times as long as the settling before it.
WINDOW = 2.0
#: No slice gets longer than this for the sake of its queue.
MAX_SLICE_S = 20.0


def settling_s(service_s: float, utilisation: float) -> float | None:
    """How long a queue that begins empty is to settle; None if it has no steady state.

    Args:
        service_s: CPU time of a request ÷ the servers' cores.
        utilisation: share of the servers' cores that is used.
    """
    if utilisation >= 1:
        return None
    return service_s * (1 + _SQUARED_CV) / 2 / (1 - math.sqrt(utilisation)) ** 2


def lengths(
    needed_s: Mapping[str, float | None], slice_s: float, settle_s: float
) -> tuple[float, float]:
    """Find the length and the settling time that all stacks of a block share.

    A stack without a steady state has no say: no slice would be long enough for it.

    Args:
        needed_s: stack -> how long its queue is to settle; None if it never does.
        slice_s: length of a slice as planned, which is the least.
        settle_s: the settling in it.
    """
    longest_s = max((seconds for seconds in needed_s.values() if seconds is not None), default=0.0)
    longest_s = min(math.ceil(100 * longest_s) / 100, MAX_SLICE_S / (1 + WINDOW))
    settle_s = max(settle_s, longest_s)
    return max(slice_s, round(settle_s * (1 + WINDOW), 2)), settle_s
