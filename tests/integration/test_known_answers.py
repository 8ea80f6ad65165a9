"""Measures servers whose answer is known, on real sockets: the figures must be the known ones.

No test judges a speed. Each server is a process of its own and records how long it took.
"""

import csv
import json
import math
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from scipy.special import stdtrit

from apps import contract
from harness.load.client import requests_for
from harness.load.closed import ClosedFleet
from harness.load.fleet import Fleet
from harness.load.open import OpenFleet
from harness.models import Arrivals, Load
from harness.planning.files import PROJECT
from tests.integration.conftest import Command, assert_sound, cpu_clocks
from tests.known_servers import (
    PAUSE_EVERY,
    PAUSE_S,
    QUEUEING_SERVICE_S,
    STALL_END_S,
    STALL_S,
)
from tests.paced import SLOWED

# With other tests beside it, two cores are too few for a server and its clients to be on time. A
# stall of the machine bends a figure by some percent, and does not come every time; an estimator
# that is wrong is wrong every time.
pytestmark = [pytest.mark.alone, pytest.mark.thorough, pytest.mark.flaky(reruns=2)]

ORIGIN_NS = time.perf_counter_ns()


@contextmanager
def server(kind: str) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.known_servers", kind],
        cwd=PROJECT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.communicate()


def open_fleet(url: str, rate: float, users: int, arrivals: Arrivals = Arrivals.CONSTANT) -> Fleet:
    return OpenFleet(
        url, requests_for([contract.hello()], url), Load(users, rate, arrivals),
        schedule_seed="s", part=0, parts=1, timeout_s=10, seed=1, origin_ns=ORIGIN_NS,
    )  # fmt: skip


def closed_fleet(url: str, users: int) -> Fleet:
    return ClosedFleet(
        url, requests_for([contract.hello()], url), users,
        timeout_s=10, seed=1, origin_ns=ORIGIN_NS,
    )  # fmt: skip


def latencies_s(fleet: Fleet, seconds: float) -> np.ndarray:
    fleet.run_slice(0, seconds, 0.0)
    fleet.close()
    columns = fleet.recorder.columns(ORIGIN_NS)
    assert set(columns["failure"]) == {0}
    return columns["latency_ns"] / 1e9


QUANTILES = (0.5, 0.9, 0.99, 0.999)


@pytest.mark.parametrize("load", ["closed", "open"])
def test_a_two_humped_latency_comes_back_as_the_server_logged_it(load: str) -> None:
    with server("two-humped") as url:
        fleet = closed_fleet(url, 256) if load == "closed" else open_fleet(url, 700, 1000)
        measured_s = latencies_s(fleet, 6.0)
        with urllib.request.urlopen(f"{url}/log") as answer:
            logged_s = json.load(answer)
    assert len(measured_s) == len(logged_s) > 2000
    assert (
        np.quantile(logged_s, 0.5) < 0.25 < 0.7 < np.quantile(logged_s, 0.9)
    )  # there are two humps
    # A client sees each reply later than the server has made it, and by how much depends on the machine.
    assert (np.sort(measured_s) >= np.sort(logged_s)).all()
    for quantile in QUANTILES:
        truth = float(np.quantile(logged_s, quantile))
        found = float(np.quantile(measured_s, quantile))
        assert found == pytest.approx(truth, rel=0.03), f"p{100 * quantile:g}"


def test_a_stall_shows_in_open_load_as_the_closed_form_says_and_closed_load_hides_it() -> None:
    with server("stalling") as url:
        open_s = latencies_s(open_fleet(url, 100, 1000), STALL_END_S)
    with server("stalling") as url:
        closed_s = latencies_s(closed_fleet(url, 16), STALL_END_S)
    # A tenth of the requests is due during the stall. They wait for its end, for times that are
    # spread evenly up to 1 s. So one request in a hundred waits longer than nine tenths of that.
    share = STALL_S / STALL_END_S
    assert np.quantile(open_s, 0.99) == pytest.approx(STALL_S * (1 - 0.01 / share), rel=0.1)
    assert (open_s > 0.05).mean() == pytest.approx(share * 0.95, rel=0.3)
    # The users stood still with the server, so only sixteen of thousands of requests show it.
    assert closed_s.max() > 0.9
    assert np.quantile(closed_s, 0.99) < 0.05


def test_a_queue_near_capacity_comes_back_as_its_own_recursion_says() -> None:
    """At 95 % utilisation, and in one slice of the length that such a queue needs (test_settling.py)."""
    rate, seconds = 0.95 / QUEUEING_SERVICE_S, 9.4
    with server("queueing") as url:
        fleet = open_fleet(url, rate, 1000, Arrivals.POISSON)
        fleet.run_slice(0, seconds, 0.0)
        fleet.close()
    columns = fleet.recorder.columns(ORIGIN_NS)
    assert set(columns["failure"]) == {0}
    order = np.argsort(columns["intended_ns"])
    due_s = columns["intended_ns"][order] / 1e9
    measured_s = columns["latency_ns"][order] / 1e9
    assert len(due_s) == pytest.approx(rate * seconds, rel=0.1)
    # Lindley's recursion: a request is served when the one before it is done.
    done_s = np.empty_like(due_s)
    free_s = -math.inf
    for number, at in enumerate(due_s):
        free_s = max(free_s, at) + QUEUEING_SERVICE_S
        done_s[number] = free_s
    for quantile in (0.5, 0.9, 0.99):
        truth = float(np.quantile(done_s - due_s, quantile))
        # Beside the 2 ms, a request takes the way to the server and back.
        assert np.quantile(measured_s, quantile) == pytest.approx(truth, rel=0.05, abs=0.0005)
    assert np.quantile(measured_s, 0.99) > 5 * QUEUEING_SERVICE_S  # a queue there was


