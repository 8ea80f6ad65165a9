"""Which group a sample of the CPU is put down to: the one table of libraries, and the rule.

The rule: a sample belongs to the innermost frame whose code has a group. Code without one works for
its caller: the standard library, and libraries that nobody listed. So does what stands in for the
standard library (an event loop, greenlets): it has a group only where nobody called it who has one.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from harness.models import Group

#: Place of code, or the beginning of it -> its group; the longest that fits counts. A function of a
#: file stands behind a colon. Places are those of models.profiles.Stacks.
GROUPS: Mapping[str, Group] = {
    **dict.fromkeys(
        (
            *("site-packages/gunicorn/", "site-packages/uvicorn/", "site-packages/uvicorn_worker/"),
            *("site-packages/granian/", "site-packages/httptools/", "site-packages/a2wsgi/"),
            *("site-packages/websockets/", "site-packages/wsproto/"),
            "site-packages/simple_websocket/",
        ),
        Group.SERVER,
    ),
    **dict.fromkeys(
        (
            *("site-packages/flask/", "site-packages/werkzeug/", "site-packages/jinja2/"),
            *("site-packages/markupsafe/", "site-packages/itsdangerous/", "site-packages/blinker/"),
            *("site-packages/flask_sock/", "site-packages/flask_jwt_extended/"),
            *("site-packages/fastapi/", "site-packages/starlette/", "site-packages/jwt/"),
        ),
        Group.FRAMEWORK,
    ),
    **dict.fromkeys(
        (
            *("site-packages/pydantic/", "site-packages/pydantic_core/"),
            *("site-packages/email_validator/", "site-packages/annotated_types/"),
            *("site-packages/spectree/", "site-packages/fastapi/_compat/v2.py:ModelField.validate"),
            # The twins' own: what one of them leaves to a library, the other does by hand.
            *("apps/flask_twin/validation.py", "apps/fastapi_twin/validation.py"),
            "apps/domain/new_user.py",
        ),
        Group.VALIDATION,
    ),
    **dict.fromkeys(
        (
            *("python/json/", "site-packages/flask/json/", "site-packages/fastapi/encoders.py"),
            "site-packages/fastapi/routing.py:serialize_response",
            "site-packages/fastapi/_compat/v2.py:ModelField.serialize",
            "site-packages/pydantic/type_adapter.py:TypeAdapter.dump_",
            "site-packages/pydantic/main.py:BaseModel.model_dump",
            "site-packages/orjson/",
        ),
        Group.SERIALISATION,
    ),
    **dict.fromkeys(
        (
            *("site-packages/requests/", "site-packages/urllib3/", "site-packages/httpx/"),
            *("site-packages/httpx2/", "site-packages/httpcore/", "site-packages/httpcore2/"),
            *("site-packages/aiohttp/", "site-packages/aiohappyeyeballs/", "site-packages/yarl/"),
            *("site-packages/multidict/", "site-packages/aiosignal/", "site-packages/frozenlist/"),
            *("site-packages/propcache/", "site-packages/certifi/"),
        ),
        Group.CLIENT,
    ),
    **dict.fromkeys(
        (
            *("site-packages/sqlalchemy/", "site-packages/flask_sqlalchemy/"),
            *("site-packages/psycopg/", "site-packages/psycopg_binary/", "site-packages/asyncpg/"),
        ),
        Group.DATABASE,
    ),
    "apps/": Group.OWN,
}
#: The same for what stands in for the standard library, or is used from several sides.
STAND_INS: Mapping[str, Group] = {
    "python/asyncio/": Group.SERVER,
    "python/selectors.py": Group.SERVER,
    "site-packages/uvloop/": Group.SERVER,
    "site-packages/gevent/": Group.SERVER,
    "site-packages/greenlet/": Group.SERVER,
    "site-packages/h11/": Group.SERVER,
    "site-packages/anyio/": Group.FRAMEWORK,
}
_STDLIB = "python/"


def group_of(stack: Sequence[str]) -> Group:
    """The group that a sample is put down to.

    Args:
        stack: its frames, from the outermost to the innermost.
    """
    stood_in: Group | None = None
    for frame in reversed(stack):
        if (group := _fitting(frame, named=True)) is not None:
            return group
        if stood_in is None:
            stood_in = _fitting(frame, named=False)
    if stood_in is not None:
        return stood_in
    is_python = any(place_of(frame).startswith(_STDLIB) for frame in stack)
    return Group.STDLIB if is_python else Group.REST


def place_of(frame: str) -> str:
    """`name (place)` -> the place."""
    return frame.rpartition(" (")[2].removesuffix(")")


def name_of(frame: str) -> str:
    """`name (place)` -> the name."""
    return frame.rpartition(" (")[0] or frame


def short_place(frame: str) -> str:
    """Where a frame's code comes from, as a reader knows it: `flask/app.py`."""
    where = place_of(frame)
    for prefix in ("site-packages/", "python/", "native/"):
        where = where.removeprefix(prefix)
    return where or "?"


@functools.lru_cache(maxsize=65_536)
def _fitting(frame: str, *, named: bool) -> Group | None:
    """The group of the longest entry that fits a frame."""
    where = f"{place_of(frame)}:{name_of(frame)}"
    table = GROUPS if named else STAND_INS
    fitting = [entry for entry in table if where.startswith(entry)]
    return table[max(fitting, key=len)] if fitting else None
