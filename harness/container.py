"""Entry point of the image: become the user who owns the results folder, then run twinbench.

Compose can't know which user calls it, but the folder that it mounts has an owner. A container that
starts as root does nothing else as root. A container that starts as another user stays that user.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

_RESULTS = Path("results")
_USER_VARIABLE = "TWINBENCH_USER"  # UID:GID, each may be empty
#: Commands that write results.
_WRITING = frozenset({"run", "calibrate", "report"})
#: The user of the image, who becomes the owner of a results folder that belongs to root.
_IMAGE_USER = (1000, 1000)
_ALL_IDS = "4294967295"


def user_to_become(given: str, owner: tuple[int, int], *, root_is_caller: bool) -> tuple[int, int]:
    """User and group id to run as.

    Args:
        given: `UID:GID` from the environment; each may be empty.
        owner: User and group id of the results folder's owner.
        root_is_caller: Whether root in the container is an ordinary user outside, as in rootless
            engines.

    Raises:
        ValueError: `given` does not consist of two ids.
    """
    uid, _, gid = given.partition(":")
    default = owner if root_is_caller or owner[0] != 0 else _IMAGE_USER
    if uid:
        return _id(uid), _id(gid or uid)
    return default[0], _id(gid) if gid else default[1]


def _id(text: str) -> int:
    number = int(text)
    if not 0 <= number < int(_ALL_IDS):
        raise ValueError(text)
    return number


def main(arguments: Sequence[str]) -> NoReturn:
    """Become the right user, then replace this process by twinbench."""
    if os.geteuid() == 0:
        given = os.environ.get(_USER_VARIABLE, "")
        results = _RESULTS.stat()
        try:
            uid, gid = user_to_become(
                given, (results.st_uid, results.st_gid), root_is_caller=_root_is_caller()
            )
        except ValueError:
            print(
                f"twinbench: UID:GID is '{given}': give two numbers in .env, such as UID=1000",
                file=sys.stderr,
            )
            sys.exit(2)
        try:
            if results.st_uid == 0 and uid != 0:
                os.chown(_RESULTS, uid, gid)
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        except OSError as error:
            print(
                f"twinbench: can't give the results folder to {uid}:{gid}: {error.strerror}; change "
                "its owner to yourself, or choose another folder (RESULTS)",
                file=sys.stderr,
            )
            sys.exit(3)
    if not os.access(_RESULTS, os.W_OK) and set(arguments[:1]) & _WRITING:
        owner = _RESULTS.stat()
        print(
            f"twinbench: can't write results: the folder belongs to user {owner.st_uid} and this is "
            f"user {os.geteuid()}: put UID={owner.st_uid} and GID={owner.st_gid} into .env",
            file=sys.stderr,
        )
        sys.exit(3)
    os.execv(sys.executable, [sys.executable, "-m", "harness", *arguments])


def _root_is_caller() -> bool:
    return Path("/proc/self/uid_map").read_text().split()[:3] != ["0", "0", _ALL_IDS]


if __name__ == "__main__":
    main(sys.argv[1:])
