"""Connections that are held: planned, opened, counted, and what follows from them."""

import contextlib
import csv
import dataclasses
import io
import math
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import report, store
from harness.analysis.connections import analyse_connections
from harness.errors import BadOption, EnvironmentFailed, UnknownName
from harness.machine import open_files
from harness.measuring.by_connections import Crowd
from harness.models import (
    ConnectionsPlan,
    ConnectionsRecord,
    Held,
    HeldSeries,
    HeldStep,
    Placement,
)
from harness.planning.connections import PROFILES, connections_plan, series_order
from harness.planning.files import STACKS_FILE
from harness.planning.stacks import load_stacks
from harness.report.charts import connections as chart
from tests.socket_server import nobody_listening, reply, says, serving

STACKS = load_stacks(STACKS_FILE)
KIB = 1 << 10
MIB = 1 << 20


def plan(**options: object) -> ConnectionsPlan:
    return connections_plan(STACKS, profile=PROFILES["smoke"], seed=1, **options)  # type: ignore[arg-type]


# ------------------------------------------------------------------------- planning


def test_each_kind_of_connection_is_held_by_each_stack() -> None:
    made = plan(stacks=["fastapi-uvicorn", "flask-gthread"], counts=(5, 50))
    assert made.counts == (5, 50)
    orders = [series_order(made, number) for number in range(1, 20)]
    for order in orders:
        assert len(order) == 6
        assert {(stack.label, held) for stack, held in order} == {
            (label, held) for label in ("fastapi-uvicorn", "flask-gthread") for held in Held
        }
    assert len({tuple((stack.label, held) for stack, held in order) for order in orders}) > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"counts": (0,)}, "--connections 0: give between 1 and 60,000 connections"),
        ({"counts": (100, 10)}, "--connections 100,10: give rising numbers, such as 100,1000,10000"),
        ({"counts": (10, 10)}, "--connections 10,10: give rising numbers"),
        ({"rounds": 0}, "--rounds 0: give 1 to"),
    ],
)  # fmt: skip
def test_numbers_that_make_no_sense_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(BadOption, match=message.replace("?", r"\?")):
        plan(**options)


def test_a_misspelt_stack_is_named_with_its_neighbour() -> None:
    with pytest.raises(UnknownName, match="did you mean flask-gthread"):
        plan(stacks=["flask-gtread"])


def test_too_few_open_files_are_refused_with_a_number_that_is_accepted() -> None:
    with pytest.raises(EnvironmentFailed, match=r"needs 1,184 open files .* --connections 840 or"):
        open_files.check_held(1_000, allowed=1_024)
    open_files.check_held(840, allowed=1_024)


# ------------------------------------------------------------------------- measuring


def test_connections_stay_open_and_others_are_served() -> None:
    with (
        serving(says(reply())) as url,
        contextlib.closing(Crowd(url, Held.KEEP_ALIVE)) as crowd,
    ):
        crowd.grow(70, patience_s=30)
        assert (crowd.size, crowd.closed, crowd.failed) == (70, 0, 0)
        took_ms = crowd.visit(patience_s=30)
        assert took_ms is not None
        assert took_ms > 0
        assert (crowd.size, crowd.closed, crowd.failed) == (70, 0, 0)


def test_connections_that_the_server_closes_are_counted() -> None:
    with (
        serving(says(reply(), keep=False)) as url,
        contextlib.closing(Crowd(url, Held.KEEP_ALIVE)) as crowd,
    ):
        crowd.grow(10, patience_s=30)
        crowd.tend(1.0)
        assert (crowd.size, crowd.closed, crowd.failed) == (0, 10, 0)
        assert crowd.visit(patience_s=30) is not None
        assert crowd.closed == 10  # the visitor's own is none of them


def test_a_wrong_first_reply_is_a_failure_with_its_reason() -> None:
    with (
        serving(says(reply(b"oops"))) as url,
        contextlib.closing(Crowd(url, Held.KEEP_ALIVE)) as crowd,
    ):
        crowd.grow(3, patience_s=30)
        assert (crowd.size, crowd.failed) == (0, 3)
        assert "oops" in crowd.example
        assert crowd.visit(patience_s=30) is None


