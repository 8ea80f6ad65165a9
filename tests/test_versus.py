"""`twinbench versus`: services, files and options become a plan, or one line that says what is wrong."""

import dataclasses
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.cli.main import cli
from harness.errors import BadInput
from harness.models import OWN, OwnRequest, OwnRequests, OwnService, Slo, Stack
from harness.planning.fail_if import parse_fail_ifs
from harness.planning.files import STACKS_FILE
from harness.planning.options import RunOptions
from harness.planning.slo import parse_slo
from harness.planning.stacks import load_stacks
from harness.planning.versus import (
    checked_url,
    own_stack,
    refuse_foreign_hosts,
    service_of,
    versus_catalogue,
    versus_plan,
    with_headers,
    with_paths,
    without_writes,
)
from harness.planning.versus_file import read_versus_file
from harness.planning.versus_init import versus_toml

STACKS = load_stacks(STACKS_FILE)
GET = OwnRequest("GET /hello", "GET", "/hello")
A = own_stack("a", OwnService(command=("python", "a.py", "{port}")))
B = own_stack("b", OwnService(url="http://127.0.0.1:8001"))


def test_a_service_is_a_stack_an_address_or_a_command() -> None:
    assert service_of("a", "flask-gthread", STACKS) == STACKS["flask-gthread"]
    running = service_of("b", "http://127.0.0.1:8000/api/", STACKS)
    assert running.is_running
    assert (running.label, running.twin) == ("b", OWN)
    assert running.own is not None
    assert running.own.url == "http://127.0.0.1:8000/api"
    started = service_of("c", "gunicorn 'shop:make()' -b 127.0.0.1:{port}", STACKS)
    assert not started.is_running
    assert started.own is not None
    assert started.own.command == ("gunicorn", "shop:make()", "-b", "127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flask-gthred", "--a unknown stack 'flask-gthred': did you mean flask-gthread"),
        ("python app.py", "--a: the command has no {port}"),
        ("python 'app.py {port}", "--a: the command can't be split into words"),
        ("  ", "--a '': give a stack, an address or a command"),
        ("ftp://127.0.0.1", "--a ftp://127.0.0.1: give an address such as"),
        ("http://127.0.0.1:70000", "--a http://127.0.0.1:70000: Port out of range"),
        ("http://me:secret@127.0.0.1", "must have no user name and no password"),
        ("http://127.0.0.1/x?y=1", "leave out what follows the path"),
    ],
)
def test_what_is_no_service_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        service_of("a", text, STACKS)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "http://me:verysecret@127.0.0.1",
        "ftp://me:verysecret@127.0.0.1",
        "http://me:verysecret@127.0.0.1:99999",
        "http://127.0.0.1/?api_key=verysecret",
        "python app.py --token verysecret {port}",
        "python app.py --token=verysecret {port}",
        "env DB_PASSWORD=verysecret python app.py {port}",
        "python app.py --db postgres://me:verysecret@127.0.0.1/x {port}",
        "python app.py 'verysecret {port}",
    ],
)
def test_a_credential_that_is_written_out_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        service_of("a", text, STACKS)
    assert "verysecret" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "python app.py --token ${TOKEN} {port}",
        "env DB_PASSWORD=${PW} python app.py {port}",
        "gunicorn app:x --bind 127.0.0.1:{port} --keep-alive 5",
        "python app.py --pass-through --port {port}",
    ],
)
def test_a_command_without_a_credential_is_taken(text: str) -> None:
    assert service_of("a", text, STACKS).own is not None


@pytest.mark.parametrize(
    "text",
    ["http://127.0.0.1:0", "http://127.0.0.1/${TENANT}", "http://a..b", "http://127.0.0.1/a b"],
)
def test_an_address_that_nobody_can_ask_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        checked_url("--a", text)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "[::1]", "shop.localhost"])
def test_services_on_this_machine_may_be_loaded(host: str) -> None:
    stack = own_stack("a", OwnService(url=f"http://{host}:80"))
    refuse_foreign_hosts([stack, STACKS["flask-gthread"], A], own_this_host=False)


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "example.com", "localhost.example.com", "[2001:db8::1]"]
)
def test_other_hosts_only_if_somebody_answers_for_them(host: str) -> None:
    stack = own_stack("a", OwnService(url=f"http://{host}:80"))
    with pytest.raises(BadInput, match="--i-own-this-host"):
        refuse_foreign_hosts([stack], own_this_host=False)
    refuse_foreign_hosts([stack], own_this_host=True)


