"""Create and fill the tables: `TWIN_DATABASE_URL=… python -m apps.domain.seed`.

This drops the schema `twinbench`, creates it again and changes nothing else in the database.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from operator import attrgetter

from sqlalchemy import Connection, create_engine, insert, literal, select, text
from sqlalchemy.exc import SQLAlchemyError
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


def main(environ: Mapping[str, str]) -> int:
    """Seed the database. Its URL is a variable, because all users can read a command's arguments."""
    try:
        seed(database_url(environ.get("TWIN_DATABASE_URL", "")))
    except (ValueError, SQLAlchemyError) as error:
        print(f"seed: {error}", file=sys.stderr)
        return 2 if isinstance(error, ValueError) else 3
    print(
        f"seeded {catalogue.SEEDED_USERS} users and {catalogue.SEEDED_ITEMS} items "
        f"in schema {SCHEMA}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
