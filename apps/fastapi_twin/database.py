"""The database session, by SQLAlchemy's asyncio extension; it ends with the request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from apps.settings import Settings


@asynccontextmanager
async def open_sessions(settings: Settings) -> AsyncIterator[async_sessionmaker[AsyncSession]]:
    """The session factory of one engine, which is disposed of at the end."""
    engine = create_async_engine(
        settings.database_url, pool_size=settings.database_pool, max_overflow=0
    )
    try:
        # Expiry on commit would load a row again from an attribute, which asyncio can't.
        yield async_sessionmaker(engine, expire_on_commit=False)
    finally:
        await engine.dispose()


async def _session(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.state.sessions() as session:
        yield session


# Scope "function" gives the connection back before the reply is sent, as Flask-SQLAlchemy does.
Session = Annotated[AsyncSession, Depends(_session, scope="function")]