@pytest.mark.parametrize(
    ("path", "here"),
    [
        ("/api/v1/orders/7", "/v1/orders/7"),
        ("/api/v1/", "/v1/"),
        ("/api/v1x", "/api/v1x"),
        ("/other?x=/api/v1/", "/other?x=/api/v1/"),
    ],
)
def test_a_path_map_replaces_beginnings(path: str, here: str) -> None:
    (stack,) = with_paths([B], ["b:/api/v1/*=/v1/*"])
    assert stack.own is not None
    assert stack.own.path_of(path) == here


def test_a_beginning_ends_where_a_segment_ends() -> None:
    (stack,) = with_paths([B], ["b:/api=/"])
    assert stack.own is not None
    assert stack.own.path_of("/api") == "/"
    assert stack.own.path_of("/apis") == "/apis"


@pytest.mark.parametrize("text", ["/api=/v1", "c:/api=/v1", "b:/api", "b:api=/v1", "b:/a*c=/v1"])
def test_a_map_that_can_not_be_read_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="--map"):
        with_paths([A, B], [text])


def test_headers_of_all_requests_replace_those_of_one() -> None:
    own = dataclasses.replace(GET, headers=(("Accept", "text/html"), ("x-a", "1")))
    (made,) = with_headers(OwnRequests((own,)), [("accept", "*/*")]).requests
    assert made.headers == (("x-a", "1"), ("accept", "*/*"))


def test_requests_that_change_state_are_left_out_unless_they_are_allowed() -> None:
    both = OwnRequests((GET, OwnRequest("POST /x", "POST", "/x")))
    kept = without_writes(both, allowed=False)
    assert kept.requests == (GET,)
    assert kept.notes == ("left out 1 request that may change state: --allow-writes sends them",)
    assert without_writes(both, allowed=True) == both


def test_a_plan_has_one_scenario_with_the_requests_and_the_services() -> None:
    catalogue = versus_catalogue([A, STACKS["flask-gthread"]], [GET])
    plan = versus_plan(catalogue, RunOptions(users=(4,)))
    (block,) = plan.blocks
    assert block.stacks == ("a", "flask-gthread")
    assert block.scenario.requests == (GET,)
    assert block.scenario.is_own
    assert block.scenario.endpoints == ("GET /hello",)
    assert block.load.users == 4
    assert plan.stacks[0].own == A.own


def test_twins_get_the_services_that_the_requests_need() -> None:
    lookup = OwnRequest("a", "GET", "/users/17")
    twin = STACKS["flask-gthread"]
    assert versus_catalogue([A, twin], [GET]).scenarios["versus"].needs == ()
    assert versus_catalogue([A, twin], [lookup]).scenarios["versus"].needs == ("database",)
    assert versus_catalogue([A, B], [lookup]).scenarios["versus"].needs == ()


def test_a_stack_may_be_compared_with_itself() -> None:
    twin = STACKS["flask-gthread"]
    plan = versus_plan(versus_catalogue([twin, twin], [GET]), RunOptions())
    assert plan.blocks[0].stacks == ("flask-gthread", "flask-gthread#2")


def test_a_promise_makes_a_search() -> None:
    slo: Slo = parse_slo("p99<100ms")
    plan = versus_plan(versus_catalogue([A, B], [GET]), RunOptions(), slo=slo)
    assert plan.blocks[0].search is not None
    assert plan.blocks[0].load.slo == slo
    assert plan.same_within == RunOptions().same_within
    for idle in (RunOptions(precision=0.02), RunOptions(slice_s=1.0)):
        with pytest.raises(BadInput, match="has no meaning in a search"):
            versus_plan(versus_catalogue([A, B], [GET]), idle, slo=slo)
    with pytest.raises(BadInput, match="--fail-if has no meaning in a search"):
        versus_plan(
            versus_catalogue([A, B], [GET]),
            RunOptions(fail_ifs=parse_fail_ifs(("throughput<0.95",))),
            slo=slo,
        )
    with pytest.raises(BadInput, match="leave out --users and --rate"):
        versus_plan(versus_catalogue([A, B], [GET]), RunOptions(users=(4,)), slo=slo)


