"""`twinbench profile` with real servers and the real sampler."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import store
from tests.integration.conftest import Command

pytestmark = pytest.mark.thorough


def test_a_profile_says_which_library_takes_the_cpu_time(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    command = twinbench(
        # The sampler sees as little as a fifth of the CPU time of Flask's threads.
        *("profile", "users-validate", "--profile", "smoke", "--rounds", 1, "--seconds", 8),
        *("--json", "--out", tmp_path),
    )
    code, out, err = command.finish()
    assert code == 0, err
    assert command.left_running() == []
    said = json.loads(out)
    shares = {(row["stack"], row["group"]): row["share"] for row in said["shares"]}
    for stack in ("flask-gthread", "fastapi-uvicorn"):
        assert sum(shares[key] for key in shares if key[0] == stack) == pytest.approx(1)
        for group in ("server", "framework", "validation"):
            assert shares[stack, group] > 0.01, (stack, group)
        assert shares[stack, "rest"] < 0.1 if (stack, "rest") in shares else True
        # Nobody asks the database, but Flask-SQLAlchemy looks after each request for a session to end.
        assert shares.get((stack, "database"), 0.0) < 0.05
    rows = {row["stack"]: row for row in said["stacks"]}
    for row in rows.values():
        assert row["samples"] > 50
        assert row["requests"] > 100
        assert row["cpu_us_per_request"] > 0
    # Threads hand the GIL to each other; an event loop has one thread.
    assert (
        rows["flask-gthread"]["voluntary_switches_per_request"]
        > rows["fastapi-uvicorn"]["voluntary_switches_per_request"]
    )
    folder = Path(said["run"])
    assert store.read_profile(folder).ended
    for stack in rows:
        drawn = (folder / "report" / "charts" / f"flame-users-validate-{stack}.svg").read_text()
        titles = [
            title.text for title in ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}title")
        ]
        assert any("apps/" in str(title) for title in titles)
    # Nothing that is kept names this machine.
    for file in folder.rglob("*.txt"):
        assert str(Path.cwd()) not in file.read_text()
    again = twinbench("report", folder, "--json").finish()
    assert (again[0], json.loads(again[1])) == (0, said)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("helo",), "did you mean hello"),
        (("hello", "--stack", "flask-gtread"), "did you mean flask-gthread"),
        (("hello", "--seconds", "0"), "--seconds 0: give"),
        (("startup",), "has no server under load"),
        ((), "Missing argument 'SCENARIO'"),
    ],
)
def test_bad_input_is_one_line_before_anything_starts(
    twinbench: Callable[..., Command], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = twinbench("profile", *arguments, "--out", tmp_path / "new").finish()
    assert (code, out) == (2, "")
    assert message in err
    assert not (tmp_path / "new").exists()
