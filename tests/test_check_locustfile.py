"""What can be said of a locustfile without running it."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.errors import BadInput
from harness.planning.requests.locustfile import check_locustfile

GOOD = """
from locust import FastHttpUser as Fast, HttpUser, LoadTestShape, TaskSet, task
import locust

class Base(HttpUser):
    abstract = True

class Browsing(TaskSet):
    @task
    def get(self): self.client.get("/")

class Customer(Base):
    tasks = [Browsing]

class Robot(Fast):
    abstract: bool = False

class Plain(locust.User): ...

class Ramp(LoadTestShape): ...
"""


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "locustfile.py"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_users_are_those_that_locust_would_run(tmp_path: Path) -> None:
    facts = check_locustfile(written(tmp_path, GOOD))
    assert facts.users == ("Customer", "Robot", "Plain")
    (note,) = facts.notes
    assert note.startswith("Ramp of locustfile.py is left out")


def test_nothing_of_the_file_is_run(tmp_path: Path) -> None:
    text = f"open({str(tmp_path / 'ran')!r}, 'w')\nimport nowhere_to_be_found\n{GOOD}"
    check_locustfile(written(tmp_path, text))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "text",
    [
        "from common import ApiUser\n",  # a user that the file only imports
        "from common import *\n",
        "from common import ApiUser\nclass Mine(ApiUser): ...\n",
    ],
)
def test_what_only_running_can_tell_is_left_to_the_load_process(tmp_path: Path, text: str) -> None:
    check_locustfile(written(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\ndef broken(:\n", ":2: invalid syntax"),
        ("class Shop: ...\n", ": has no User class: a locustfile has a subclass of HttpUser"),
        (
            "from locust import HttpUser\nclass A(HttpUser):\n    abstract = True\n",
            ": all its User classes are abstract: A; leave out 'abstract = True' in one",
        ),
        (b"x = '\xff'\n", ":1: "),
        (b"x = 1\0\n", ""),
    ],
)
def test_a_mistake_is_said_in_one_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        check_locustfile(path)
    assert str(caught.value).startswith(f"{path}{message}")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.py: can't be read: No such file"):
        check_locustfile(tmp_path / "nowhere.py")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--rate", "100"), "--rate needs requests that can be sent on a schedule"),
        (("--slo", "p99<100ms"), "--slo needs requests that can be sent on a schedule"),
    ],
)
def test_users_of_a_locustfile_keep_no_schedule(
    tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    path = written(tmp_path, GOOD)
    out = tmp_path / "results"
    services = ("--a", "http://127.0.0.1:1", "--b", "http://127.0.0.1:2")
    result = CliRunner().invoke(
        cli, ["versus", *services, "--locustfile", str(path), *words, "--out", str(out)]
    )
    assert message in str(result.exception)
    assert not out.exists()
