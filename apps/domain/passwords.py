"""Passwords, kept as scrypt hashes: `scrypt$n$r$p$salt$key`, the last two in hexadecimal."""

from __future__ import annotations

import hashlib
import hmac
import os

# One of the settings that OWASP's Password Storage Cheat Sheet gives: 16 MiB, 0.2 s of a core.
_N, _R, _P = 2**14, 8, 5
_SALT_BYTES = 16
_KEY_BYTES = 32
_MAX_MEMORY_BYTES = 64 * 2**20

# No password has this hash. It costs as much to check as a real one.
_NOBODYS = f"scrypt${_N}${_R}${_P}${'00' * _SALT_BYTES}${'00' * _KEY_BYTES}"


def hashed(password: str) -> str:
    """What to keep of a password, with a salt of its own."""
    salt = os.urandom(_SALT_BYTES)
    return f"scrypt${_N}${_R}${_P}${salt.hex()}${_key(password, salt, _N, _R, _P).hex()}"


def matches(password: str, kept: str | None) -> bool:
    """Whether `kept` was made of this password.

    Takes as long for None (no such account), so that time does not tell who has one. OpenSSL
    works with the GIL released; an event loop has to be kept clear of it all the same.
    """
    _, n, r, p, salt, key = (kept or _NOBODYS).split("$")
    given = _key(password, bytes.fromhex(salt), int(n), int(r), int(p))
    return hmac.compare_digest(given, bytes.fromhex(key)) and kept is not None


def _key(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=n, r=r, p=p, dklen=_KEY_BYTES, maxmem=_MAX_MEMORY_BYTES
    )
