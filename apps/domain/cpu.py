"""Work of a stated size: `python` holds the GIL, `native` releases it.

Both return a hexadecimal result, which proves that the work was done and depends only on its size.
In both, one unit takes about 0.3 ms of one core, and the default of ten units about 3 ms.
"""

from __future__ import annotations

import hashlib

SIZE_MIN = 1
SIZE_MAX = 100
SIZE_DEFAULT = 10

STEPS_PER_UNIT = 2_500
_HASHES_PER_UNIT = 850


def python(size: int) -> str:
    """Step a linear congruential generator (with glibc's constants) in bytecode."""
    state = size
    for _ in range(size * STEPS_PER_UNIT):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
    return f"{state:08x}"


def native(size: int) -> str:
    """Derive a key by PBKDF2; OpenSSL does the work with the GIL released."""
    key = hashlib.pbkdf2_hmac("sha256", b"twinbench", b"salt", size * _HASHES_PER_UNIT, dklen=4)
    return key.hex()
