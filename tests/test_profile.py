"""Profiles: planned, sampled, read, put down to libraries, drawn."""

import csv
import dataclasses
import io
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness import report, store
from harness.analysis.libraries import GROUPS, STAND_INS, group_of, short_place
from harness.analysis.profiles import analyse_profile, flame, wilson
from harness.cli.main import cli
from harness.errors import BadInput, BadOption, UnknownName
from harness.models import (
    Group,
    Placement,
    ProfilePlan,
    ProfileRecord,
    ProfileRound,
    Served,
    Switches,
)
from harness.planning.plan import load_catalogue
from harness.planning.profile import PROFILES, profile_plan, stack_order
from harness.processes.meter import SwitchMeter
from harness.report.charts import flame as flames
from harness.report.page import page
from harness.report.palette import INK
from harness.report.profile import drawings, flame_files, within_run
from harness.report.words.heading import Heading

CATALOGUE = load_catalogue()
PROJECT = Path("/home/somebody/twinbench")

# Frames as the collapsed stacks have them.
GUNICORN = "ThreadWorker.handle (site-packages/gunicorn/workers/gthread.py)"
FLASK = "Flask.wsgi_app (site-packages/flask/app.py)"
HELLO = "hello (apps/flask_twin/hello.py)"
JSON = "JSONEncoder.encode (python/json/encoder.py)"
UVICORN = "Server.run (site-packages/uvicorn/server.py)"
RUNNER = "Runner.run (python/asyncio/runners.py)"
UVLOOP = "Loop.run_forever (site-packages/uvloop/loop.so)"
FASTAPI = "FastAPI.__call__ (site-packages/fastapi/applications.py)"
REQUESTS = "Session.send (site-packages/requests/sessions.py)"
HTTP = "HTTPConnection.send (python/http/client.py)"
LIBC = "? (native/libc.so.6)"
THREAD = "Thread.run (python/threading.py)"


def plan(scenario: str = "hello", **options: object) -> ProfilePlan:
    given = {"effort": PROFILES["smoke"], "seed": 1, **options}
    return profile_plan(CATALOGUE, scenario, **given)  # type: ignore[arg-type]


# ------------------------------------------------------------------------- planning


def test_a_profile_loads_what_a_run_would_load() -> None:
    made = plan("weather", stacks=["fastapi-uvicorn", "fastapi-aiohttp"], rounds=4, seconds=2.5)
    assert made.block.stacks == ("fastapi-uvicorn", "fastapi-aiohttp")
    assert made.block.load.label == f"closed-{CATALOGUE.scenarios['weather'].users}"
    assert (made.run.rounds, made.seconds, made.counted_s) == (4, 2.5, 2.5)
    assert plan("weather").block.stacks == CATALOGUE.scenarios["weather"].stacks
    assert plan(seconds=60).counted_s < 60


def test_the_stacks_of_a_round_come_in_drawn_order() -> None:
    made = plan(stacks=["flask-gthread", "flask-gevent", "fastapi-uvicorn"])
    orders = [stack_order(made, number) for number in range(1, 20)]
    assert all(sorted(order) == sorted(made.block.stacks) for order in orders)
    assert len(set(map(tuple, orders))) > 1
    assert orders == [stack_order(made, number) for number in range(1, 20)]


@pytest.mark.parametrize(
    ("scenario", "options", "error", "message"),
    [
        ("helo", {}, UnknownName, "unknown scenario 'helo': did you mean hello?"),
        ("hello", {"stacks": ["flask-gtread"]}, UnknownName, "did you mean flask-gthread"),
        ("startup", {}, BadInput, "'startup' has no server under load.*weather"),
        ("hello", {"seconds": 0.1}, BadOption, "--seconds 0.1: give 0.5 to 600 seconds"),
        ("hello", {"seconds": math.nan}, BadOption, "--seconds nan: give"),
        ("hello", {"rounds": 0}, BadOption, "--rounds 0: give 1 to"),
    ],
)
def test_what_makes_no_sense_is_refused(
    scenario: str, options: Mapping[str, object], error: type[BadInput], message: str
) -> None:
    with pytest.raises(error, match=message):
        plan(scenario, **options)


# --------------------------------------------------------------------------- their file


