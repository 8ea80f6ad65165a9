"""The tables, as SQLAlchemy models for both twins."""

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

# A schema of its own, so that nothing else changes in a database that the user named.
SCHEMA = "twinbench"

# The range of the id columns. PostgreSQL refuses a query for an id outside it.
ID_MIN, ID_MAX = -(2**63), 2**63 - 1


class Base(DeclarativeBase):
    """Base class of every model."""

    metadata = MetaData(schema=SCHEMA)


class User(Base):
    """A user; its columns are the fields of `catalogue.CatalogueUser`."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(BigInteger, Identity(start=SEEDED_USERS + 1), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text, unique=True)
    age: Mapped[int] = mapped_column(SmallInteger)


class Credential(Base):
    """The password of a user, in its own table so that no query reads it with the user."""

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
