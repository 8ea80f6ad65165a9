"""What a dashboard shows, as far as both twins agree on it: whose rows, and how much work.

A request says how many users it looks up and how much it computes, so one endpoint can stand for
services of many kinds: those that wait, those that look up, those that compute.
"""

from __future__ import annotations

import zlib

from apps.domain.catalogue import SEEDED_USERS

QUERIES_MIN = 0
QUERIES_MAX = 20
QUERIES_DEFAULT = 3
WORK_MIN = 0
WORK_MAX = 100
WORK_DEFAULT = 1

#: A prime that does not divide SEEDED_USERS: so many steps lead to different users.
_STEP = 7_919


def user_ids(city: str, queries: int) -> tuple[int, ...]:
    """Ids of different users, from 1 to SEEDED_USERS, which the city decides."""
    first = zlib.crc32(city.encode())
    return tuple((first + _STEP * number) % SEEDED_USERS + 1 for number in range(queries))