def test_samples_survive_their_file(tmp_path: Path) -> None:
    path = tmp_path / "samples" / "a.r01.txt"
    path.parent.mkdir()
    store.write_stacks(path, {(HELLO, "f<[u8; 4]> (native/lib.rs)"): 2, (FLASK,): 1})
    read = store.read_stacks(tmp_path, sampled_round(1, samples_file="samples/a.r01.txt"))
    assert read == {(HELLO, "f<[u8, 4]> (native/lib.rs)"): 2, (FLASK,): 1}
    path.write_text("no count\n")
    with pytest.raises(BadInput, match="is damaged"):
        store.read_stacks(tmp_path, sampled_round(1, samples_file="samples/a.r01.txt"))


@pytest.mark.parametrize("option", [("--markdown",), ("--same", "1%"), ("--fail-if", "p99>1.1")])
def test_an_option_that_a_profile_has_no_answer_to_is_refused(
    tmp_path: Path, option: tuple[str, ...]
) -> None:
    folder = tmp_path / "profile"
    folder.mkdir()
    store.write_profile(folder, record(*BOTH))
    done = CliRunner().invoke(cli, ["report", str(folder), *option])
    assert isinstance(done.exception, BadInput)
    assert f"is no run whose stacks are compared: leave out {option[0]}" in str(done.exception)


def test_a_profile_of_another_schema_does_not_stand_in_the_way_of_its_run(tmp_path: Path) -> None:
    for name, schema in (("old", store.PROFILE_SCHEMA - 1), ("new", store.PROFILE_SCHEMA)):
        folder = tmp_path / "profiles" / name
        folder.mkdir(parents=True)
        store.write_profile(folder, dataclasses.replace(record(*BOTH), schema=schema))
    assert store.profiles_within(tmp_path) == [tmp_path / "profiles" / "new"]
    assert store.is_whole_profile(tmp_path / "profiles" / "new")
    assert not store.is_whole_profile(tmp_path / "profiles" / "old")
    with pytest.raises(BadInput, match="has schema 1, this version reads 2: sample again"):
        store.read_profile(tmp_path / "profiles" / "old")


# ------------------------------------------------------------------------- the rule


@pytest.mark.parametrize(
    ("stack", "group"),
    [
        ((GUNICORN, FLASK, HELLO), Group.OWN),
        ((GUNICORN, FLASK), Group.FRAMEWORK),
        ((THREAD, GUNICORN), Group.SERVER),
        # The standard library and C code work for their caller …
        ((GUNICORN, FLASK, HELLO, REQUESTS, HTTP, LIBC), Group.CLIENT),
        ((GUNICORN, HTTP), Group.SERVER),
        # … but for JSON, whoever asks for it.
        ((GUNICORN, FLASK, HELLO, JSON, LIBC), Group.SERIALISATION),
        # Event loops work for their caller too; on their own they are the server's.
        ((UVICORN, RUNNER, UVLOOP, FASTAPI, RUNNER), Group.FRAMEWORK),
        ((RUNNER, UVLOOP), Group.SERVER),
        (("Hub.run (site-packages/gevent/hub.py)",), Group.SERVER),
        ((FASTAPI, "get (site-packages/aiohttp/client.py)", RUNNER), Group.CLIENT),
        # Nobody's.
        ((THREAD, LIBC), Group.STDLIB),
        ((LIBC,), Group.REST),
        (("f (site-packages/unheard_of/x.py)",), Group.REST),
        ((FLASK, "f (site-packages/unheard_of/x.py)"), Group.FRAMEWORK),
        # What one twin leaves to a library, the other does by hand.
        (("whole_number (apps/flask_twin/validation.py)",), Group.VALIDATION),
        (("BaseModel.model_validate (site-packages/pydantic/main.py)",), Group.VALIDATION),
        (("BaseModel.model_dump (site-packages/pydantic/main.py)",), Group.SERIALISATION),
        ((FASTAPI, "serialize_response (site-packages/fastapi/routing.py)"), Group.SERIALISATION),
        ((FASTAPI, "run_endpoint_function (site-packages/fastapi/routing.py)"), Group.FRAMEWORK),
        (("f (site-packages/flask_sqlalchemy/session.py)",), Group.DATABASE),
    ],
)
def test_a_sample_belongs_to_the_innermost_function_of_a_group(
    stack: tuple[str, ...], group: Group
) -> None:
    assert group_of(stack) is group


