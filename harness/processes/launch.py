"""Become another program: with another user's rights, and bound to the life of the parent.

Run as a script by a bare interpreter (`python -I -S launch.py …`), so that it starts in a few
milliseconds and needs nothing of the project. Doing this between fork and exec in the parent
instead (`preexec_fn`) can deadlock as soon as the parent has threads.

Usage: launch.py PARENT_PID DEATH_SIGNAL UID:GID CORES PROGRAM [ARGUMENT…]
    DEATH_SIGNAL  what the program gets when the parent is gone (Linux only)
    UID:GID       whose rights to take, `-` to keep one's own
    CORES         comma-separated cores to be pinned to, `-` for no pinning
"""

import os
import resource
import sys

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
#: Files that a child may have open: the usual soft limit of 1,024 would stop a server at fewer
#: connections than open load may need.
_FILES = 65_536


def main(arguments: list[str]) -> None:
    """Drop rights, ask to die with the parent, pin, exec."""
    parent, death_signal, rights, cores, *command = arguments
    _allow_files()
    libc = None
    if sys.platform == "linux":
        import ctypes  # now: the other user may not reach the standard library

        libc = ctypes.CDLL(None, use_errno=True)
    if rights != "-":
        uid, gid = map(int, rights.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if libc is not None:
        # After setuid: a change of rights clears the request.
        libc.prctl(_PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != int(parent):  # it died before we could ask
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


def _allow_files() -> None:
    """Raise the soft limit as far as any user may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = files_allowed(soft, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    main(sys.argv[1:])
