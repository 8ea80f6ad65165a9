"""`twinbench capacity` on real sockets."""

import csv
import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.conftest import Command, Ended, journal_lines, wait_for
from tests.paced import PACE_S, SLOWED

#: Each answers GET /hello at its own pace, one request at a time, so that its capacity is known.
STACKS = """
[usual]
twin = "fastapi"
app = "tests.paced:usual"
server = "uvicorn"
isolates = "GET /hello at a known pace"

[slowed]
twin = "fastapi"
app = "tests.paced:slowed"
server = "uvicorn"
isolates = "GET /hello at a slower pace"
"""


STACK_NAMES = ("usual", "slowed")


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open() as file:
        return list(csv.DictReader(file))


def capacity(
    twinbench: Callable[..., Command], tmp_path: Path, slo: str, *options: object
) -> Command:
    """Start a search; options that name a stack of the file add it."""
    (tmp_path / "stacks.toml").write_text(STACKS)
    chosen = [word for name in options if name in STACK_NAMES for word in ("--stack", name)]
    others = [option for option in options if option not in STACK_NAMES]
    return twinbench(
        "capacity", "hello", "--slo", slo, *chosen, "--seed", 3,
        "--stacks-file", tmp_path / "stacks.toml", "--out", tmp_path / "results", *others,
    )  # fmt: skip


# A stall of the machine bends a figure by some percent; what is wrong is wrong every time.
@pytest.mark.alone
@pytest.mark.thorough
@pytest.mark.flaky(reruns=2)
@pytest.mark.timeout(300)
def test_the_known_capacity_of_a_server_is_found(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    capacity(twinbench, tmp_path, "p90<200ms", "usual", "--profile", "quick", "--rounds", 2).finish(
        timeout=300
    )
    (folder,) = (tmp_path / "results").iterdir()
    (row,) = rows(folder, "capacity.csv")

    # Waiting 200 ms takes a queue of a hundred requests: that is within 2 % of what it can do.
    assert float(row["rate_rps"]) == pytest.approx(1 / PACE_S, rel=0.05)
    assert float(row["ci_low"]) <= 1 / PACE_S <= float(row["ci_high"]) * 1.02
    assert row["limited_by"] in {"latency", "overload"}
    assert row["rounds"] == "2"


@pytest.mark.alone
@pytest.mark.thorough
@pytest.mark.flaky(reruns=2)
def test_the_smoke_profile_shows_two_stacks_and_their_ratio_within_90_seconds(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    capacity(twinbench, tmp_path, "p90<200ms", "usual", "slowed", "--profile", "smoke").finish(
        timeout=90
    )
    (folder,) = (tmp_path / "results").iterdir()
    usual, slowed = rows(folder, "capacity.csv")

    # Short windows and two rounds are for a first look.
    assert float(usual["rate_rps"]) == pytest.approx(1 / PACE_S, rel=0.15)
    assert float(slowed["ratio"]) == pytest.approx(1 / SLOWED, rel=0.15)
    shares = rows(folder, "capacity-latency.csv")
    assert [row["share"] for row in shares] == ["0.25", "0.5", "0.75", "0.9"] * 2
    assert all(float(row["latency_p50_ms"]) < 200 for row in shares)
    assert (folder / "report" / "charts" / "capacity.png").stat().st_size > 1_000
    assert "Capacity" in (folder / "report" / "summary.md").read_text()


@pytest.mark.alone
@pytest.mark.thorough
@pytest.mark.flaky(reruns=2)
def test_a_promise_that_no_rate_keeps_gets_its_reason_and_no_number(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    # Nothing is answered sooner than the pace allows.
    command = capacity(
        twinbench, tmp_path, "p50<1ms", "usual", "--profile", "smoke", "--rounds", 2, "--json"
    )
    command.finish()
    (folder,) = (tmp_path / "results").iterdir()

    for row in rows(folder, "capacity.csv"):
        assert row["rate_rps"] == ""
        assert row["valid"] == "false"
        assert "lowest rate" in row["reason"]
    assert rows(folder, "capacity-latency.csv") == []


@pytest.mark.alone
@pytest.mark.thorough
def test_a_search_that_was_killed_goes_on_and_keeps_its_rounds(
    twinbench: Callable[..., Command], tmp_path: Path
) -> None:
    out = tmp_path / "results"
    command = capacity(twinbench, tmp_path, "p90<200ms", "usual", "--profile", "smoke")
    # A round writes a decision, a block and its end; the second is killed in its block.
    wait_for(lambda: any(out.glob("*/run.json")) and journal_lines(out) >= 4, "round 2")
    command.process.send_signal(signal.SIGKILL)
    command.finish()
    assert command.left_running() == []
    (folder,) = out.iterdir()
    kept = (folder / "journal.jsonl").read_text().splitlines()[:3]

    twinbench("run", "--resume", folder, "--out", out).finish()

    lines = (folder / "journal.jsonl").read_text().splitlines()
    assert lines[:3] == kept
    kinds = [json.loads(line)["type"] for line in lines]
    assert kinds == ["decision", "block", "round"] * 2
    assert rows(folder, "capacity.csv")[0]["rounds"] in {"1", "2"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("hello", "--slo", "p98<100ms"), "errors<0.1%"),
        (("hello", "--slo", ""), "errors<0.1%"),
        (("hello",), "--slo"),
        (("startup", "--slo", "p99<1s"), "without load"),
        (("nothing", "--slo", "p99<1s"), "nothing"),
        (("hello", "--slo", "p99<1s", "--rounds", "0"), "--rounds"),
        (("hello", "--slo", "p99<1s", "--rounds", "2", "--minutes", "2"), "--minutes"),
        (("hello", "--slo", "p99<1s", "--stack", "nobody"), "nobody"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line_before_anything_starts(
    here: Callable[..., Ended], tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    command = here("capacity", *arguments, "--out", tmp_path / "results")
    code, _, said = command.finish()

    assert code == 2
    assert words in said
    assert len([line for line in said.splitlines() if line.startswith("twinbench:")]) == 1
    assert not (tmp_path / "results").exists()
