"""A team's locustfile runs unchanged: its clients, its judgement, its weights, and what it must not do."""

import itertools
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.channel.messages import Contender
from harness.errors import BadInput
from harness.measuring.crew import Order, crew
from harness.models import CellKey, Failure, Load
from harness.planning.files import PROJECT
from tests.locustfile_load import Measured, running, seat
from tests.socket_server import Answer, nobody_listening, reply, says, serving

SHOP = '''
    """What a team has: weights, waits, a login, groups, a nested task set, a judgement of its own."""

    import random

    from locust import FastHttpUser, HttpUser, TaskSet, between, constant, events, tag, task

    seen = []


    @events.test_start.add_listener
    def note_the_start(environment, **_):
        seen.append(environment.host)


    class Browsing(TaskSet):
        @task(3)
        def list_orders(self):
            self.client.get(f"/orders?page={random.randrange(3)}", name="/orders")

        @task
        def leave(self):
            self.interrupt()


    class Base(HttpUser):
        abstract = True
        host = "https://shop.example"
        wait_time = between(0.001, 0.005)

        def on_start(self):
            assert seen == [self.host]
            reply = self.client.post("/login")
            self.client.headers["authorization"] = f"Bearer {reply.json()['message']}"


    class Customer(Base):
        weight = 3
        tasks = {Browsing: 1}

        @task(2)
        def read(self):
            with self.client.get("/orders/7", catch_response=True) as response:
                if response.json()["message"] != "Hello, World!":
                    response.failure("another order")

        @task
        def group(self):
            with self.client.rename_request("/both"):
                self.client.get("/a")
                self.client.get("/b")


    class Robot(FastHttpUser):
        fixed_count = 1
        wait_time = constant(0.001)

        @tag("robot")
        @task
        def poll(self):
            with self.rest("GET", "/status") as response:
                assert response.js["message"], "no message"
'''


@contextmanager
def noting() -> Iterator[tuple[str, list[int]]]:
    """A server that notes when it was asked."""
    came_ns: list[int] = []

    def answer(sock: socket.socket) -> bool:
        came_ns.append(time.perf_counter_ns())
        sock.sendall(reply())
        return True

    with serving(answer) as url:
        yield url, came_ns


def user(body: str, client: str = "HttpUser", wait: str = "constant(0.005)") -> str:
    lines = "\n".join(f"            {line}" for line in body.splitlines())
    return f"""
    import time
    from locust import *
    from locust.exception import StopUser

    class Asking({client}):
        wait_time = {wait}

        @task
        def ask(self):
{lines}
    """


def asked(
    tmp_path: Path,
    answer: Answer,
    body: str,
    *,
    client: str = "HttpUser",
    timeout_s: float = 60.0,
) -> Measured:
    """What comes of one user whose task is this."""
    with (
        serving(answer) as url,
        running(
            tmp_path, user(body, client).replace("URL", url), [url], timeout_s=timeout_s
        ) as users,
    ):
        users.warm_up(0.05)
        users.play(seconds=0.05, requests=4)
        (cell,) = users.finish()
    return cell


def test_a_locustfile_of_a_team_runs_unchanged(tmp_path: Path) -> None:
    with noting() as (url, came), running(tmp_path, SHOP, [url], users=4) as users:
        users.warm_up(0.5)
        users.play(seconds=2, requests=200)
        (cell,) = users.finish()
    assert cell.played.examples == ()
    assert set(cell.endpoints) == {
        "POST /login", "GET /orders", "GET /orders/7", "GET /both", "GET /status"
    }  # fmt: skip
    found = cell.requests()
    assert found["POST /login"] == 0  # once for each user, in the warm-up
    assert min(found[name] for name in found if name != "POST /login") >= 5
    assert int(cell.counted.sum()) == 200
    assert len(came) >= sum(found.values()) + 3


