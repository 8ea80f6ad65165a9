"""twinbench as a library: what is asked for becomes a plan, and a run becomes a Comparison."""

import contextlib
import inspect
import json
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import twinbench
from harness.errors import Interrupted
from harness.library.comparison import comparison_of
from harness.library.services import stacks_of, tables_of
from harness.library.versus import in_python
from harness.measuring import runner
from harness.models import (
    FROM_PYTHON,
    Analysis,
    FailIf,
    FailIfJudged,
    FailOutcome,
    FailSubject,
    Plan,
    Verdict,
)
from harness.planning.files import PROJECT, STACKS_FILE
from harness.planning.stacks import load_stacks
from harness.processes.interrupts import Interrupts
from tests import analyses
from tests.notebooks import code_cells, execute

STACKS = load_stacks(STACKS_FILE)
OLD, NEW = "python old.py {port}", "python new.py {port}"
LIBRARY_MD = PROJECT / "docs" / "LIBRARY.md"
NOTEBOOK = PROJECT / "docs" / "examples" / "versus.ipynb"
NAN = float("nan")


def analysis(**given: Any) -> Analysis:
    """A run of two stacks, as of two services named a and b."""
    return analyses.analysis(scenarios=["hello"], **given)


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Plan]:
    """Nothing is measured: the plans, in place of which a made-up run is reported."""
    plans: list[Plan] = []

    def run(plan: Plan, *_: Any, command: tuple[str, ...], **__: Any) -> None:
        assert command == FROM_PYTHON
        plans.append(plan)

    monkeypatch.setattr(runner, "run", run)
    monkeypatch.setattr("harness.library.reports.write_run_report", lambda _: named_a_and_b())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return plans


def named_a_and_b() -> Analysis:
    """The made-up run, whose stacks are called a and b."""
    made = analysis()
    made = replace(
        made,
        fail_ifs=(
            FailIfJudged(
                FailIf(FailSubject.THROUGHPUT, 0.9),
                "hello",
                "closed-16",
                "b",
                "a",
                FailOutcome.KEPT,
            ),
        ),
    )
    names = {"flask-gthread": "a", "fastapi-uvicorn": "b"}
    text = lambda name: names.get(name, name)  # noqa: E731
    plan = made.run.plan
    stacks = tuple(
        replace(stack, name=text(stack.label), label=text(stack.label)) for stack in plan.stacks
    )
    blocks = tuple(
        replace(
            block,
            stacks=tuple(map(text, block.stacks)),
            scenario=replace(block.scenario, stacks=tuple(map(text, block.scenario.stacks))),
        )
        for block in plan.blocks
    )
    return replace(
        made,
        run=replace(made.run, plan=replace(plan, stacks=stacks, blocks=blocks)),
        cells=tuple(replace(cell, stack=text(cell.stack)) for cell in made.cells),
        comparisons=tuple(
            replace(each, baseline=text(each.baseline), candidate=text(each.candidate))
            for each in made.comparisons
        ),
    )


# ---------------------------------------------------------------------- what is asked for


def test_what_is_asked_for_becomes_a_plan(planned: list[Plan], tmp_path: Path) -> None:
    twinbench.versus(
        OLD,
        twinbench.Service(["./serve", "{port}"], name="new", environment={"TOKEN": "${TOKEN}"}),
        "flask-gthread",
        get=["/orders/7", "/hello"],
        requests=[twinbench.Request("/orders", method="POST", json={"item": 7}, status=201)],
        headers={"Accept": "application/json"},
        allow_writes=True,
        users=[1, 4],
        rounds=3,
        seed=5,
        fail_if=["throughput<0.95", "parity"],
    )
    (plan,) = planned
    assert [stack.label for stack in plan.stacks] == ["a", "new", "flask-gthread"]
    assert (plan.profile, plan.seed, plan.rounds) == ("quick", 5, 3)
    assert [each.text for each in plan.fail_ifs] == ["throughput<0.95", "parity"]
    assert [block.load.label for block in plan.blocks] == ["closed-1", "closed-4"]
    requests = plan.blocks[0].scenario.requests
    assert [each.name for each in requests] == ["GET /orders/7", "GET /hello", "POST /orders"]
    assert requests[2].body == '{"item":7}'
    assert requests[2].status == 201
    assert all(("accept", "application/json") in each.headers for each in requests)


