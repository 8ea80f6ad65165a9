import dataclasses
import os
import tempfile
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps import contract
from harness.errors import StacksFileError
from harness.models import Stack
from harness.planning.files import PROJECT, STACKS_FILE
from harness.planning.stacks import SERVERS, load_stacks, worker_count
from harness.serving.servers import COMMANDS

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


BESIDE = """
[other]
like = "mine"
isolates = "another thing"
workers = "2n+1"

[other.settings]
upstream_pool = "7"
"""


def test_an_entry_takes_over_from_its_neighbour_what_it_does_not_say(tmp_path: Path) -> None:
    stacks = load_stacks(written(tmp_path, GOOD + BESIDE))
    mine, other = stacks["mine"], stacks["other"]
    assert other == dataclasses.replace(
        mine,
        name="other",
        label="other",
        isolates="another thing",
        workers="2n+1",
        settings={"database_pool": "5", "upstream_pool": "7"},
    )
    assert mine.settings == {"database_pool": "5"}


def test_a_neighbour_of_a_neighbour_is_followed(tmp_path: Path) -> None:
    third = '[third]\nlike = "other"\nisolates = "x"\noptions = []\n'
    stack = load_stacks(written(tmp_path, GOOD + BESIDE + third))["third"]
    assert (stack.options, stack.workers, stack.settings["upstream_pool"]) == ((), "2n+1", "7")


@pytest.mark.parametrize(
    ("change", "line", "problem"),
    [
        (('like = "mine"', 'like = "yours"'), 12, "no such stack stands above it"),
        (('like = "mine"', 'like = "other"'), 12, "no such stack stands above it"),
        (('isolates = "another thing"', ""), 11, "field 'isolates' is missing"),
        (('"2n+1"', '"many"'), 14, "workers 'many' is not one of"),
        (('"2n+1"', '"0"'), 14, "workers '0' is not one of"),
        (('"2n+1"', "3"), 14, "'workers' must be text in quotes"),
    ],
)
def test_a_malformed_neighbour_is_named_with_line_and_problem(
    tmp_path: Path, change: tuple[str, str], line: int, problem: str
) -> None:
    path = written(tmp_path, GOOD + BESIDE.replace(*change))
    with pytest.raises(StacksFileError) as error:
        load_stacks(path)
    assert str(error.value).startswith(f"{path}:{line}: stack 'other': ")
    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("own", "cores", "count"),
    [("", (0, 1), 4), ("3", (0, 1), 3), ("n", (0, 1), 2), ("2n+1", (0, 1), 5), ("2n+1", (0,), 3)],
)
def test_a_stack_has_the_plans_number_of_workers_unless_it_has_its_own(
    tmp_path: Path, own: str, cores: tuple[int, ...], count: int
) -> None:
    stack = dataclasses.replace(load_stacks(written(tmp_path, GOOD))["mine"], workers=own)
    assert worker_count(stack, 4, cores) == count


def test_where_nothing_is_pinned_a_stack_has_the_whole_machine(tmp_path: Path) -> None:
    stack = dataclasses.replace(load_stacks(written(tmp_path, GOOD))["mine"], workers="n")
    assert worker_count(stack, 1, ()) == os.cpu_count()


# ---------------------------------------------------------------- the project's own

OWN = load_stacks(STACKS_FILE)
ENTRIES = tomllib.loads(STACKS_FILE.read_text("utf-8"))
HEADLINE = {"flask-gthread", "fastapi-uvicorn"}
#: Neighbours that can't differ in one thing alone.
SEVERAL = {
    "fastapi-def": {"handlers", "http_client", "database_driver"},  # none works without the others
    # A server of development has one process, whatever the others have.
    "flask-dev": {"server", "workers"},
    "fastapi-dev": {"options", "workers"},
    "fastapi-mounts-flask": {"twin", "app", "server"},  # an application of its own
}


def test_the_project_has_the_stacks_of_its_contract() -> None:
    assert len(OWN) >= 18
    assert set(OWN) >= HEADLINE


@pytest.mark.parametrize("name", [name for name in OWN if name not in HEADLINE])
def test_a_stack_differs_from_its_neighbour_in_one_thing_and_names_it(name: str) -> None:
    stack, neighbour = OWN[name], OWN[ENTRIES[name]["like"]]
    assert stack.isolates.startswith(neighbour.name)
    settings = {**stack.settings, **neighbour.settings}
    differing = {
        field
        for field in ("twin", "app", "server", "workers")
        if getattr(stack, field) != getattr(neighbour, field)
    } | {key for key in settings if stack.settings.get(key) != neighbour.settings.get(key)}
    if stack.server == neighbour.server and stack.options != neighbour.options:
        differing.add("options")  # another server takes other ones
    assert differing == SEVERAL.get(name, differing)
    assert len(differing) == 1 or name in SEVERAL


@pytest.mark.parametrize("stack", OWN.values(), ids=lambda stack: stack.name)
def test_a_stack_is_told_in_one_sentence(stack: Stack) -> None:
    assert stack.isolates.endswith(".")
    assert stack.isolates.count(". ") == 0
    assert len(stack.isolates) <= 100


def test_no_stack_says_what_the_harness_says_for_all() -> None:
    equal = ("--keep-alive", "--timeout-keep-alive", "--workers", "--log", "--access", "--bind")
    for stack in OWN.values():
        assert not [option for option in stack.options if option.startswith(equal)]
        assert not {"database_pool", "upstream_pool", "upstream_timeout_s"} & set(stack.settings)


def test_every_stack_stands_in_the_page_about_the_ladder() -> None:
    text = (PROJECT / "docs" / "STACKS.md").read_text()
    for name in OWN:
        assert f"`{name}`" in text, name


def test_what_a_stack_breaks_stands_in_the_contract_and_in_the_page_about_the_ladder() -> None:
    text = (PROJECT / "docs" / "STACKS.md").read_text()
    known = {one.name for one in (*contract.samples("once"), *contract.exchanges())}
    for stack in OWN.values():
        assert set(stack.breaks) <= known
        assert not stack.breaks or f"`{stack.name}` breaks" in text


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
        (("options = [", "breaks = [4]\noptions = ["), 6, "'breaks' must be a list of texts"),
        (('isolates = "one thing"', "isolates = 3"), 5, "'isolates' must be text in quotes"),
        (('isolates = "one thing"', 'isolate = "one thing"'), 5, "unknown field 'isolate'"),
        (('database_pool = "5"', "database_pool = 5"), 9, "setting 'database_pool' must be text"),
        (("[mine]", '["a/b"]\ntwin = "flask"\n[mine]'), 1, "a name may have letters, digits"),
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


@pytest.mark.parametrize(
    ("stack", "threads"),
    [
        ("flask-gthread", 40),
        ("flask-granian", 40),
        ("fastapi-def", 40),
        ("flask-gevent", None),
        ("fastapi-uvicorn", None),
        ("fastapi-aiohttp", None),
    ],
)
def test_a_stack_tells_how_many_requests_its_threads_handle(
    stack: str, threads: int | None
) -> None:
    assert load_stacks(STACKS_FILE)[stack].threads == threads


def test_threads_are_read_in_both_forms_of_an_option() -> None:
    stack = load_stacks(STACKS_FILE)["flask-gthread"]
    assert dataclasses.replace(stack, options=("--threads=8",)).threads == 8
    assert dataclasses.replace(stack, options=("--threads", "all")).threads is None