def test_locust_shares_out_users_by_weight_and_fixed_count(tmp_path: Path) -> None:
    def of(name: str, extra: str) -> str:
        return f"""
    class {name}(HttpUser):
        wait_time = constant(0.02)
        {extra}

        @task
        def ask(self):
            self.client.get("/{name}/" + str(id(self)))
    """

    source = "    from locust import HttpUser, constant, task\n" + of("Three", "weight = 3")
    source += of("One", "weight = 1") + of("Fixed", "fixed_count = 2")
    with serving(says(reply())) as url, running(tmp_path, source, [url], users=10) as users:
        users.warm_up(0.3)
        users.play(seconds=0.5)
        (cell,) = users.finish()
    users_of = [name.split("/")[1] for name in cell.endpoints]
    assert (users_of.count("Three"), users_of.count("One"), users_of.count("Fixed")) == (6, 2, 2)


NOT_FOUND = reply(b"{}", "404 Not Found")
CASES: list[tuple[str, Answer, str, Failure, str]] = [
    (
        "an error status",
        says(NOT_FOUND),
        'self.client.get("/x?token=abc")',
        Failure.WRONG_STATUS,
        "404",
    ),
    (
        "its own judgement",
        says(reply()),
        'with self.client.get("/x", catch_response=True) as r: r.failure("not my order")',
        Failure.WRONG_BODY,
        "GET /x: not my order",
    ),
    (
        "a reply without an end",
        says(reply(length=999), keep=False),
        'self.client.get("/x")',
        Failure.CLOSED,
        "GET /x",
    ),
    (
        "an exception in a task",
        says(reply()),
        'self.client.get("/x").json()["id"]',
        Failure.WRONG_BODY,
        "a task of Asking raised: KeyError: 'id'",
    ),
]


@pytest.mark.parametrize("client", ["HttpUser", "FastHttpUser"])
@pytest.mark.parametrize(
    ("_what", "answer", "body", "failure", "text"), CASES, ids=lambda v: str(v)[:24]
)
def test_a_failure_is_recorded_with_its_kind(
    tmp_path: Path, client: str, _what: str, answer: Answer, body: str, failure: Failure, text: str
) -> None:
    cell = asked(tmp_path, answer, body, client=client)
    kinds = set(cell.samples["failure"]) - {Failure.NONE}
    # The parser of FastHttpUser's client does not tell an early end from a reply that is none.
    assert kinds <= {failure, Failure.MALFORMED if failure is Failure.CLOSED else failure}
    assert len(kinds) == 1
    (example, *_) = cell.played.examples
    assert text in example
    assert "abc" not in example + " ".join(cell.endpoints)


@pytest.mark.parametrize("client", ["HttpUser", "FastHttpUser"])
def test_a_status_that_the_task_accepts_is_no_failure(tmp_path: Path, client: str) -> None:
    body = 'with self.client.get("/x", catch_response=True) as r: r.success()'
    cell = asked(tmp_path, says(NOT_FOUND), body, client=client)
    assert cell.played.errors == 0
    assert set(cell.samples["status"]) == {404}


@pytest.mark.parametrize("client", ["HttpUser", "FastHttpUser"])
def test_a_request_without_a_reply_fails_when_its_time_is_over(tmp_path: Path, client: str) -> None:
    sent = itertools.count()

    def silent_after_the_first(sock: socket.socket) -> bool:
        if next(sent) > 2:
            time.sleep(0.4)
        sock.sendall(reply())
        return True

    cell = asked(
        tmp_path, silent_after_the_first, 'self.client.get("/x")', client=client, timeout_s=0.2
    )
    assert int((cell.samples["failure"] == Failure.TIMEOUT).sum()) >= 1


@pytest.mark.parametrize("client", ["HttpUser", "FastHttpUser"])
def test_a_refused_connection_is_a_failure(tmp_path: Path, client: str) -> None:
    with nobody_listening() as url:
        source = user('self.client.get("/x")', client)
        with running(tmp_path, source, [url]) as users:
            users.warm_up(0.05)
            users.play(seconds=0.05, requests=3)
            (cell,) = users.finish()
    assert set(cell.samples["failure"]) == {Failure.REFUSED}