def test_the_table_names_what_is_installed() -> None:
    """A library that is renamed or no longer used would silently be put down to its caller."""
    packages = Path(pytest.__file__).parents[1]
    optional = {"orjson"}  # read by some versions of FastAPI
    for entry in (*GROUPS, *STAND_INS):
        file, _, function = entry.partition(":")
        if file.startswith("site-packages/"):
            path = packages / file.removeprefix("site-packages/")
            if path.name in optional:
                continue
            assert path.exists(), entry
            name = function.rpartition(".")[2]
            assert not name or f"def {name}" in path.read_text(), entry
        elif file.startswith("apps/"):
            assert (Path(__file__).parents[1] / file).exists(), entry


# ------------------------------------------------------------------------- analysis


def served(requests: int = 1_000, waits: int = 2_000) -> Served:
    return Served(requests, 2.0, 1.0, Switches(waits, requests // 10))


def sampled_round(number: int, stack: str = "flask-gthread", **changes: object) -> ProfileRound:
    base = ProfileRound(
        round=number, stack=stack, samples_file=f"samples/{stack}.r{number:02}.txt",
        counted=served(), sampled=Served(800, 2.0, 1.0, Switches(9_000, 9_000)), errors=0,
    )  # fmt: skip
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


FLASK_ROUND = {(GUNICORN, FLASK, HELLO): 10, (GUNICORN, FLASK): 50, (THREAD, GUNICORN): 40}
FASTAPI_ROUND = {
    (UVICORN, RUNNER, UVLOOP, FASTAPI): 60,
    (UVICORN, RUNNER, UVLOOP): 30,
    (UVICORN, RUNNER, UVLOOP, FASTAPI, JSON): 10,
}


def record(*rounds: ProfileRound) -> ProfileRecord:
    return ProfileRecord(
        run_id="20260101-000000-hello-smoke", schema=store.PROFILE_SCHEMA, plan=plan(),
        environment={"packages": {"Flask": "3.1.3"}}, placement=Placement((), (), ()),
        command=("twinbench", "profile"), started="2026-01-01T00:00:00+00:00",
        ended="2026-01-01T00:01:00+00:00", rounds=rounds,
    )  # fmt: skip


def stacks_of(each: ProfileRound) -> Mapping[tuple[str, ...], int]:
    return FLASK_ROUND if each.stack == "flask-gthread" else FASTAPI_ROUND


BOTH = [
    sampled_round(number, stack)
    for number in (1, 2, 3)
    for stack in ("flask-gthread", "fastapi-uvicorn")
]


def test_shares_are_of_all_samples_and_come_to_one() -> None:
    found = analyse_profile(record(*BOTH), stacks_of)
    shares = {(each.stack, each.group): each for each in found.shares}
    assert shares["flask-gthread", Group.FRAMEWORK].share.value == pytest.approx(0.5)
    assert shares["fastapi-uvicorn", Group.SERIALISATION].samples == 30
    assert shares["flask-gthread", Group.SERIALISATION].share.value == 0
    assert Group.DATABASE not in {each.group for each in found.shares}
    for stack in ("flask-gthread", "fastapi-uvicorn"):
        total = sum(each.share.value for each in found.shares if each.stack == stack)
        assert total == pytest.approx(1)
    assert found.valid


def test_the_cpu_time_per_request_is_shared_out() -> None:
    (first, *_) = analyse_profile(record(*BOTH), stacks_of).shares
    assert first.group is Group.SERVER
    assert first.cpu_us_per_request.value == pytest.approx(0.4 * 1e6 * 1.0 / 1_000)


def test_equal_rounds_leave_the_error_of_chance_and_unequal_ones_their_own() -> None:
    (share, *_) = analyse_profile(record(*BOTH), stacks_of).shares
    assert share.between_rounds.low == pytest.approx(0.4)
    assert (share.share.low, share.share.high) == pytest.approx(wilson(120, 300))

    def uneven(each: ProfileRound) -> Mapping[tuple[str, ...], int]:
        return {(GUNICORN,): 20 * each.round, (FLASK,): 100 - 20 * each.round}

    (share, *_) = analyse_profile(record(*BOTH[::2]), uneven).shares
    assert share.share.value == pytest.approx(0.4)
    assert share.share == share.between_rounds
    assert share.share.high - 0.4 == pytest.approx(4.303 * 0.2 / math.sqrt(3), rel=1e-3)


def test_time_per_request_is_as_unsure_as_share_and_request_together() -> None:
    """Equal shares of requests that cost 800, 1,000 and 1,200 µs differ by a fifth."""
    (equal, *_) = analyse_profile(record(*BOTH), stacks_of).shares
    assert equal.cpu_us_per_request.low == pytest.approx(1_000 * wilson(120, 300)[0])
    assert equal.cpu_us_per_request.high == pytest.approx(1_000 * wilson(120, 300)[1])
    costs_s = {1: 0.8, 2: 1.0, 3: 1.2}
    uneven = [
        dataclasses.replace(
            each, counted=dataclasses.replace(each.counted, cpu_s=costs_s[each.round])
        )
        for each in BOTH
    ]
    (share, *_) = analyse_profile(record(*uneven), stacks_of).shares
    assert share.share == equal.share
    cost = share.cpu_us_per_request
    assert cost.value == pytest.approx(400)
    assert cost.high - cost.value == pytest.approx(4.303 * 80 / math.sqrt(3), rel=1e-3)


def test_one_round_has_the_error_of_chance_alone() -> None:
    (share, *_) = analyse_profile(record(*BOTH[:1]), stacks_of).shares
    assert math.isnan(share.between_rounds.low)
    assert share.share == share.by_chance


def test_wilsons_interval_stays_within_a_share_and_is_never_empty() -> None:
    assert wilson(0, 100) == pytest.approx((0, 0.0370), abs=1e-4)
    assert wilson(100, 100) == pytest.approx((0.9630, 1), abs=1e-4)
    assert wilson(50, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)


def test_context_switches_are_counted_without_the_sampler() -> None:
    (flask, _) = analyse_profile(record(*BOTH), stacks_of).stacks
    assert flask.voluntary_per_request.value == pytest.approx(2)
    assert flask.involuntary_per_request.value == pytest.approx(0.1)
    assert flask.speed_under_sampler == pytest.approx(0.8)
    assert flask.requests == 3_000


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"errors": 3, "error_example": "status 500"}, "3 of 1,800 requests failed (status 500)"),
        ({"died": "1 of the server's 2 processes ended"}, "round 1: 1 of the server's 2 processes"),
    ],
)
def test_what_went_wrong_makes_a_profile_invalid(
    changes: Mapping[str, object], problem: str
) -> None:
    found = analyse_profile(record(sampled_round(1, **changes)), stacks_of)
    assert not found.valid
    assert problem in found.problems[0]


