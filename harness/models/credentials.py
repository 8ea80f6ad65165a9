"""Which names are those of credentials: passwords, tokens, keys."""

from __future__ import annotations

import re

#: Names without case, `-` and `_`. `max_tokens` is none of them, and neither is an `author`.
_NAME = re.compile(
    r"auth$|authorization|authentication|token$|auth(token|key)$|secret|passw|passphrase|pwd$"
    r"|(api|access|private|subscription|session|encryption|signing|master|shared)key"
    r"|session(id)?$|sessid$|^sid$|jwt|bearer|(?<!by)(?<!com)pass$"
    r"|credential|^(set)?cookie2?$|csrf|xsrf|signature$|^sig$|^otp$"
)
#: They say where the next page begins.
_NO_CREDENTIAL = re.compile(r"(page|next|prev|previous|continuation|cursor|sync|skip)token$")


def is_credential_name(name: str) -> bool:
    """Whether a header, a key of a query or a field of a body of that name holds a credential."""
    squashed = re.sub(r"[^a-z0-9]", "", name.lower())
    return bool(_NAME.search(squashed)) and not _NO_CREDENTIAL.search(squashed)