def usual_service_s(log_s: np.ndarray, pause_s: np.ndarray, asked_s: np.ndarray) -> float:
    """Mean time from one reply of a server to its next, while requests that count were in flight.

    It is all that the server's own clock says of that time, so that a machine which stands still
    between two requests slows the truth as it slows what is measured. Both sides have one clock.

    Args:
        log_s: (requests, 2); when the server began and ended each request.
        pause_s: for each of them, what of it was a pause, which is left out.
        asked_s: (requests that count, 2); when the client sent them and had their replies.
    """
    ended_s = log_s[:, 1]
    between_s = (ended_s[1:] + ended_s[:-1]) / 2
    in_flight = [np.searchsorted(np.sort(when_s), between_s) for when_s in asked_s.T]
    since_last_s = np.diff(ended_s) - pause_s[1:]
    return float(np.average(since_last_s, weights=in_flight[0] - in_flight[1]))


@pytest.mark.parametrize(("requests", "slices"), [(24, 202), (185, 101), (985, 20)])
def test_pauses_count_in_full_however_short_the_slices_are(requests: int, slices: int) -> None:
    # A slice sends 16 requests before and 15 after those that count. Over 101 slices the pause
    # comes once at each place of a slice, since 101 is a prime.
    users = 16
    with server("pausing") as url:
        fleet = closed_fleet(url, users)
        pieces = [fleet.run_slice(cycle, 0.1, 0.0, requests) for cycle in range(slices)]
        fleet.close()
        with urllib.request.urlopen(f"{url}/log") as answer:
            log_s = np.array(json.load(answer)).reshape(-1, 2)
    columns = fleet.recorder.columns(ORIGIN_NS)
    begins = np.array([piece.from_ns for piece in pieces])[columns["slice"]]
    ends = np.array([piece.to_ns for piece in pieces])[columns["slice"]]
    counts = (columns["start_ns"] >= begins) & (columns["start_ns"] < ends)
    assert counts.sum() == requests * slices
    latency_s = columns["latency_ns"][counts] / 1e9
    think_s = sum(piece.think_ns for piece in pieces) / 1e9
    took_s = log_s[:, 1] - log_s[:, 0]
    paused = np.arange(1, len(took_s) + 1) % PAUSE_EVERY == 0
    assert (took_s[paused] > PAUSE_S).all()
    pause_s = float(took_s[paused].mean() - took_s[~paused].mean())
    sent_s = (ORIGIN_NS + columns["start_ns"][counts]) / 1e9
    asked_s = np.stack([sent_s, sent_s + latency_s], axis=1)
    service_s = usual_service_s(log_s, pause_s * paused, asked_s)
    truth_rps = 1 / (service_s + pause_s / PAUSE_EVERY)
    found_rps = users * len(latency_s) / (latency_s.sum() + think_s)
    share = (latency_s > users * service_s + PAUSE_S / 2).mean()
    # What windows of seconds cut off was 7 to 25 %.
    assert found_rps == pytest.approx(truth_rps, rel=0.01)
    assert share == pytest.approx(users / PAUSE_EVERY, rel=0.1)


STACKS = """
[usual]
twin = "fastapi"
app = "tests.paced:usual"
server = "uvicorn"
isolates = "a reply every 2 ms"

[slowed]
twin = "fastapi"
app = "tests.paced:slowed"
server = "uvicorn"
isolates = "a reply every 2.2 ms"
"""


def test_a_known_slow_down_comes_back_and_a_stack_does_not_beat_itself(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    (tmp_path / "stacks.toml").write_text(STACKS)
    before = cpu_clocks()
    code, out, err = twinbench(
        "run", "hello", "--stack", "usual", "--stack", "usual", "--stack", "slowed",
        "--stacks-file", tmp_path / "stacks.toml", "--out", tmp_path / "results",
        "--profile", "smoke", "--users", 4, "--slice", 0.2, "--rounds", 6, "--seed", 1, "--json",
    ).finish()  # fmt: skip
    assert code in {0, 1}, err + out
    assert_sound(code, Path(json.loads(out)["run"]), before)
    assert code == 0, err + out
    with (Path(json.loads(out)["run"]) / "comparisons.csv").open() as file:
        rows = {
            row["candidate"]: row
            for row in csv.DictReader(file)
            if row["metric"] == "throughput_rps"
        }
    slowed, itself = rows["slowed"], rows["usual#2"]
    assert slowed["verdict"] == "slower"
    assert itself["verdict"] not in {"faster", "slower"}
    for row, truth in ((slowed, 1 / SLOWED), (itself, 1.0)):
        half = math.log(float(row["ci_high"]) / float(row["ci_low"])) / 2
        assert half < 0.05
        # A 95 % interval misses the truth in one run of twenty, this wider one in one of a thousand.
        half *= stdtrit(5, 0.9995) / stdtrit(5, 0.975)
        assert abs(math.log(float(row["ratio"]) / truth)) <= max(half, 0.005)