@pytest.mark.parametrize("client", ["HttpUser", "FastHttpUser"])
@pytest.mark.parametrize("way", ["absolute", "redirect"])
def test_no_request_goes_to_another_host(tmp_path: Path, client: str, way: str) -> None:
    with noting() as (other, came):
        moved = f"HTTP/1.1 302 Found\r\nlocation: {other}/x\r\ncontent-length: 0\r\n\r\n".encode()
        target = f"{other}/x" if way == "absolute" else "/x"
        cell = asked(tmp_path, says(moved), f'self.client.get("{target}")', client=client)
    assert came == []
    assert (cell.samples["failure"] == Failure.REFUSED).all()
    assert f"went to another host: {other}" in cell.played.examples[0]


@pytest.mark.parametrize("client", ["HttpUser", "FastHttpUser"])
def test_an_absolute_url_and_a_redirect_to_the_named_address_are_followed(
    tmp_path: Path, client: str
) -> None:
    pages = itertools.cycle(
        [b"HTTP/1.1 302 Found\r\nlocation: /y\r\ncontent-length: 0\r\n\r\n", reply()]
    )

    def answer(sock: socket.socket) -> bool:
        sock.sendall(next(pages))
        return True

    cell = asked(tmp_path, answer, 'self.client.get("URL/x", name="x")', client=client)
    assert cell.played.errors == 0
    assert cell.endpoints == ("GET x",)


def test_each_stack_has_a_module_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "common.py").write_text("hosts = set()\n")
    body = 'common.hosts.add(self.host)\nassert len(common.hosts) == 1\nself.client.get("/x")'
    source = user(body).replace("import time", "import time, common")
    with (
        serving(says(reply())) as one,
        serving(says(reply())) as other,
        running(tmp_path, source, [one, other]) as users,
    ):
        users.warm_up(0.05)
        for stack in (0, 1):
            users.play(stack, seconds=0.05, requests=3)
        cells = users.finish()
    assert [cell.played.errors for cell in cells] == [0, 0]


def test_nothing_of_a_block_is_left_in_the_next(tmp_path: Path) -> None:
    first = (
        user('self.client.get("/first")', wait="constant(0)")
        + """
        def on_stop(self):
            self.client.get("/bye")
    """
    )
    with noting() as (url, came), crew(size=1, cores=(), logs=tmp_path, folder=PROJECT) as members:
        users = seat(members, tmp_path, first, [url], users=3)
        users.warm_up(0.05)
        users.play(seconds=0.05, requests=20)
        (before,) = users.finish()
        users = seat(members, tmp_path, user('self.client.get("/second")'), [url])
        seated_with = len(came)
        time.sleep(0.2)
        assert len(came) == seated_with  # nobody goes on
        users.warm_up(0.05)
        users.play(seconds=0.05, requests=5)
        (after,) = users.finish()
    assert before.endpoints == ("GET /first",)
    assert after.endpoints == ("GET /second",)


def test_a_client_of_another_kind_is_measured_by_what_it_reports(tmp_path: Path) -> None:
    source = """
    import socket
    from urllib.parse import urlsplit
    from locust import User, constant, task

    class Raw(User):
        wait_time = constant(0.01)

        def on_start(self):
            parts = urlsplit(self.host)
            self.sock = socket.create_connection((parts.hostname, parts.port))

        @task
        def ask(self):
            with self.environment.events.request.measure("RAW", "hello") as meta:
                self.sock.sendall(b"hello")
                meta["response_length"] = len(self.sock.recv(1000))
    """
    with (
        serving(says(reply(), delay_s=0.01)) as url,
        running(tmp_path, source, [url], users=3) as users,
    ):
        users.warm_up(0.1)
        for cycle in range(3):
            users.play(seconds=0.2, requests=20, cycle=cycle)
        (cell,) = users.finish()
    assert cell.endpoints == ("RAW hello",)
    assert cell.played.errors == 0
    assert cell.rps == pytest.approx(3 / (0.01 + cell.latency_s), rel=0.2)


