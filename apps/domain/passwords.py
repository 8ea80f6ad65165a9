"""Passwords as scrypt hashes: `scrypt$n$r$p$salt$key`, with salt and key in hexadecimal."""

from __future__ import annotations

import hashlib
import hmac
import os

# One of the settings in OWASP's Password Storage Cheat Sheet: 16 MiB, and 0.2 s of a core.
_N, _R, _P = 2**14, 8, 5
_SALT_BYTES = 16
_KEY_BYTES = 32
_MAX_MEMORY_BYTES = 64 * 2**20

# No password has this hash, but checking it takes as long as checking a real hash.
_NO_PASSWORD = f"scrypt${_N}${_R}${_P}${'00' * _SALT_BYTES}${'00' * _KEY_BYTES}"


def hashed(password: str) -> str:
    """The hash to store for a password, with a new salt."""
    salt = os.urandom(_SALT_BYTES)
    return f"scrypt${_N}${_R}${_P}${salt.hex()}${_key(password, salt, _N, _R, _P).hex()}"


def matches(password: str, kept: str | None) -> bool:
    """Whether `kept` is a hash of this password; None means that there is no such account.

    The check takes equally long for None, so its duration does not reveal who has an account.
    OpenSSL works with the GIL released, but the check would still block an event loop.
    """
    _, n, r, p, salt, key = (kept or _NO_PASSWORD).split("$")
    given = _key(password, bytes.fromhex(salt), int(n), int(r), int(p))
    return hmac.compare_digest(given, bytes.fromhex(key)) and kept is not None


def _key(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=n, r=r, p=p, dklen=_KEY_BYTES, maxmem=_MAX_MEMORY_BYTES
    )
