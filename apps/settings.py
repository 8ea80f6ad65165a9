"""One frozen settings object, read from TWIN_* variables, for both twins."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TypeVar
from urllib.parse import urlsplit

# Public on purpose: the contract signs tokens with it.
DEFAULT_JWT_SECRET = "twinbench signs with this, and protects nothing by it"

_Variant = TypeVar("_Variant")


@dataclass(frozen=True)
class Settings:
    """What a twin has to know. Pool sizes are per worker process.

    A twin without a database, an upstream or its classifier answers 503 where it would use them.
    """

    database_url: str | None = None  # postgresql+psycopg://…
    upstream_url: str | None = None  # http://host:port, without a slash at the end
    # The next seven choose a variant of the twin; with None the twin takes its own default.
    http_client: str | None = None
    http_client_life: str | None = None  # one client for the process, or one for each request
    database_driver: str | None = None
    validation: str | None = None
    handlers: str | None = None  # called as they are written, all as def, or all as async def
    collector: str | None = None  # of garbage: left alone, or frozen when the process is ready
    classifier_life: str | None = None  # one loaded model for the process, or one for each request
    database_pool: int = 20  # connections at the most
    upstream_pool: int = 100  # connections at the most
    upstream_timeout_s: float = 2.0  # three times: to get a connection, to connect, to read
    jwt_secret: str = field(default=DEFAULT_JWT_SECRET, repr=False)
    jwt_lifetime_s: int = 900
    # A process without the classifier starts 2 s sooner and is 170 MiB smaller.
    classifier: bool = True

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read TWIN_* variables; an empty variable counts as absent.

        Raises:
            ValueError: A variable is malformed or unknown; the message names it and its value.
        """
        known = {f"TWIN_{setting.name.upper()}" for setting in fields(cls)}
        for name in environ:
            # A misspelt name would leave a default in place, and the wrong thing would be measured.
            if name.startswith("TWIN_") and name not in known:
                raise ValueError(
                    f"{name} is not a setting of the twins: {', '.join(sorted(known))}"
                )
        return cls(
            database_url=_optional(database_url, environ.get("TWIN_DATABASE_URL")),
            upstream_url=_optional(_http_url, environ.get("TWIN_UPSTREAM_URL")),
            http_client=environ.get("TWIN_HTTP_CLIENT") or None,
            http_client_life=environ.get("TWIN_HTTP_CLIENT_LIFE") or None,
            database_driver=environ.get("TWIN_DATABASE_DRIVER") or None,
            validation=environ.get("TWIN_VALIDATION") or None,
            handlers=environ.get("TWIN_HANDLERS") or None,
            collector=environ.get("TWIN_COLLECTOR") or None,
            classifier_life=environ.get("TWIN_CLASSIFIER_LIFE") or None,
            database_pool=_size(environ, "TWIN_DATABASE_POOL", cls.database_pool),
            upstream_pool=_size(environ, "TWIN_UPSTREAM_POOL", cls.upstream_pool),
            upstream_timeout_s=_seconds(environ, "TWIN_UPSTREAM_TIMEOUT_S", cls.upstream_timeout_s),
            jwt_secret=_secret(environ, "TWIN_JWT_SECRET", DEFAULT_JWT_SECRET),
            jwt_lifetime_s=_size(environ, "TWIN_JWT_LIFETIME_S", cls.jwt_lifetime_s),
            classifier=_switch(environ, "TWIN_CLASSIFIER", cls.classifier),
        )

    def variant(self, setting: str, variants: Mapping[str, _Variant], default: str) -> _Variant:
        """The variant that a setting names.

        Raises:
            ValueError: The twin has no such variant; the message lists the variants that it has.
        """
        name = getattr(self, setting) or default
        if name not in variants:
            raise ValueError(
                f"TWIN_{setting.upper()}={name!r}: this twin has {', '.join(variants)}"
            )
        return variants[name]


def database_url(value: str) -> str:
    """TWIN_DATABASE_URL with SQLAlchemy's name for psycopg 3, the driver under both twins.

    Raises:
        ValueError: The value is empty, or no URL of a PostgreSQL database.
    """
    example = "postgresql://user@localhost:5432/name"
    if not value:
        raise ValueError(f"TWIN_DATABASE_URL is not set: give it a value such as {example}")
    scheme, _, rest = value.partition("://")
    if scheme not in ("postgresql", "postgresql+psycopg", "postgres") or not rest:
        # The message leaves the value out, because it may hold a password.
        raise ValueError(
            f"TWIN_DATABASE_URL is not a PostgreSQL URL: give it a value such as {example}"
        )
    return f"postgresql+psycopg://{rest}"


def _optional(read: Callable[[str], str], value: str | None) -> str | None:
    return read(value) if value else None


def _http_url(value: str) -> str:
    problem = ValueError(
        f"TWIN_UPSTREAM_URL={value!r} is not an HTTP URL such as http://127.0.0.1:8090"
    )
    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:  # urlsplit can't read the brackets or the port
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
    if len(value.encode()) < 32:  # RFC 7518: a key for HS256 is as long as the hash, or longer
        raise ValueError(f"{name} is too short: a secret has 32 bytes or more")
    return value


def _switch(environ: Mapping[str, str], name: str, default: bool) -> bool:
    value = environ.get(name)
    if not value:
        return default
    if value not in ("on", "off"):
        raise ValueError(f"{name}={value!r} is neither 'on' nor 'off'")
    return value == "on"