def test_weights_are_kept_in_proportion_where_they_are_large() -> None:
    requests = [
        dataclasses.replace(GET, weight=3_000_000),
        OwnRequest("b", "GET", "/b", weight=1_000_000),
        OwnRequest("c", "GET", "/c", weight=1),
    ]
    made = versus_catalogue([A, B], requests).scenarios["versus"].requests
    assert [request.weight for request in made] == [7500, 2500, 1]


@pytest.mark.parametrize(
    ("stacks", "requests", "message"),
    [
        ([A], [GET], "two services are compared"),
        ([A, B], [], "nothing to request"),
        ([A, A], [GET], "two services are called 'a'"),
    ],
)
def test_nothing_to_compare_is_refused(
    stacks: list[Stack], requests: list[OwnRequest], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        versus_catalogue(stacks, requests)


WHOLE_FILE = """
get = ["/hello"]
ignore = ["$.at"]

[a]
name = "old"
command = "python app.py {port}"
folder = "shop"
ready = "/healthz"
environment = { DATABASE_URL = "${SHOP_DB}", MODE = "fast" }

[b]
url = "http://127.0.0.1:8001"
verify-tls = false
paths = { "/api/*" = "/*" }

[c]
stack = "flask-gthread"

[header]
authorization = "Bearer ${TOKEN}"

[[request]]
method = "POST"
path = "/orders"
json = { item = 7 }
status = 201
"""


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "shop.toml"
    file.write_text(text)
    return file


def test_a_file_says_all_of_it(tmp_path: Path) -> None:
    read = read_versus_file(written(tmp_path, WHOLE_FILE), STACKS)
    old, new, twin = read.stacks
    assert old.own is not None
    assert new.own is not None
    assert old.label == "old"
    assert old.own.folder == str(tmp_path / "shop")
    assert old.own.environment == {"DATABASE_URL": "${SHOP_DB}", "MODE": "fast"}
    assert old.own.ready == "/healthz"
    assert not new.own.verify_tls
    assert new.own.path_of("/api/x") == "/x"
    assert twin == STACKS["flask-gthread"]
    assert read.ignore == ("$.at",)
    assert read.headers == (("authorization", "Bearer ${TOKEN}"),)
    requests = read.sources.read(writes=True, seed=0).requests
    assert [request.name for request in requests] == ["GET /hello", "POST /orders"]
    assert requests[1].body == '{"item":7}'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a]\nstack = 'x'\n[q]\n", "unknown field 'q'"),
        ("[a]\nurl = 'http://127.0.0.1'\nstack = 'x'\n", "[a] needs exactly one of"),
        ("[a]\nurl = 7\n", "[a]: 'url' must be text in quotes"),
        ("[a]\nport = 7\n", "[a] has an unknown field 'port'"),
        ("[a]\nstack = 'nope'\n", "there is no stack 'nope'"),
        ("[a]\ncommand = 'python x.py'\n", "the command has no {port}"),
        ("[a]\nname = '../x'\nurl = 'http://127.0.0.1'\n", "may have letters, digits"),
        ("[a]\ncommand = 'x {port}'\npython = 'nope'\n", "there is no such file"),
        ("[a]\ncommand = 'x {port}'\nready = 'healthz'\n", "must begin with /"),
        ("[a]\ncommand = 'x {port}'\nenvironment = { A = 1 }\n", "must be text in quotes"),
        (
            "[a]\ncommand = 'x {port}'\nenvironment = { API_TOKEN = 'abc123' }\n",
            "API_TOKEN holds a credential",
        ),
        ("[header]\nauthorization = 'Bearer abcdef'\n", "holds a credential"),
        ("[header]\ncontent-length = '5'\n", "twinbench sends it by itself"),
        ("[a]\nstack = 'flask-gthread'\nname = 'old'\n", "'name' has no meaning for a stack"),
        ("[a]\ncommand = 'x --token abc {port}'\n", "holds a credential"),
        ("get = [7]\n", "'get' must be a list of texts"),
        ("request = ['/x']\n", "[[request]]"),
        ("get = '/x'\n", "'get' must be a list"),
        ("[a\n", "can't be read as TOML"),
    ],
)
def test_a_file_with_a_mistake_is_refused_in_one_line(
    tmp_path: Path, text: str, message: str
) -> None:
    file = written(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        read_versus_file(file, STACKS)
    assert message in str(caught.value)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "services",
    [
        {"a": "gunicorn shop:app -b 127.0.0.1:{port}", "b": "http://127.0.0.1:8001"},
        {"a": "flask-gthread", "b": 'python -c "print(1)" {port}'},
    ],
)
def test_a_new_file_can_be_read(tmp_path: Path, services: dict[str, str]) -> None:
    text = versus_toml("shop.toml", services, ("/x", "/y"))
    read = read_versus_file(written(tmp_path, text), STACKS)
    assert len(read.stacks) == 2
    assert read.sources.paths == ("/x", "/y")
    for stack, given in zip(read.stacks, services.values(), strict=True):
        meant = service_of("a", given, STACKS)
        if meant.own is None or stack.own is None:
            assert stack == meant
        else:
            assert (stack.own.url, stack.own.command) == (meant.own.url, meant.own.command)