def test_a_stack_without_samples_is_invalid_and_has_no_shares() -> None:
    found = analyse_profile(record(*BOTH), lambda each: {})
    assert found.shares == ()
    assert "no sample was taken" in found.problems[0]
    assert b"no sample was taken" in report.render_profile(found)["index.html"]


def test_packages_are_named_however_they_spell_themselves() -> None:
    """Flask's own metadata has a capital letter."""
    said = report.render_profile(analyse_profile(record(*BOTH), stacks_of))["summary.md"].decode()
    assert "Packages: flask 3.1.3, fastapi unknown" in said


def test_time_of_threads_that_never_run_python_is_said() -> None:
    slow = [
        dataclasses.replace(each, sampled=Served(800, 2.0, 9.0, Switches(1, 1))) for each in BOTH
    ]
    found = analyse_profile(record(*slow), stacks_of)
    assert found.stacks[0].seen == pytest.approx(300 / found.record.plan.rate_hz / 27)
    assert b"threads that never run Python" in report.render_profile(found)["summary.md"]


def test_samples_count_until_the_sampler_ended_a_process() -> None:
    """Requests and CPU time of such a round are those of a server that was gone; its samples are good."""
    gone = [
        dataclasses.replace(each, sampled=Served(5, 2.0, -3.0, Switches(0, 0)), cut_short=True)
        if each.round == 2
        else each
        for each in BOTH
    ]
    cut, whole = (analyse_profile(record(*of), stacks_of) for of in (gone, BOTH))
    assert cut.valid
    assert [share.samples for share in cut.shares] == [share.samples for share in whole.shares]
    assert [stack.cut_short for stack in cut.stacks] == [1, 1]
    for name in ("seen", "speed_under_sampler"):
        values = [getattr(stack, name) for found in (cut, whole) for stack in found.stacks]
        assert values[: len(values) // 2] == pytest.approx(values[len(values) // 2 :])
    said = report.render_profile(cut)["summary.md"].decode().replace("\u00a0", " ")
    assert "flask-gthread: in 1 of 3 rounds the sampler ended a process" in said
    assert "sampler ended" not in report.render_profile(whole)["summary.md"].decode()


def test_what_is_missing_by_chance_is_not_said() -> None:
    """Of 300 samples, a tenth may be missing."""
    cpu_s = 300 / plan().rate_hz / 3 / 0.88
    usual = [
        dataclasses.replace(each, sampled=Served(800, 2.0, cpu_s, Switches(1, 1))) for each in BOTH
    ]
    found = analyse_profile(record(*usual), stacks_of)
    assert found.stacks[0].seen == pytest.approx(0.88)
    assert b"never run Python" not in report.render_profile(found)["summary.md"]
    assert sum(
        each.cpu_us_per_request.value for each in found.shares if each.stack == "flask-gthread"
    ) == pytest.approx(found.stacks[0].cpu_us_per_request.value)


# ---------------------------------------------------------------------------- flame


def test_a_flame_graph_nests_callers_and_leaves_out_what_all_share() -> None:
    graph = flame("x", {("a (x)", "b (x)", "c (x)"): 70, ("a (x)", "b (x)", "d (x)"): 30})
    assert graph.folded == ("a (x)", "b (x)")
    assert [(f.name, f.depth, f.start, f.samples, f.own) for f in graph.frames] == [
        ("c (x)", 0, 0, 70, 70),
        ("d (x)", 0, 70, 30, 30),
    ]


def test_a_flame_graph_of_one_function_still_shows_it() -> None:
    graph = flame("x", {("a (x)",): 5})
    assert (graph.folded, [frame.name for frame in graph.frames]) == ((), ["a (x)"])


def test_boxes_lie_within_their_callers_and_narrow_ones_are_left_out() -> None:
    stacks = {("a (x)", f"f{n} (x)"): n + 1 for n in range(60)} | {("z (x)", "y (x)"): 900}
    graph = flame("x", stacks)
    boxes = {frame.name: frame for frame in graph.frames}
    assert "f0 (x)" not in boxes
    for name, box in boxes.items():
        if name.startswith("f"):
            outer = boxes["a (x)"]
            assert outer.start <= box.start
            assert box.start + box.samples <= outer.start + outer.samples
            assert box.depth == outer.depth + 1
    starts = [(box.start, box.start + box.samples) for box in boxes.values() if box.depth == 1]
    for (_, end), (start, _) in zip(sorted(starts), sorted(starts)[1:], strict=False):
        assert end <= start


def test_a_flame_graphs_text_stays_text_whatever_a_function_is_called() -> None:
    hostile = '</title><script>alert("x")</script> (site-packages/flask/&"x.py)'
    graph = flame("x", {(hostile,): 9, ("b (x)",): 1})
    drawn = flames.svg(graph, "alt", heading="<x>")
    root = ET.fromstring(drawn)
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
    titles = [title.text or "" for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert any('<script>alert("x")</script>' in title and "90" in title for title in titles)
    assert any(
        "flask/" in (text.text or "") for text in root.iter("{http://www.w3.org/2000/svg}text")
    )


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_every_group_has_a_fill_on_which_the_text_can_be_read() -> None:
    assert set(flames.FILLS) == set(Group)
    for fill in flames.FILLS.values():
        assert (luminance(fill) + 0.05) / (luminance(INK) + 0.05) >= 7


def test_places_are_shown_as_a_reader_knows_them() -> None:
    assert short_place(FLASK) == "flask/app.py"
    assert short_place(JSON) == "json/encoder.py"
    assert short_place(HELLO) == "apps/flask_twin/hello.py"


# --------------------------------------------------------------------------- report


def test_the_report_shows_every_group_in_page_summary_and_terminal() -> None:
    found = analyse_profile(record(*BOTH), stacks_of)
    files = report.render_profile(found)
    page, summary = files["index.html"].decode(), files["summary.md"].decode()
    assert set(files) == {
        "index.html", "summary.md", "charts/libraries-hello.svg", "charts/libraries-hello.png",
        "charts/flame-hello-flask-gthread.svg", "charts/flame-hello-fastapi-uvicorn.svg",
    }  # fmt: skip
    for text in (page, summary):
        assert "not a measurement of speed" in text
        for word in ("framework", "serialisation", "Waits per request"):
            assert word in text
    assert page.count('<svg xmlns="http://www.w3.org/2000/svg"') >= 2
    assert "(charts/flame-hello-flask-gthread.svg)" in summary
    assert "://" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    assert len(files["index.html"]) < 3_000_000
    printed = io.StringIO()
    from rich.console import Console

    Console(file=printed, width=110).print(report.profile_terminal(found))
    assert "framework" in printed.getvalue()
    assert "<svg" not in printed.getvalue()


def test_a_run_shows_the_profiles_in_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / store.PROFILES_FOLDER
    for name, seed in (("a", 1), ("b", 2)):
        (folder / name).mkdir(parents=True)
        made = record(*BOTH)
        run = dataclasses.replace(made.plan.run, seed=seed)
        made = dataclasses.replace(made, plan=dataclasses.replace(made.plan, run=run))
        store.write_profile(folder / name, made)
    (folder / "empty").mkdir()
    assert store.profiles_within(tmp_path) == [folder / "b"]  # the newest of its scenario
    found = analyse_profile(store.read_profile(folder / "b"), stacks_of)
    section = within_run([found])
    assert section is not None
    shown = page(Heading("a run", "x", ("",)), [section], drawings([found]))
    for word in ("not a measurement of speed", "serialisation", "Waits per request", "<details>"):
        assert word in shown
    assert 'href="charts/flame-hello-flask-gthread.svg"' in shown
    assert flame_files([found]).keys() == {
        "charts/flame-hello-flask-gthread.svg", "charts/flame-hello-fastapi-uvicorn.svg",
    }  # fmt: skip
    assert within_run([]) is None


def test_tables_have_a_row_for_each_group_and_each_stack(tmp_path: Path) -> None:
    found = analyse_profile(record(*BOTH), stacks_of)
    store.write_profile_tables(tmp_path, found)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "profile.csv").read_text())))
    assert len(rows) == 2 * 4
    assert tuple(rows[0]) == store.PROFILE_COLUMNS
    assert {row["load"] for row in rows} == {plan().block.load.label}
    stacks = list(csv.DictReader(io.StringIO((tmp_path / "profile-stacks.csv").read_text())))
    assert [row["stack"] for row in stacks] == ["flask-gthread", "fastapi-uvicorn"]
    assert stacks[0]["voluntary_switches_per_request"] == "2"


