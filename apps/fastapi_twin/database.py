"""The database session, from SQLAlchemy's asyncio extension; it ends with the request.

A setting chooses the driver: `psycopg`, `asyncpg`, or `psycopg-sync`, which blocks the thread that
awaits it. Blocking is right for a handler in a thread, and wrong for an `async def` handler.

In a twin that was started without a database, the session raises a Problem when it connects.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import partial
from typing import Annotated, Any, NoReturn, TypeAlias, cast

from fastapi import Depends, Request
from fastapi.concurrency import contextmanager_in_threadpool
from sqlalchemy import create_engine, make_url
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session as SyncSession
from sqlalchemy.orm import sessionmaker

from apps.fastapi_twin import handlers
from apps.problems import no_database
from apps.settings import Settings

Sessions: TypeAlias = Callable[[], AbstractAsyncContextManager[AsyncSession]]

#: For an engine that never connects.
_NOWHERE = "postgresql+psycopg://"


class BlockingSession:
    """A synchronous session with the methods of AsyncSession; each blocks until it is done."""

    def __init__(self, session: SyncSession) -> None:
        self._session = session
        self.add = session.add

    async def get(self, *args: Any, **kwargs: Any) -> Any:
        """Like AsyncSession."""
        return self._session.get(*args, **kwargs)

    async def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Like AsyncSession."""
        return self._session.execute(*args, **kwargs)

    async def scalar(self, *args: Any, **kwargs: Any) -> Any:
        """Like AsyncSession."""
        return self._session.scalar(*args, **kwargs)

    async def scalars(self, *args: Any, **kwargs: Any) -> Any:
        """Like AsyncSession."""
        return self._session.scalars(*args, **kwargs)

    async def commit(self) -> None:
        """Like AsyncSession."""
        self._session.commit()

    async def rollback(self) -> None:
        """Like AsyncSession."""
        self._session.rollback()


def _refuse() -> NoReturn:
    raise no_database()


async def _refuse_async() -> NoReturn:
    raise no_database()


@asynccontextmanager
async def _open_async(driver: str, settings: Settings) -> AsyncIterator[Sessions]:
    engine = create_async_engine(
        make_url(settings.database_url or _NOWHERE).set(drivername=f"postgresql+{driver}"),
        pool_size=settings.database_pool,
        max_overflow=0,
        async_creator=None if settings.database_url else _refuse_async,
    )
    try:
        # After an expiry on commit, an attribute would load its row again, which asyncio can't.
        yield async_sessionmaker(engine, expire_on_commit=False)
    finally:
        await engine.dispose()


@asynccontextmanager
async def _open_sync(settings: Settings) -> AsyncIterator[Sessions]:
    engine = create_engine(
        settings.database_url or _NOWHERE,
        pool_size=settings.database_pool,
        max_overflow=0,
        creator=None if settings.database_url else _refuse,
    )
    make_session = sessionmaker(engine, expire_on_commit=False)

    @contextmanager
    def session() -> Iterator[AsyncSession]:
        with make_session() as opened:
            yield cast(AsyncSession, BlockingSession(opened))

    @asynccontextmanager
    async def on_the_loop() -> AsyncIterator[AsyncSession]:
        with session() as opened:
            yield opened

    def in_threads() -> AbstractAsyncContextManager[AsyncSession]:
        return contextmanager_in_threadpool(session())  # as FastAPI runs a `def` dependency

    try:
        yield in_threads if handlers.run_in_threads(settings) else on_the_loop
    finally:
        engine.dispose()


DRIVERS: Mapping[str, Callable[[Settings], AbstractAsyncContextManager[Sessions]]] = {
    "psycopg": partial(_open_async, "psycopg"),
    "asyncpg": partial(_open_async, "asyncpg"),
    "psycopg-sync": _open_sync,
}


def opener(settings: Settings) -> Callable[[], AbstractAsyncContextManager[Sessions]]:
    """A function that opens an engine and gives its sessions; the engine is disposed of at the end."""
    handlers.run_in_threads(settings)  # raises now, before the start, if the driver does not fit
    return partial(settings.variant("database_driver", DRIVERS, "psycopg"), settings)


async def _session(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.state.sessions() as session:
        yield session


# Scope "function" returns the connection before the reply is sent, as Flask-SQLAlchemy does.
Session = Annotated[AsyncSession, Depends(_session, scope="function")]
