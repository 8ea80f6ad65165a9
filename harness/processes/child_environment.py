"""The environment variables of every child process.

They are written down here and not taken from the caller, so that nothing of the caller's can change
what is measured: no PG*, no proxy, no PYTHON*, LD_*, MALLOC_*, OTEL_*, SSL_* or locale. What a child
needs beyond these variables, such as TWIN_DATABASE_URL, is handed to `Child` for that child alone.

LD_LIBRARY_PATH is left out too: it could exchange any library of a server. A Python that finds its
own libpython by it alone can't run children; its log then names the missing library.
"""

from __future__ import annotations

import tempfile


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
