"""The query behind a login; each twin executes it with its own session."""

from __future__ import annotations

from sqlalchemy import Select, select

from apps.domain.models import Credential, User


def password_hash_of(email: str) -> Select[str]:
    """The password hash of the account with this email; no row if there is no such account."""
    return select(Credential.password_hash).join(User).where(User.email == email)
