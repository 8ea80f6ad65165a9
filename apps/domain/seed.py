"""Create and fill the tables: `TWIN_DATABASE_URL=… python -m apps.domain.seed`.

This drops the schema `twinbench`, creates it again and changes nothing else in the database.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from operator import attrgetter

from sqlalchemy import Connection, create_engine, insert, literal, make_url, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateSchema, DropSchema

from apps.domain import catalogue
from apps.domain.models import SCHEMA, Base, Credential, Item, User
from apps.settings import database_url


def seed(url: str) -> None:
    """Create the tables and their rows in one transaction: either all of them exist, or none."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(DropSchema(SCHEMA, cascade=True, if_exists=True))
        connection.execute(CreateSchema(SCHEMA))
        Base.metadata.create_all(connection)
        _copy(connection, User, map(catalogue.user, range(1, catalogue.SEEDED_USERS + 1)))
        _copy(connection, Item, catalogue.items(catalogue.SEEDED_ITEMS))
        everybodys = select(User.id, literal(catalogue.PASSWORD_HASH))
        connection.execute(insert(Credential).from_select(["user_id", "password_hash"], everybodys))
        # Now, because autovacuum would do it in the middle of a measurement.
        for table in Base.metadata.sorted_tables:
            connection.execute(text(f"ANALYZE {table}"))


def _copy(connection: Connection, model: type[Base], rows: Iterable[object]) -> None:
    driver = connection.connection.driver_connection
    assert driver is not None
    table = model.__table__
    columns = [column.name for column in table.columns]
    values = attrgetter(*columns)
    # COPY writes 10,000 rows in less time than a hundred INSERTs take.
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(values(row))


def place(url: str) -> str:
    """Host, port and database of a URL, without user and password."""
    parts = make_url(database_url(url))
    return f"the PostgreSQL at {parts.host}:{parts.port or 5432}/{parts.database or ''}"


def cause(error: SQLAlchemyError) -> str:
    """What PostgreSQL or its driver says, in one line; SQLAlchemy's own words are for programmers.

    psycopg puts the address before the cause, and advice below it.
    """
    driver_error = error.orig if isinstance(error, DBAPIError) else None
    lines = str(driver_error or error).splitlines()
    return lines[0].rpartition(" failed: ")[2].removeprefix("FATAL:").strip() if lines else ""


def main(environ: Mapping[str, str]) -> int:
    """Seed the database. Its URL is a variable, because all users can read a command's arguments."""
    try:
        seed(database_url(environ.get("TWIN_DATABASE_URL", "")))
    except ValueError as error:
        print(f"seed: {error}", file=sys.stderr)
        return 2
    except SQLAlchemyError as error:
        print(f"seed: {place(environ['TWIN_DATABASE_URL'])}: {cause(error)}", file=sys.stderr)
        return 3
    print(
        f"seeded {catalogue.SEEDED_USERS} users and {catalogue.SEEDED_ITEMS} items "
        f"in schema {SCHEMA}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