def test_a_service_finds_the_interpreter_that_calls() -> None:
    text, record, given, running, stack = stacks_of(
        (
            OLD,
            twinbench.Service(OLD),
            twinbench.Service(OLD, python=sys.executable),
            twinbench.Service(url="http://127.0.0.1:8000"),
            twinbench.Service(stack="flask-gthread"),
        ),
        STACKS,
    )
    assert [each.own and each.own.python for each in (text, record, given)] == [sys.executable] * 3
    assert running.own is not None
    assert running.own.python == ""
    assert stack.own is None


def test_paths_of_a_service_are_relative_to_where_the_caller_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, _ = stacks_of((twinbench.Service(OLD, folder="shop"), NEW), STACKS)
    assert first.own is not None
    assert first.own.folder == str(tmp_path / "shop")


def test_every_field_of_a_service_and_a_request_reaches_the_plan() -> None:
    service = twinbench.Service(
        url="https://127.0.0.1",
        name="old",
        ready="/healthz",
        environment={"A": "1"},
        folder="/",
        python=sys.executable,
        paths={"/api/*": "/*"},
        verify_tls=False,
    )
    made, _ = stacks_of((service, NEW), STACKS)
    assert made.own is not None
    assert (made.label, made.own.url, made.own.ready) == ("old", "https://127.0.0.1", "/healthz")
    assert (made.own.environment, made.own.folder) == ({"A": "1"}, "/")
    assert (made.own.paths, made.own.verify_tls) == ((("/api/", "/"),), False)
    request = twinbench.Request("/x", "PUT", {"a": "b"}, None, "text", 204, 3, "put it")
    assert tables_of([request]) == (
        {
            "path": "/x", "method": "PUT", "headers": {"a": "b"}, "body": "text", "status": 204,
            "weight": 3, "name": "put it",
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    ("services", "options", "message"),
    [
        (("python old.py", NEW), {"get": "/"}, "a: the command has no {port}"),
        (
            (twinbench.Service("x"), NEW),
            {"get": "/"},
            "service a command: the command has no {port}",
        ),
        ((twinbench.Service(), NEW), {"get": "/"}, "service a needs exactly one of"),
        ((twinbench.Service(OLD, name="a b"), NEW), {"get": "/"}, "service a name 'a b'"),
        ((7, NEW), {"get": "/"}, "service a is a int: give text or a Service"),
        ((OLD,) * 9, {"get": "/"}, "2 to 8 services are compared, and these are 9"),
        ((OLD, "http://shop.example"), {"get": "/"}, "say so with own_this_host=True"),
        ((OLD, NEW), {}, "nothing to request: give get /path"),
        ((OLD, NEW), {"get": "x"}, "get 'x'"),
        ((OLD, NEW), {"requests": ["/x"]}, "a request is a str: give a Request"),
        ((OLD, NEW), {"requests": [twinbench.Request("x")]}, "requests: request 1"),
        ((OLD, NEW), {"get": "/", "headers": {"cookie": "a=b"}}, "headers"),
        ((OLD, NEW), {"get": "/", "rounds": 0}, "rounds 0: give 1 to"),
        ((OLD, NEW), {"get": "/", "rounds": 5, "minutes": 1}, "minutes 1 rounds 5: give one"),
        ((OLD, NEW), {"get": "/", "slice_s": 100}, "slice_s 100: give"),
        ((OLD, NEW), {"get": "/", "fail_if": "p99<1.1"}, "fail_if 'p99<1.1'"),
        ((OLD, NEW), {"get": "/", "profile": "fast"}, "unknown profile 'fast'"),
        ((OLD, NEW), {"har": "no.har"}, "no.har"),
    ],
)
def test_what_makes_no_sense_is_refused_in_the_words_of_python(
    services: tuple[Any, ...],
    options: dict[str, Any],
    message: str,
    planned: list[Plan],
    tmp_path: Path,
) -> None:
    with pytest.raises(twinbench.BadInput, match=re.escape(message)) as caught:
        twinbench.versus(*services, **options)
    assert "--" not in str(caught.value).replace("--requests", "")
    assert not planned
    assert list(tmp_path.iterdir()) == []  # no folder for results that there are not


def test_messages_keep_options_of_commands_and_of_services() -> None:
    text = "--rounds 0: see 'twinbench run --rounds 5', or gunicorn --bind x; --allow-writes sends them"
    assert in_python(text) == (
        "rounds 0: see 'twinbench run --rounds 5', or gunicorn --bind x; allow_writes=True sends them"
    )


def test_the_options_are_those_of_the_command_by_the_same_names() -> None:
    from harness.cli.main import cli

    renamed = {"rates_rps": "rate", "same_within": "same", "fail_ifs": "fail_if"}
    names = {param.name or "" for param in cli.commands["versus"].params}
    of_command = {renamed.get(name, name) for name in names}
    here = set(inspect.signature(twinbench.versus).parameters)
    assert here - of_command == {"more", "requests", "progress"}


def test_results_are_kept_where_the_caller_says_or_in_a_new_folder(
    planned: list[Plan], tmp_path: Path
) -> None:
    there = twinbench.versus(OLD, NEW, get="/", out=tmp_path / "here")
    assert there.run.parent == tmp_path / "here"
    new = twinbench.versus(OLD, NEW, get="/")
    assert new.run.parent.name.startswith("twinbench-results-")
    assert new.report == new.run / "report" / "index.html"


def test_seeds_are_drawn_unless_one_is_given(planned: list[Plan]) -> None:
    for _ in range(4):
        twinbench.versus(OLD, NEW, get="/")
    assert len({plan.seed for plan in planned}) > 1


# ------------------------------------------------------------------------ what comes back


def test_a_comparison_has_ratios_figures_and_a_sentence_of_the_report() -> None:
    made = analysis(ratios={("hello", "fastapi-uvicorn"): (2.34, 2.22, 2.46)})
    comparison = comparison_of(Path("run"), made, ("left out 2 requests",))
    ratio = comparison.throughput
    assert (ratio.value, ratio.low, ratio.high) == (2.34, 2.22, 2.46)
    assert ratio.verdict == "faster" == Verdict.FASTER
    assert str(ratio) == "2.34 × (2.22 to 2.46), faster"
    assert comparison.valid
    assert comparison.reasons == ()
    assert comparison.notes[0] == "left out 2 requests"
    assert comparison.of("flask-gthread").requests > 0
    assert comparison.of("fastapi-uvicorn").throughput_rps.value > 3_000
    assert comparison.summary() == comparison.pair("fastapi-uvicorn").text
    assert "served 2.34 × as many requests per second as" in comparison.summary()
    assert "\N{NO-BREAK SPACE}" not in f"{comparison}{comparison!r}"
    assert str(comparison).endswith("report: run/report/index.html")
    assert comparison.p50.verdict is not None


def test_no_assertion_about_a_ratio_that_cannot_be_believed_holds() -> None:
    made = analysis(invalid={("hello", "fastapi-uvicorn"): analyses.BROKEN})
    made = replace(
        made, comparisons=tuple(replace(each, verdict=Verdict.INVALID) for each in made.comparisons)
    )
    comparison = comparison_of(Path("run"), made)
    for ratio in (comparison.throughput, comparison.p50, comparison.p99, comparison.cpu):
        numbers = (ratio.value, ratio.low, ratio.high)
        assert not any(number > 0 or number <= 0 for number in numbers)
        assert str(ratio) == "invalid"
    assert not comparison.valid
    assert comparison.reasons == (
        "fastapi-uvicorn (closed-16): errors: 2.1 % of replies were wrong (at most 0.1 %)",
    )
    assert "not valid: fastapi-uvicorn" in str(comparison)
    assert "Not valid: fastapi-uvicorn" in comparison.summary()


def test_what_was_not_compared_has_no_ratio_and_no_verdict() -> None:
    comparison = comparison_of(Path("run"), analysis(rate_rps=500))
    assert comparison.throughput.verdict is None
    assert math.isnan(comparison.throughput.value)
    assert str(comparison.throughput) == "not compared"
    assert comparison.p50.verdict is not None


def test_too_few_rounds_are_no_verdict() -> None:
    comparison = comparison_of(Path("run"), analysis(rounds=2))
    assert str(comparison.throughput).endswith("not judged: 2 of 5 rounds")


def test_of_several_pairs_nobody_gets_one_by_chance() -> None:
    comparison = comparison_of(Path("run"), analyses.analysis(scenarios=["weather"]))
    with pytest.raises(twinbench.BadInput, match=r"several pairs: say which of fastapi-uvicorn \("):
        comparison.throughput  # noqa: B018
    assert comparison.pair("fastapi-httpx2").candidate == "fastapi-httpx2"
    with pytest.raises(twinbench.BadInput, match="no pair flask"):
        comparison.pair("flask")
    with pytest.raises(twinbench.BadInput, match="no service x"):
        comparison.of("x")
    assert len(comparison.pairs) == 3
    assert len(comparison.figures) == 4


def test_promises_are_told_apart_and_none_is_kept_where_there_is_none() -> None:
    def outcome(*outcomes: FailOutcome) -> twinbench.Comparison:
        judged = tuple(
            FailIfJudged(
                FailIf(FailSubject.P99, 1.1), "hello", "closed-16", "b", "a", each, rounds=5
            )
            for each in outcomes
        )
        return comparison_of(Path("run"), replace(analysis(), fail_ifs=judged))

    assert not outcome().kept
    assert outcome(FailOutcome.KEPT, FailOutcome.KEPT).kept
    assert not outcome(FailOutcome.KEPT, FailOutcome.INCONCLUSIVE).kept
    found = outcome(FailOutcome.KEPT, FailOutcome.BROKEN)
    assert not found.kept
    assert [each.outcome for each in found.promises] == ["broken", "kept"]
    assert "broken: p99>1.1: hello (closed-16), b ÷ a: 5 rounds" in str(found)


def test_differences_of_replies_are_named_once() -> None:
    made = analysis()
    first, *others = made.run.rounds
    cells = [
        replace(
            cell,
            parity=("before: GET /x: status 404", "after: GET /x: status 404"),
            differences=("GET /y: $.id",),
        )
        for cell in first.cells[:1]
    ]
    run = replace(made.run, rounds=(replace(first, cells=(*cells, *first.cells[1:])), *others))
    comparison = comparison_of(Path("run"), replace(made, run=run))
    assert [(each.same_work, each.text) for each in comparison.differences] == [
        (False, "GET /x: status 404"),
        (True, "GET /y: $.id"),
    ]
    assert "GET /y: $.id" in str(comparison)


def test_a_dictionary_is_what_the_command_prints_as_json() -> None:
    import jsonschema_rs

    schema = json.loads((PROJECT / "docs/schema/run.json").read_text())
    comparison = comparison_of(Path("run"), analysis(rounds=1))
    found = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    jsonschema_rs.validator_for(schema).validate(found)
    assert found["report"] == "run/report/index.html"


def test_charts_are_figures_in_the_reports_style(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    comparison = comparison_of(tmp_path, analysis())
    for name in ("ratios", "throughput", "latency", "cpu", "memory", "timeline"):
        assert isinstance(comparison.plot(name), Figure)
    comparison.plot().savefig(tmp_path / "ratios.png")
    assert (tmp_path / "ratios.png").stat().st_size > 10_000
    with pytest.raises(twinbench.BadInput, match="unknown chart 'ratio': did you mean ratios"):
        comparison.plot("ratio")
    with pytest.raises(twinbench.BadInput, match="unknown chart 'curves'"):
        comparison.plot("curves")


def test_a_notebook_shows_a_table_and_a_picture() -> None:
    hostile = analyses.with_invalid_cell()
    comparison = comparison_of(Path("<run>"), hostile)
    assert "&lt;run&gt;" in comparison._repr_html_()
    assert comparison._repr_html_().count("<tr>") == 1 + len(comparison.pairs)
    assert comparison._repr_markdown_().startswith("#")
    from harness.report.charts.sheet import Sheet

    drawn = comparison.plot()
    assert isinstance(drawn, Sheet)
    assert drawn._repr_png_().startswith(b"\x89PNG")


def test_the_report_says_how_python_repeats_the_run() -> None:
    from tests.report.reading import render

    made = analysis()
    made = replace(made, run=replace(made.run, command=FROM_PYTHON))
    page = render(made)["index.html"].decode()
    assert "It was measured from Python." in page
    assert "--seed" not in page


# ---------------------------------------------------------------------------- signals


@pytest.fixture
def told() -> Iterator[list[int]]:
    """Signals that the caller's own handler gets."""
    got: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: got.append(number))
    yield got
    signal.signal(signal.SIGTERM, before)


def test_signals_are_handled_while_something_runs_and_given_back() -> None:
    interrupts = Interrupts()
    handlers = [signal.getsignal(each) for each in signal.Signals]
    hook = sys.unraisablehook

    def work() -> str:
        assert signal.getsignal(signal.SIGINT) == interrupts._handle
        return "done"

    assert interrupts.handled_during(work) == "done"
    assert [signal.getsignal(each) for each in signal.Signals] == handlers
    assert sys.unraisablehook is hook
    assert signal.getitimer(signal.ITIMER_REAL)[1] == 0


def test_ctrl_c_is_a_keyboard_interrupt_once_all_is_cleaned_up() -> None:
    interrupts = Interrupts()
    cleaned: list[str] = []

    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except Interrupted as error:
            with interrupts.held():
                os.kill(os.getpid(), signal.SIGINT)  # a second one disturbs nothing
                cleaned.append("all")
            error.add_note("kept what was measured")
            raise

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            interrupts.handled_during(work)
        assert caught.value.__notes__ == ["kept what was measured"]
        assert cleaned == ["all"]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert interrupts.handled_during(lambda: 7) == 7  # nothing is left over
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_callers_own_handler_gets_the_signal(told: list[int]) -> None:
    interrupts = Interrupts()
    with pytest.raises(KeyboardInterrupt):
        interrupts.handled_during(lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert told == [signal.SIGTERM]


def test_an_interrupt_that_python_dropped_is_raised_with_the_next_line_of_progress() -> None:
    interrupts = Interrupts()

    def work() -> None:
        with contextlib.suppress(Interrupted):  # as Python does in the callback of a weak reference
            os.kill(os.getpid(), signal.SIGINT)
        interrupts.raise_dropped()
        pytest.fail("it went on")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupts.handled_during(work)
    finally:
        signal.signal(signal.SIGINT, before)


# -------------------------------------------------------------------- pytest and documents


def test_the_entry_point_of_the_plugin_leads_to_the_fixture() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["pytest11"] == {"twinbench": "harness.pytest_plugin"}
    assert "twinbench" in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


def test_a_failed_test_shows_what_came_out_and_where_the_report_is(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "conftest.py").write_text(
        "import pytest, twinbench\n"
        "from harness.library.comparison import comparison_of\n"
        "from tests.test_library import named_a_and_b\n\n"
        "@pytest.fixture(autouse=True)\n"
        "def nothing_is_measured(monkeypatch):\n"
        "    monkeypatch.setattr(twinbench, 'versus', lambda *_, out, **__: comparison_of(out, named_a_and_b()))\n"
    )
    (tmp_path / "test_shop.py").write_text(
        "def test_it_is_twice_as_fast(versus):\n"
        "    assert versus('a', 'b', get='/').throughput.low > 200\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "harness.pytest_plugin", "-c", "pytest.ini"],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"assert [\d.]+ > 200", done.stdout)
    assert re.search(r"where [\d.]+ = Ratio\(value=", done.stdout)
    assert "Captured twinbench call" in done.stdout
    assert "as many requests per second as" in done.stdout
    assert "/twinbench/report/index.html" in done.stdout


def examples() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", LIBRARY_MD.read_text(), re.M | re.S)


@pytest.mark.parametrize("code", examples(), ids=lambda code: code.strip().splitlines()[-1])
def test_the_examples_of_the_document_run(code: str, planned: list[Plan], tmp_path: Path) -> None:
    namespace: dict[str, Any] = {}
    exec(compile(code, str(LIBRARY_MD), "exec"), namespace)
    tests: list[Callable[..., None]] = [
        each for name, each in namespace.items() if name.startswith("test_")
    ]
    for each in tests:
        each(twinbench.versus)
    assert "BadInput" in code or len(planned) == 1
    assert "savefig" not in code or (tmp_path / "latency.png").is_file()


def test_the_document_names_what_there_is() -> None:
    text = LIBRARY_MD.read_text()
    for name in twinbench.__all__:
        if name not in {
            "__version__",
            "Figures",
            "Pair",
            "Promise",
            "ReplyDifference",
            "Estimate",
            "Verdict",
        }:
            assert name in text, name
    for name in twinbench.Service.__dataclass_fields__:
        assert f"`{name}`" in text, name
    for name in inspect.signature(twinbench.versus).parameters:
        if name not in {"a", "b", "more", "insecure"}:
            assert name in text, name
    for name in (each for each in dir(twinbench.Comparison) if not each.startswith("_")):
        assert name in text, name


def test_the_notebook_has_the_form_that_jupyter_reads() -> None:
    notebook = json.loads(NOTEBOOK.read_text())
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in notebook["cells"]:
        common = {"cell_type", "id", "metadata", "source"}
        if cell["cell_type"] == "code":
            assert cell.keys() == common | {"outputs", "execution_count"}
            assert cell["outputs"] == []  # they would be those of another version
            assert cell["execution_count"] is None
        else:
            assert cell["cell_type"] == "markdown"
            assert cell.keys() == common
        assert all(line.endswith("\n") for line in cell["source"][:-1])


def test_cells_are_executed_as_a_kernel_does_it() -> None:
    shown = execute(["x = 2", "y = x * 3\ny", "None", "import math\nmath.nan"])
    assert shown == [None, {"text/plain": "6"}, None, {"text/plain": "nan"}]
    assert len(code_cells(NOTEBOOK)) == 7
