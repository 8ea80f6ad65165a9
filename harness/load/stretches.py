"""Which stretch of users' requests counts in a turn, where users wait and the turns make one long load."""

from __future__ import annotations


def uncounted(planned: int, most_in_flight: int, beyond: int, in_flight: int) -> int:
    """How many requests of a turn are not counted before those that are.

    Together with those that were sent beyond the counted ones in the turn before, they are a number that
    nothing decides which happens in a turn. What is left out is then so many gaps between requests,
    whatever they last. Were it a time, or what it takes until something has happened, long gaps would be
    left out more often than short ones: whoever looks at a moment, finds it in a long gap. The
    throughput would come out too high, the more so the shorter turns are.

    Args:
        planned: Requests that settle the load, as they were drawn before the turn.
        most_in_flight: The most that were in flight at once so far.
        beyond: Requests that were sent after the counted ones of the turn before, until those had replies.
        in_flight: Requests that were in flight when it ended. As many settle the load at least.
    """
    # Beyond the counted requests go about as many as are in flight, and as many settle the load again.
    wanted = max(planned, 2 * most_in_flight)
    return max(1, in_flight, wanted - beyond)