def test_a_profile_is_listed_with_its_largest_share(tmp_path: Path) -> None:
    folder = tmp_path / "profiles" / "20260101-000000-hello-smoke"
    folder.mkdir(parents=True)
    store.write_profile(folder, record(*BOTH))
    store.write_profile_tables(folder, analyse_profile(record(*BOTH), stacks_of))
    (listed,) = store.runs_at_a_glance(tmp_path)
    assert (listed.name, listed.kind) == (f"profiles/{folder.name}", "profile")
    assert (listed.scenarios, listed.rounds, listed.problem) == (("hello",), 2, "")
    assert listed.headline == "fastapi-uvicorn: 60 % framework"
    (folder / "profile.json").write_text("{}")
    (listed,) = store.runs_at_a_glance(tmp_path)
    assert listed.problem == "can't be read: 'plan' is missing"


def test_a_record_survives_its_file(tmp_path: Path) -> None:
    made = record(*BOTH)
    store.write_profile(tmp_path, made)
    assert store.read_profile(tmp_path) == made
    (tmp_path / "profile.json").write_text("{}")
    with pytest.raises(BadInput, match="is damaged"):
        store.read_profile(tmp_path)


# ------------------------------------------------------------------- context switches

WAITING = """
import time
print("up", flush=True)
input()
for _ in range(200): time.sleep(0.0005)
print("done", flush=True)
input()
"""


def test_switches_are_counted_by_their_kind() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WAITING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        meter = SwitchMeter([process.pid])
        process.stdin.write("\n")
        process.stdin.flush()
        process.stdout.readline()
        found = meter.switches()
        process.kill()
    assert 200 <= found.voluntary <= 260
    assert 0 <= found.involuntary < 200
