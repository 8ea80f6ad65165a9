"""A file for `twinbench versus`, with a comment on everything that it may say."""

from __future__ import annotations

import json

from harness.planning.versus import PORT

_TEMPLATE = """\
# What `twinbench versus {file}` compares. Paths are relative to this file.
# Where a command, an environment or a request has ${{NAME}}, the environment variable NAME is put in
# when it is needed; it gets into no result. Passwords and tokens must be written like that.

{services}
# What is requested. Several sources can be combined.
get = [{paths}]
# har = "shop.har"                 # recorded by a browser
# access-log = "access.log.gz"     # common or combined form; only requests that change nothing
# openapi = "openapi.json"         # valid requests are generated from it
# locustfile = "locustfile.py"     # your own Locust users, instead of requests

# JSON paths whose values may differ between the replies.
# ignore = ["$.created_at", "$.items[*].id"]

# Headers of every request.
# [header]
# authorization = "Bearer ${{TOKEN}}"

# Requests with a body, a weight or a status of their own.
# [[request]]
# method = "POST"                  # is sent only with --allow-writes
# path = "/orders"
# json = {{ item = 7, count = 1 }}
# status = 201
# weight = 3
"""

_STARTED = """\
[{place}]{comment}
{name}command = {command}
# ready = "/healthz"                       # answers with a status below 500 once it is ready
# folder = "."                             # working folder
# python = ".venv/bin/python"              # the project's own interpreter: its folder is first on PATH
# environment = {{ DATABASE_URL = "${{SHOP_DATABASE_URL}}" }}
# paths = {{ "/api/v1/*" = "/v1/*" }}        # how paths begin here, if not as in the requests
"""

_RUNNING = """\
[{place}]{comment}
{name}url = {url}
# ready = "/healthz"                       # answers with a status below 500
# verify-tls = false                       # accept a certificate that can't be verified
# paths = {{ "/api/v1/*" = "/v1/*" }}        # how paths begin here, if not as in the requests
"""

_STACK = """\
[{place}]{comment}
stack = {stack}
"""

#: Stand in a file for what nobody has named.
EXAMPLES = {
    "a": f"gunicorn shop.wsgi:app --bind 127.0.0.1:{PORT}",
    "b": f"uvicorn shop.asgi:app --port {PORT}",
}
EXAMPLE_PATH = "/"


def versus_toml(file: str, services: dict[str, str], paths: tuple[str, ...]) -> str:
    """The file's text.

    Args:
        file: Its name.
        services: "a", "b" … -> a stack, an address or a command; the first is the baseline.
        paths: Of GET requests.
    """
    tables = [
        _table(place, text, " # the baseline" if not position else "")
        for position, (place, text) in enumerate(services.items())
    ]
    # Keys stand above tables in TOML, or they would be the last table's.
    head, _, rest = _TEMPLATE.format(
        file=file,
        services="@@",
        paths=", ".join(json.dumps(path, ensure_ascii=False) for path in paths),
    ).partition("@@\n")
    keys, _, requests = rest.partition("# Headers of every request.")
    return head + keys + "\n".join(tables) + "\n# Headers of every request." + requests


def _table(place: str, text: str, comment: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    name = f'name = "{place}"\n'
    if PORT in text or any(character.isspace() for character in text):
        return _STARTED.format(place=place, comment=comment, name=name, command=quoted)
    if "://" in text:
        return _RUNNING.format(place=place, comment=comment, name=name, url=quoted)
    return _STACK.format(place=place, comment=comment, stack=quoted)
