"""The entry of the image: take the rights of whoever owns the results, then become twinbench.

Compose can't know who calls it, but the folder that it mounts belongs to somebody. A container
that is started as root does nothing else as root; one that is started as a user stays that user.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

_RESULTS = Path("results")
_GIVEN = "TWINBENCH_USER"  # UID:GID, each may be empty
#: The user of the image. Results are nobody's but a user's, so a folder of root's becomes its.
_USER = (1000, 1000)
_ALL_IDS = "4294967295"


def whose(given: str, owner: tuple[int, int], *, root_is_caller: bool) -> tuple[int, int]:
    """User and group id to run as.

    Args:
        given: `UID:GID` as asked for, each may be empty.
        owner: of the results folder.
        root_is_caller: root in here is an ordinary user outside (rootless engines).

    Raises:
        ValueError: what is given is not two ids.
    """
    uid, _, gid = given.partition(":")
    usual = owner if root_is_caller or owner[0] != 0 else _USER
    if uid:
        return _id(uid), _id(gid or uid)
    return usual[0], _id(gid) if gid else usual[1]


def _id(text: str) -> int:
    number = int(text)
    if not 0 <= number < int(_ALL_IDS):
        raise ValueError(text)
    return number


def main(arguments: Sequence[str]) -> NoReturn:
    """Drop rights, exec."""
    if os.geteuid() == 0:
        given = os.environ.get(_GIVEN, "")
        seen = _RESULTS.stat()
        try:
            uid, gid = whose(given, (seen.st_uid, seen.st_gid), root_is_caller=_root_is_caller())
        except ValueError:
            print(
                f"twinbench: UID:GID is '{given}': give two numbers in .env",
                file=sys.stderr,
            )
            sys.exit(2)
        try:
            if seen.st_uid == 0 and uid != 0:
                os.chown(_RESULTS, uid, gid)
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        except OSError as error:
            print(
                f"twinbench: can't give the results folder to {uid}:{gid}: {error.strerror}; give "
                "it to yourself, or name another (RESULTS)",
                file=sys.stderr,
            )
            sys.exit(3)
    os.execv(sys.executable, [sys.executable, "-m", "harness", *arguments])


def _root_is_caller() -> bool:
    return Path("/proc/self/uid_map").read_text().split()[:3] != ["0", "0", _ALL_IDS]


if __name__ == "__main__":
    main(sys.argv[1:])
