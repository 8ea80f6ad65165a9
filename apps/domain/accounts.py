"""Who may log in: the statement, which both twins execute with a session of their own."""

from __future__ import annotations

from sqlalchemy import Select, select

from apps.domain.models import Credential, User


def password_hash_of(email: str) -> Select[str]:
    """The hash of the account's password; no row when there is no such account."""
    return select(Credential.password_hash).join(User).where(User.email == email)
