"""The tables, as SQLAlchemy models that both twins use."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Double,
    ForeignKey,
    Identity,
    Integer,
    MetaData,
    SmallInteger,
    Text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from apps.domain.catalogue import SEEDED_ITEMS, SEEDED_USERS

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


class Credential(Base):
    """How a user proves to be it. A table of its own, so that nobody reads it with the user."""

    __tablename__ = "credentials"

    user_id: Mapped[int] = mapped_column(ForeignKey(User.id), primary_key=True)
    password_hash: Mapped[str] = mapped_column(Text)


class Item(Base):
    """An item; its columns are the fields of `catalogue.CatalogueItem`."""

    __tablename__ = "items"

    id: Mapped[int] = mapped_column(BigInteger, Identity(start=SEEDED_ITEMS + 1), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    category: Mapped[str] = mapped_column(Text, index=True)
    price: Mapped[int] = mapped_column(Integer, index=True)  # in cents
    rating: Mapped[float] = mapped_column(Double)
    in_stock: Mapped[bool] = mapped_column(Boolean)
