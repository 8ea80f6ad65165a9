"""One frozen settings object, read from TWIN_* variables; both twins take it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TypeVar
from urllib.parse import urlsplit

# Known to everybody, like all of what is measured here: the contract signs tokens with it.
DEFAULT_JWT_SECRET = "twinbench signs with this, and protects nothing by it"

_Variant = TypeVar("_Variant")


@dataclass(frozen=True)
class Settings:
    """What a twin needs to know. Pool sizes are per worker process."""

    database_url: str  # postgresql+psycopg://…
    upstream_url: str  # http://host:port, no slash at the end
    # Which variant of itself the twin is. None, here and below: its own default.
    http_client: str | None = None
    http_client_life: str | None = None  # one client for the process, or for each request
    database_driver: str | None = None
    validation: str | None = None
    handlers: str | None = None  # how they are called: as they are written, all def, all async def
    database_pool: int = 20  # connections; none beyond them
    upstream_pool: int = 100  # connections
    upstream_timeout_s: float = 2.0  # for a free connection, to connect, and to read: each
    jwt_secret: str = field(default=DEFAULT_JWT_SECRET, repr=False)
    jwt_lifetime_s: int = 900
    # Without it /predict answers 503, and a process is ready 2 s sooner and 170 MiB smaller.
    classifier: bool = True

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read TWIN_* variables; an empty one counts as absent.

        Raises:
            ValueError: One is missing, malformed or unknown; the message names it and its value.
        """
        known = {f"TWIN_{one.name.upper()}" for one in fields(cls)}
        for name in environ:
            # A misspelt one would leave a default in place, and the wrong thing would be measured.
            if name.startswith("TWIN_") and name not in known:
                raise ValueError(
                    f"{name} is not a setting of the twins: {', '.join(sorted(known))}"
                )
        return cls(
            database_url=database_url(environ.get("TWIN_DATABASE_URL", "")),
            upstream_url=_http_url(environ, "TWIN_UPSTREAM_URL"),
            http_client=environ.get("TWIN_HTTP_CLIENT") or None,
            http_client_life=environ.get("TWIN_HTTP_CLIENT_LIFE") or None,
            database_driver=environ.get("TWIN_DATABASE_DRIVER") or None,
            validation=environ.get("TWIN_VALIDATION") or None,
            handlers=environ.get("TWIN_HANDLERS") or None,
            database_pool=_size(environ, "TWIN_DATABASE_POOL", cls.database_pool),
            upstream_pool=_size(environ, "TWIN_UPSTREAM_POOL", cls.upstream_pool),
            upstream_timeout_s=_seconds(environ, "TWIN_UPSTREAM_TIMEOUT_S", cls.upstream_timeout_s),
            jwt_secret=_secret(environ, "TWIN_JWT_SECRET", DEFAULT_JWT_SECRET),
            jwt_lifetime_s=_size(environ, "TWIN_JWT_LIFETIME_S", cls.jwt_lifetime_s),
            classifier=_switch(environ, "TWIN_CLASSIFIER", cls.classifier),
        )

    def variant(self, setting: str, variants: Mapping[str, _Variant], default: str) -> _Variant:
        """The variant that a setting names, of those that the twin has.

        Raises:
            ValueError: The twin has no such variant; the message names those that it has.
        """
        name = getattr(self, setting) or default
        if name not in variants:
            raise ValueError(
                f"TWIN_{setting.upper()}={name!r}: this twin has {', '.join(variants)}"
            )
        return variants[name]


def database_url(value: str, name: str = "TWIN_DATABASE_URL") -> str:
    """The URL with SQLAlchemy's name for psycopg 3, which is the driver under both twins."""
    example = "postgresql://user@localhost:5432/name"
    if not value:
        raise ValueError(f"{name} is not set: give it a value such as {example}")
    scheme, _, rest = value.partition("://")
    if scheme not in ("postgresql", "postgresql+psycopg", "postgres") or not rest:
        # The value is not shown: it may hold a password.
        raise ValueError(f"{name} is not a PostgreSQL URL: give it a value such as {example}")
    return f"postgresql+psycopg://{rest}"


def _http_url(environ: Mapping[str, str], name: str) -> str:
    example = "http://127.0.0.1:8090"
    value = environ.get(name)
    if not value:
        raise ValueError(f"{name} is not set: give it a value such as {example}")
    problem = ValueError(f"{name}={value!r} is not an HTTP URL such as {example}")
    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:  # a bracket or a port that can't be read
        raise problem from error
    if not valid or parts.query or parts.fragment:
        raise problem
    return value.rstrip("/")


def _size(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name)
    if not value:
        return default
    if not (value.isascii() and value.isdecimal() and int(value) > 0):
        raise ValueError(f"{name}={value!r} is not a whole number above 0")
    return int(value)


def _seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    value = environ.get(name)
    if not value:
        return default
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError(f"{name}={value!r} is not a number of seconds above 0")
    return seconds


def _secret(environ: Mapping[str, str], name: str, default: str) -> str:
    value = environ.get(name)
    if not value:
        return default
    if len(value.encode()) < 32:  # RFC 7518 asks HS256 for a key as long as its hash
        raise ValueError(f"{name} is too short: a secret has 32 bytes or more")
    return value


def _switch(environ: Mapping[str, str], name: str, default: bool) -> bool:
    value = environ.get(name)
    if not value:
        return default
    if value not in ("on", "off"):
        raise ValueError(f"{name}={value!r} is neither 'on' nor 'off'")
    return value == "on"
