import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import StacksFileError
from harness.plan import STACKS_FILE
from harness.servers import COMMANDS
from harness.stacks import SERVERS, load_stacks

GOOD = """\
[mine]
twin = "flask"
app = "apps.flask_twin:create_app"
server = "gunicorn"
isolates = "one thing"
options = ["--threads", "4"]

[mine.settings]
database_pool = "5"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "stacks.toml"
    path.write_text(text)
    return path


def test_an_entry_becomes_a_stack(tmp_path: Path) -> None:
    stack = load_stacks(written(tmp_path, GOOD))["mine"]
    assert (stack.name, stack.label, stack.twin, stack.server) == (
        ("mine", "mine", "flask", "gunicorn")
    )
    assert stack.options == ("--threads", "4")
    assert stack.settings == {"database_pool": "5"}


def test_the_projects_own_file_is_well_formed() -> None:
    stacks = load_stacks(STACKS_FILE)
    assert {"flask-gthread", "fastapi-uvicorn", "fastapi-httpx2", "fastapi-aiohttp"} <= set(stacks)


def test_every_server_that_a_file_may_name_can_be_started() -> None:
    assert set(SERVERS) == set(COMMANDS)


@pytest.mark.parametrize(
    ("change", "line", "problem"),
    [
        (('twin = "flask"', 'twin = "django"'), 2, "twin 'django' is not one of: flask, fastapi"),
        (('twin = "flask"', "twin = flask"), 2, "Invalid value"),
        (('server = "gunicorn"', 'server = "hypercorn"'), 4, "server 'hypercorn' is not one of"),
        (('server = "gunicorn"', ""), 1, "field 'server' is missing"),
        (
            ('app = "apps.flask_twin:create_app"', 'app = "apps"'),
            3,
            "app 'apps' is not of the form",
        ),
        (("options = [", "options = [4, "), 6, "'options' must be a list of texts"),
        (('options = ["--threads", "4"]', 'options = "x"'), 6, "'options' must be a list"),
        (('isolates = "one thing"', "isolates = 3"), 5, "'isolates' must be text in quotes"),
        (('isolates = "one thing"', 'isolate = "one thing"'), 5, "unknown field 'isolate'"),
        (('database_pool = "5"', "database_pool = 5"), 9, "setting 'database_pool' must be text"),
        (("[mine]", '["a/b"]\ntwin = "flask"\n[mine]'), 1, "a name has letters, digits"),
        (("[mine]", "loose = 3\n[mine]"), 1, "'loose' stands outside a table"),
    ],
)
def test_a_malformed_file_is_named_with_line_and_problem(
    tmp_path: Path, change: tuple[str, str], line: int, problem: str
) -> None:
    path = written(tmp_path, GOOD.replace(*change))
    with pytest.raises(StacksFileError) as error:
        load_stacks(path)
    assert str(error.value).startswith(f"{path}:{line}: ")
    assert problem in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StacksFileError, match=r"nowhere\.toml: can't be read"):
        load_stacks(tmp_path / "nowhere.toml")


def test_an_empty_file_says_what_to_add(tmp_path: Path) -> None:
    with pytest.raises(StacksFileError, match="has no stack"):
        load_stacks(written(tmp_path, "# nothing\n"))


@given(st.text(max_size=200))
def test_whatever_the_text_the_answer_is_stacks_or_one_line(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stacks.toml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        message = ""
        try:
            assert load_stacks(path)
        except StacksFileError as error:
            message = str(error)
        assert "\n" not in message