def test_everything_in_a_new_file_that_is_commented_out_can_be_used(tmp_path: Path) -> None:
    services = {"a": "python a.py {port}", "b": "http://127.0.0.1:8001"}
    text = versus_toml("shop.toml", services, ("/x",))
    lines = [
        line.removeprefix("# ") if line.startswith("# ") and ("=" in line or "[" in line) else line
        for line in text.splitlines()
    ]
    usable = [line for line in lines if not line.startswith(("Wherever", "into", "What", "JSON"))]
    values = tomllib.loads("\n".join(usable))
    assert values["b"]["verify-tls"] is False
    assert values["request"][0]["json"] == {"item": 7, "count": 1}
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()
    read = read_versus_file(written(tmp_path, "\n".join(usable)), STACKS)
    assert read.locustfile == tmp_path / "locustfile.py"


def twinbench(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def test_init_writes_a_file_and_leaves_one_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = twinbench("init", "shop.toml", "--a", "flask-gthread", "--get", "/hello")
    assert result.exit_code == 0
    assert "twinbench versus shop.toml" in result.output
    before = (tmp_path / "shop.toml").read_text()
    again = twinbench("init", "shop.toml")
    assert isinstance(again.exception, BadInput)
    assert "is there already" in str(again.exception)
    assert (tmp_path / "shop.toml").read_text() == before


def test_init_refuses_what_is_no_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = twinbench("init", "--a", "python app.py")
    assert isinstance(result.exception, BadInput)
    assert not (tmp_path / "versus.toml").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--a", "flask-gthread", "--get", "/x"], "two services are compared"),
        (["--a", "flask-gthread", "--b", "flask-gthread"], "nothing to request"),
        (
            ["--a", "flask-gthread", "--b", "http://10.0.0.1", "--get", "/x"],
            "--i-own-this-host",
        ),
        (
            ["--a", "flask-gthread", "--b", "flask-gthread", "--get", "/x", "--header", "nonsense"],
            "write it as 'name: value'",
        ),
        (
            [
                *("--a", "flask-gthread", "--b", "flask-gthread", "--get", "/x"),
                *("--header", "transfer-encoding: chunked"),
            ],
            "twinbench sends it by itself",
        ),
        (
            [
                *("--a", "flask-gthread", "--b", "flask-gthread", "--get", "/x"),
                *("--header", "authorization: Bearer abcdefgh"),
            ],
            "holds a credential",
        ),
        (["nope.toml"], "nope.toml: can't be read"),
    ],
)
def test_versus_refuses_bad_input_before_anything_starts(
    words: list[str], message: str, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    result = twinbench("versus", *words, "--out", str(out))
    assert isinstance(result.exception, BadInput), result.output
    assert message in str(result.exception)
    assert not out.exists()
