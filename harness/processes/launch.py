"""Becomes another program, which takes another user's rights and ends when the parent ends.

A bare interpreter runs this script (`python -I -S launch.py …`): it starts in a few milliseconds and
needs nothing of the project. The parent could do the same between fork and exec (`preexec_fn`), but
that can deadlock as soon as the parent has threads.

Usage: launch.py PARENT_PID DEATH_SIGNAL UID:GID CORES PROGRAM [ARGUMENT…]
    DEATH_SIGNAL  the signal that the program gets when the parent has ended (Linux only)
    UID:GID       the user and group to become, or `-`
    CORES         the cores to pin the program to, with commas between them, or `-`
"""

import os
import resource
import sys

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
#: How many files a child may open. With the usual soft limit of 1,024 a server could accept fewer
#: connections than open load may need.
_FILES = 65_536


def main(arguments: list[str]) -> None:
    """Drop rights, ask for a signal when the parent ends, pin, and exec."""
    parent, death_signal, rights, cores, *command = arguments
    allow_files()
    libc = None
    if sys.platform == "linux":
        import ctypes  # before setuid, because the other user may not reach the standard library

        libc = ctypes.CDLL(None, use_errno=True)
    if rights != "-":
        uid, gid = map(int, rights.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if libc is not None:
        # After setuid, which clears the request.
        libc.prctl(_PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != int(parent):  # the parent ended before the request
            sys.exit(0)
        if cores != "-":
            os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


def files_allowed(soft: int, hard: int) -> int:
    """How many files a child may have open, given the limits of its parent."""
    soft, hard = (
        sys.maxsize if limit == resource.RLIM_INFINITY else limit for limit in (soft, hard)
    )
    return max(soft, min(_FILES, hard))


def allow_files() -> None:
    """Raise the soft limit of open files as far as is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = files_allowed(soft, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    main(sys.argv[1:])
