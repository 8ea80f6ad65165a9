"""The database session, by SQLAlchemy's asyncio extension; it ends with the request.

Which driver is under it is a setting: `psycopg` or `asyncpg`, or `psycopg-sync`, which keeps
whoever awaits it waiting where it stands. That is what a handler in a thread wants, and what
an `async def` handler should never do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import partial
from typing import Annotated, Any, TypeAlias, cast

from fastapi import Depends, Request
from fastapi.concurrency import contextmanager_in_threadpool
from sqlalchemy import create_engine, make_url
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session as SyncSession
from sqlalchemy.orm import sessionmaker

from apps.fastapi_twin import handlers
from apps.settings import Settings

Sessions: TypeAlias = Callable[[], AbstractAsyncContextManager[AsyncSession]]


class SessionAtOnce:
    """A synchronous session as an AsyncSession: what is awaited is done before it returns."""

    def __init__(self, session: SyncSession) -> None:
        self._session = session
        self.add = session.add

    async def get(self, *args: Any, **kwargs: Any) -> Any:
        """As AsyncSession."""
        return self._session.get(*args, **kwargs)

    async def execute(self, *args: Any, **kwargs: Any) -> Any:
        """As AsyncSession."""
        return self._session.execute(*args, **kwargs)

    async def scalar(self, *args: Any, **kwargs: Any) -> Any:
        """As AsyncSession."""
        return self._session.scalar(*args, **kwargs)

    async def scalars(self, *args: Any, **kwargs: Any) -> Any:
        """As AsyncSession."""
        return self._session.scalars(*args, **kwargs)

    async def commit(self) -> None:
        """As AsyncSession."""
        self._session.commit()

    async def rollback(self) -> None:
        """As AsyncSession."""
        self._session.rollback()


@asynccontextmanager
async def _open_async(driver: str, settings: Settings) -> AsyncIterator[Sessions]:
    engine = create_async_engine(
        make_url(settings.database_url).set(drivername=f"postgresql+{driver}"),
        pool_size=settings.database_pool,
        max_overflow=0,
    )
    try:
        # Expiry on commit would load a row again from an attribute, which asyncio can't.
        yield async_sessionmaker(engine, expire_on_commit=False)
    finally:
        await engine.dispose()


@asynccontextmanager
async def _open_sync(settings: Settings) -> AsyncIterator[Sessions]:
    engine = create_engine(settings.database_url, pool_size=settings.database_pool, max_overflow=0)
    make_session = sessionmaker(engine, expire_on_commit=False)

    @contextmanager
    def session() -> Iterator[AsyncSession]:
        with make_session() as opened:
            yield cast(AsyncSession, SessionAtOnce(opened))

    @asynccontextmanager
    async def on_the_loop() -> AsyncIterator[AsyncSession]:
        with session() as opened:
            yield opened

    def in_threads() -> AbstractAsyncContextManager[AsyncSession]:
        return contextmanager_in_threadpool(session())  # as FastAPI does with a `def` dependency

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
    """How to open the sessions of one engine, which is disposed of at the end."""
    handlers.run_in_threads(settings)  # what they can't use fails here, before the start
    return partial(settings.variant("database_driver", DRIVERS, "psycopg"), settings)


async def _session(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.state.sessions() as session:
        yield session


# Scope "function" gives the connection back before the reply is sent, as Flask-SQLAlchemy does.
Session = Annotated[AsyncSession, Depends(_session, scope="function")]