def test_a_sleep_in_a_task_goes_by_the_clock_of_turns(tmp_path: Path) -> None:
    source = user('self.client.get("/x")\ntime.sleep(0.3)', wait="constant(0)")
    with serving(says(reply())) as url, running(tmp_path, source, [url]) as users:
        users.warm_up(0.1)
        for cycle in range(6):
            users.play(seconds=0.1, cycle=cycle)
            time.sleep(0.3)
        (cell,) = users.finish()
    assert 1 <= len(cell.samples["slice"]) <= 3  # 0.6 s of turns, and not one in each


EMPTY = "    from locust import HttpUser, User, task\n"
MISTAKES: list[tuple[str, str, bool]] = [
    ("    def broken(:\n", ":1: invalid syntax", False),
    ("    x = 1\n", "has no User class that is not abstract", False),
    (EMPTY + "    class A(HttpUser):\n        abstract = True\n", "has no User class", False),
    ("    import nowhere_to_be_found\n", "No module named 'nowhere_to_be_found'", False),
    ("    raise RuntimeError('no luck')\n", "can't be imported: RuntimeError: no luck", False),
    ("    import sys\n    sys.exit(3)\n", "can't be imported: SystemExit: 3", False),
    (
        EMPTY + "    class A(HttpUser):\n        fixed_count = 1\n\n        @task\n        def a(self): pass\n",
        "its fixed_counts allow 1 users, and 2 are to load",
        False,
    ),
    (
        EMPTY + "    class A(HttpUser):\n        def on_start(self): raise ValueError('no login')\n",
        "on_start of A raised ValueError: no login",
        True,
    ),
    (user("raise StopUser"), "Asking ended (StopUser", True),
    (user("self.environment.runner.quit()"), "Asking ended (StopUser", True),
    (user("raise SystemExit(1)"), "Asking ended with SystemExit: 1", True),
    (EMPTY + "    class A(HttpUser): pass\n", "no request of A within", True),
    (user("raise KeyError('id')"), "its tasks raised KeyError: 'id'", True),
]  # fmt: skip


def complaint(tmp_path: Path, source: str, url: str, *, in_warmup: bool) -> str:
    """What is said when the users are seated, or in the warm-up."""
    with crew(size=1, cores=(), logs=tmp_path, folder=PROJECT) as members:
        if not in_warmup:
            with pytest.raises(BadInput) as caught:
                seat(members, tmp_path, source, [url], users=2)
            return str(caught.value)
        users = seat(members, tmp_path, source, [url], users=2)
        with pytest.raises(BadInput) as caught:
            users.warm_up(0.2)
        return str(caught.value)


@pytest.mark.parametrize(("source", "message", "in_warmup"), MISTAKES, ids=lambda v: str(v)[-30:])
def test_a_mistake_is_said_in_one_line(
    tmp_path: Path, source: str, message: str, in_warmup: bool
) -> None:
    with serving(says(reply())) as url:
        said = complaint(tmp_path, source, url, in_warmup=in_warmup)
    assert message in said
    assert str(tmp_path / "locustfile.py") in said
    assert "\n" not in said


def test_a_missing_file_is_said_in_one_line(tmp_path: Path) -> None:
    cell = CellKey("stack", "versus", "closed-1")
    contenders = (Contender(cell, Load(1), "http://127.0.0.1:9"),)
    missing = tmp_path / "locustfile.py"
    with (
        crew(size=1, cores=(), logs=tmp_path, folder=PROJECT) as members,
        pytest.raises(BadInput, match="there is no such file"),
    ):
        members.seat(Order("", contenders, 10.0, "seed", locustfile=str(missing)))