def test_a_server_that_refuses_is_given_up() -> None:
    with (
        nobody_listening() as url,
        contextlib.closing(Crowd(url, Held.KEEP_ALIVE)) as crowd,
    ):
        crowd.grow(1_000, patience_s=30)
        assert (crowd.size, crowd.failed) == (0, 1)
        assert "refused" in crowd.example
        assert crowd.visit(patience_s=30) is None


@contextlib.contextmanager
def one_at_a_time() -> Iterator[str]:
    """A server that reads each request to its end before it takes the next connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                with sock:
                    data = b""
                    while not data.endswith(b"\r\n\r\n") and (more := sock.recv(65536)):
                        data += more
                    if data.endswith(b"\r\n\r\n"):
                        sock.sendall(reply())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()


def test_a_request_without_its_end_keeps_a_server_that_waits_for_it_from_others() -> None:
    with one_at_a_time() as url, contextlib.closing(Crowd(url, Held.HALF_SENT)) as crowd:
        assert crowd.visit(patience_s=30) is not None
        crowd.grow(1, patience_s=30)
        assert (crowd.size, crowd.failed) == (1, 0)
        assert crowd.visit(patience_s=0.3) is None


# -------------------------------------------------------------------------- analysis


def step(asked: int, held: int, pss: int, visits: tuple[float | None, ...] = (1.0,)) -> HeldStep:
    return HeldStep(
        asked=asked, held=held, closed=0, failed=asked - held, example="", opening_s=1.0,
        pss_bytes=pss, uss_bytes=pss // 2, threads=3, visits_ms=visits,
    )  # fmt: skip


def record(*series: HeldSeries, counts: tuple[int, ...] = (100, 1_000)) -> ConnectionsRecord:
    stacks = ["flask-gthread", "fastapi-uvicorn"]
    return ConnectionsRecord(
        run_id="20260101-000000-smoke", schema=store.CONNECTIONS_SCHEMA,
        plan=plan(stacks=stacks, counts=counts), environment={}, placement=Placement((), (), ()),
        command=("twinbench", "connections"), started="2026-01-01T00:00:00+00:00",
        ended="2026-01-01T00:01:00+00:00", series=series,
    )  # fmt: skip


def growing(number: int, kib: float, stack: str = "fastapi-uvicorn") -> HeldSeries:
    steps = [step(n, n, 50 * MIB + round(kib * KIB * n), (2.0, 4.0, 3.0)) for n in (0, 100, 1_000)]
    return HeldSeries(number, stack, Held.KEEP_ALIVE, tuple(steps))


def served_nobody(number: int) -> HeldSeries:
    steps = (step(0, 0, 50 * MIB), step(100, 40, 51 * MIB, (2.0, None)))
    return HeldSeries(number, "flask-gthread", Held.WEBSOCKET, steps)


def test_the_memory_per_connection_is_found_with_an_interval_over_rounds() -> None:
    found = analyse_connections(record(*(growing(n, kib) for n, kib in enumerate((9, 10, 11), 1))))
    (memory,) = found.memory
    assert memory.kib.value == pytest.approx(10)
    assert memory.kib.high - 10 == pytest.approx(4.303 * 1 / math.sqrt(3), rel=1e-3)  # Student's t
    assert (memory.up_to, memory.rounds, memory.reason) == (1_000, 3, "")
    assert [point.serves_others for point in found.points] == [True] * 3
    assert found.points[-1].visit_ms.value == pytest.approx(3)
    assert found.valid


def test_what_the_first_connections_start_is_not_counted_with_each() -> None:
    with_threads = dataclasses.replace(
        growing(1, 10),
        steps=(
            step(0, 0, 50 * MIB),
            step(100, 100, 90 * MIB + 1_000 * KIB),
            step(1_000, 1_000, 90 * MIB + 10_000 * KIB),
        ),
    )
    (memory,) = analyse_connections(record(with_threads)).memory
    assert memory.kib.value == pytest.approx(10)


def test_one_round_gives_no_interval() -> None:
    (memory,) = analyse_connections(record(growing(1, 10))).memory
    assert memory.kib.value == pytest.approx(10)
    assert math.isnan(memory.kib.low)


def test_others_who_are_not_served_are_a_finding_and_no_figure() -> None:
    found = analyse_connections(record(served_nobody(1), served_nobody(2)))
    point = found.points[-1]
    assert (point.asked, point.held_least, point.answered, point.visits) == (100, 40, 2, 4)
    assert not point.serves_others
    assert math.isnan(point.visit_ms.value)
    assert found.valid


def test_memory_of_too_few_connections_is_not_known() -> None:
    few = dataclasses.replace(growing(1, 10), steps=(step(0, 0, MIB), step(100, 5, 2 * MIB)))
    (memory,) = analyse_connections(record(few)).memory
    assert math.isnan(memory.kib.value)
    assert memory.reason == "fewer than 20 were held"


def test_a_server_that_ended_makes_the_result_invalid() -> None:
    died = dataclasses.replace(growing(1, 10), died="a process ended")
    found = analyse_connections(record(died, growing(2, 10)))
    assert not found.valid
    assert found.problems == ("fastapi-uvicorn, keep-alive, round 1: a process ended",)
    assert math.isnan(found.memory[0].kib.value)


# ------------------------------------------------------------------ files and report


def test_what_was_measured_can_be_read_again(tmp_path: Path) -> None:
    measured = record(growing(1, 10), served_nobody(1))
    assert not store.has_connections(tmp_path)
    store.write_connections(tmp_path, measured)
    assert store.has_connections(tmp_path)
    assert store.read_connections(tmp_path) == measured


def test_the_table_has_a_row_for_each_number_of_connections(tmp_path: Path) -> None:
    found = analyse_connections(record(growing(1, 10), served_nobody(1)))
    store.write_connection_table(tmp_path, found)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "connections.csv").read_text())))
    assert tuple(rows[0]) == store.CONNECTIONS_COLUMNS
    assert [(row["held"], row["connections"]) for row in rows] == [
        ("keep-alive", "0"), ("keep-alive", "100"), ("keep-alive", "1000"),
        ("websocket", "0"), ("websocket", "100"),
    ]  # fmt: skip
    assert float(rows[2]["kib_per_connection"]) == pytest.approx(10)
    assert (rows[4]["others_answered"], rows[4]["others_p50_ms"]) == ("1", "")


def test_the_report_says_who_was_served_and_draws_memory() -> None:
    found = analyse_connections(record(growing(1, 10), served_nobody(1)))
    files = report.render_connections(found)
    assert files.keys() == {
        "index.html", "summary.md", "charts/connections.svg", "charts/connections.png"
    }  # fmt: skip
    text = files["summary.md"].decode().replace("\u00a0", " ")
    assert "after 3.00 ms" in text
    assert "40 of 100" in text
    assert "1 of 2 in time" in text
    # The drawing says both too: what its bars are, and who was served.
    alt = chart.caption(found).alt.replace("\u00a0", " ")
    assert alt.startswith("idle, kept alive: fastapi-uvicorn 10.0 KiB per connection, 1,000 held, ")
    assert "others served; " in alt
    assert alt.endswith("25.6 KiB per connection, 40 held, only some others served with 40 of 100.")
    drawn = chart.draw(found, chart.caption(found))
    beside = [text.get_text().replace("\u00a0", " ") for axes in drawn.axes for text in axes.texts]
    assert beside == [
        "10.0 KiB (1,000 held, others served)",
        "25.6 KiB (40 held, only some others served with 40 of 100)",
    ]


def test_the_drawing_says_of_whom_nobody_else_was_served_and_nothing_of_servers_that_ended() -> (
    None
):
    few = dataclasses.replace(
        served_nobody(1), steps=(step(0, 0, MIB), step(100, 5, 2 * MIB, (None, None)))
    )
    died = dataclasses.replace(growing(1, 10), died="a process ended")
    alt = chart.caption(analyse_connections(record(died, few))).alt
    assert "flask-gthread fewer than 20 were held, others not served with 5 of 100" in alt
    assert "fastapi-uvicorn a server ended or never answered;" in alt
