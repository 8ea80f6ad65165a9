"""The tables, as SQLAlchemy models that both twins use."""

from __future__ import annotations

from sqlalchemy import BigInteger, Identity, MetaData, SmallInteger, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from apps.domain.catalogue import SEEDED_USERS

# A schema of its own, so that nothing else in a database that the user named is touched.
SCHEMA = "twinbench"

# The column's range. No user has an id outside it, and PostgreSQL would refuse to look.
ID_MIN, ID_MAX = -(2**63), 2**63 - 1


class Base(DeclarativeBase):
    """Base of every model."""

    metadata = MetaData(schema=SCHEMA)


class User(Base):
    """A user; its columns are the fields of `catalogue.CatalogueUser`."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(BigInteger, Identity(start=SEEDED_USERS + 1), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text, unique=True)
    age: Mapped[int] = mapped_column(SmallInteger)
