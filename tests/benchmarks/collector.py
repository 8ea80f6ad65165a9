"""What Python's garbage collector does while a stack looks up users.

`python -m tests.benchmarks.collector` (or `make bench-collector`) prints a table in less than two
minutes. docs/STACKS.md explains the figures.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import psycopg
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from apps import contract
from apps.domain.models import User
from harness.errors import LoadFailed
from harness.machine.placement import place_here
from harness.models import Stack
from harness.planning.files import PROJECT, STACKS_FILE
from harness.planning.options import UPSTREAM_LATENCY
from harness.planning.stacks import load_stacks
from harness.processes import children
from harness.serving import services
from harness.serving.servers import serving
from tests.benchmarks import watched

STACKS = ("flask-gthread", "flask-gthread-freeze", "fastapi-uvicorn", "fastapi-uvicorn-freeze")
USERS = (1, 16)
MOST_USERS = max(USERS)
REQUESTS = 4_000
#: Until every request waits for a lock in the database.
LOCKED_S = 1.0

COLUMNS = {
    "Users": "requests in flight at once",
    "In a row": "requests that begin before one ends",
    "Gen 0": "passes over the youngest generation, per 1,000 requests",
    "Gen 1": "passes over the two younger generations, per 1,000 requests",
    "Full": "passes over all objects that are not frozen, per 1,000 requests",
    "ms": "length of a full pass",
    "Walked": "objects that a full pass walks",
    "Freed": "objects that the collector frees, per request",
    "Held": "objects that a request holds while it waits for the database",
}


class Server:
    """A stack with a watch, and connections to it that stay open."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url).netloc
        self._watch = HTTPConnection(where, timeout=30)
        self._connections = [HTTPConnection(where, timeout=30) for _ in range(MOST_USERS)]

    def watch(self, path: str) -> Any:
        """The watch's answer."""
        self._watch.request("GET", path)
        return json.loads(self._watch.getresponse().read())

    def load(self, users: int, requests: int) -> None:
        """Send so many requests, each as soon as its user has had the last reply."""
        numbers = iter(range(requests))

        def user(connection: HTTPConnection) -> None:
            for number in numbers:
                connection.request("GET", f"/users/{1 + 20 * number % contract.SEEDED_USERS}")
                reply = connection.getresponse()
                reply.read()
                if reply.status != 200:
                    raise LoadFailed(f"GET /users/…: {reply.status} {reply.reason}")

        with ThreadPoolExecutor(users) as pool:
            list(pool.map(user, self._connections[:users]))

    def objects_of_a_request(self, database_url: str) -> float:
        """Objects that the collector tracks for each request that waits for the database."""
        at_rest = self.watch(watched.OBJECTS)
        with psycopg.connect(database_url) as connection:
            connection.execute(f"LOCK TABLE {User.__table__} IN ACCESS EXCLUSIVE MODE")
            for user in self._connections:
                user.request("GET", "/users/1")
            time.sleep(LOCKED_S)
            waiting = self.watch(watched.OBJECTS)
        for user in self._connections:
            user.getresponse().read()
        return float(waiting - at_rest) / MOST_USERS


def rows(stack: Stack, server: Server, database_url: str) -> Iterator[Sequence[str]]:
    """A row for each number of users."""
    for users in USERS:
        server.load(users, REQUESTS // 10)
        server.watch(watched.PASSES)
        server.load(users, REQUESTS)
        seen = server.watch(watched.PASSES)
        _, _, full = seen["passes"]
        yield (
            stack.name,
            str(users),
            f"{seen['starts'] / seen['runs']:.1f}",
            *(f"{1_000 * passes / REQUESTS:.2f}" for passes in seen["passes"]),
            f"{seen['ms'][2] / full:.1f}" if full else "",
            f"{seen['walked'] / full:,.0f}" if full else "",
            f"{seen['freed'] / REQUESTS:.1f}",
            f"{server.objects_of_a_request(database_url):.0f}" if users == MOST_USERS else "",
        )


def main() -> None:
    """Measure one stack after the other and print a row for each number of users."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("Stack", no_wrap=True)
    for name in COLUMNS:
        table.add_column(name, justify="right")
    where = place_here()
    with (
        children.scratch_folder("logs") as logs,
        services.running(
            upstream_latency=UPSTREAM_LATENCY,
            seed=0,
            cores=where.services,
            logs=logs,
            folder=PROJECT,
        ) as running,
    ):
        database_url = running.environment["TWIN_DATABASE_URL"].replace("+psycopg", "")
        for name in STACKS:
            stack = load_stacks(STACKS_FILE)[name]
            with serving(
                [replace(stack, app=f"{watched.__name__}:{stack.twin}")],
                workers=1,
                environment={**running.environment, "TWIN_CLASSIFIER": "off"},
                cores=where.servers,
                start_cores=where.servers,
                logs=logs,
                folder=PROJECT,
            ) as targets:
                server = Server(targets[stack.label].url)
                for row in rows(stack, server, database_url):
                    table.add_row(*row)
    console = Console(width=110)  # also where no terminal says how wide it is
    console.print(table)
    for name, words in COLUMNS.items():
        console.print(f"{name}: {words}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
