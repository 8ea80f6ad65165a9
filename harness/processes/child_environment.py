"""The environment variables of every child process.

They are written down here and not taken from the caller, so that nothing of the caller's can change
what is measured: no PG*, no proxy, no PYTHON*, LD_*, MALLOC_*, OTEL_*, SSL_* or locale. What a child
needs beyond these variables, such as TWIN_DATABASE_URL, is handed to `Child` for that child alone.

LD_LIBRARY_PATH is left out too: it could exchange any library of a server. A Python that finds its
own libpython by it alone can't run children; its log then names the missing library.
"""

from __future__ import annotations

import random
import tempfile

#: Programs begin their stack below their environment, so its size decides how data lies in memory.
#: Alignments repeat after a page at the latest.
_PAGE_BYTES = 4096


def child_environment() -> dict[str, str]:
    """Name -> value of the variables that every child has. They hold no secret."""
    return {
        # Children are started by their full path; only what they start themselves is looked up.
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        # A home could hold a .netrc, a .pgpass, a .postgresql/root.crt or packages of the user's.
        "HOME": "/nonexistent",
        # Gunicorn's workers keep a file there that they touch every second.
        "TMPDIR": tempfile.gettempdir(),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }


def drawn_for_round(seed: int, number: int) -> dict[str, str]:
    """Name -> value of the variables in which the rounds of a run differ by design.

    A hash seed and an environment of a certain size may happen to suit a stack. If they were the
    same in all rounds, that luck would be in every round, and no interval would show it. All stacks
    of a round have the same values, which follow from the seed and the number of the round.
    """
    drawn = random.Random(f"{seed} environment {number}")
    return {
        "PYTHONHASHSEED": str(drawn.randint(1, 2**32 - 1)),  # 0 would turn hash seeds off
        "PADDING": "x" * drawn.randrange(_PAGE_BYTES),
    }
