"""A whole run: parts after the rounds, each into a folder of its own, and resumed where it was cut off."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness import store
from harness.cli import measuring
from harness.cli.main import cli
from harness.errors import BadInput, Interrupted
from harness.measuring import by_connections
from harness.models import Held
from harness.planning import parts as planning
from harness.planning.connections import PROFILES as HELD_PROFILES
from harness.planning.connections import connections_plan
from harness.planning.options import PROFILES, RunOptions
from harness.planning.parts import Part
from harness.planning.plan import load_catalogue, make_plan
from harness.planning.profile import Effort, profile_plan
from harness.planning.sweep import SweepOptions, sweep_plan

pytestmark = pytest.mark.thorough

CATALOGUE = load_catalogue()
OPTIONS = RunOptions(profile=PROFILES["smoke"], rounds=1, seed=1, scenarios=("hello",))
PARTS = (
    Part(
        "sweep-hello",
        sweep_plan(
            CATALOGUE,
            dataclasses.replace(OPTIONS, scenarios=()),
            SweepOptions("hello", {"users": (4, 8, 16)}),
        ),
    ),
    Part(
        "connections",
        connections_plan(
            CATALOGUE.stacks,
            profile=HELD_PROFILES["smoke"],
            seed=1,
            stacks=["fastapi-uvicorn"],
            held=[Held.KEEP_ALIVE],
            counts=[10],
            rounds=1,
        ),
    ),
    Part(
        "profile-hello",
        profile_plan(CATALOGUE, "hello", effort=Effort("smoke", rounds=1, seconds=0.5), seed=1),
    ),
)


def test_a_whole_run_goes_on_with_the_part_in_which_it_was_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "parts", lambda *_, **__: PARTS)
    plan = dataclasses.replace(
        make_plan(CATALOGUE, OPTIONS), parts=tuple(part.name for part in PARTS)
    )

    def cut_off(*_: object) -> None:
        raise Interrupted

    with monkeypatch.context() as broken:
        broken.setattr(by_connections, "measure", cut_off)
        with pytest.raises(Interrupted) as ended:
            measuring.measure(plan, tmp_path, None)
    (run,) = tmp_path.iterdir()
    assert f"'twinbench run --resume {run}' goes on" in ended.value.__notes__[0]
    swept = run / "parts" / "sweep-hello"
    assert store.read_run(swept).ended
    assert store.parts_within(run) == [swept]
    journal = (swept / "journal.jsonl").read_bytes()

    resumed = CliRunner().invoke(
        cli, ["run", "--resume", str(run), "--out", str(tmp_path), "--json"]
    )
    assert resumed.exit_code in (0, 1), resumed.output  # a slow machine may spoil a cell
    assert (swept / "journal.jsonl").read_bytes() == journal
    assert store.read_connections(run / "parts" / "connections").ended
    assert store.read_profile(run / "profiles" / "profile-hello").ended

    said = json.loads(resumed.stdout)
    page = Path(said["report"]).read_text()
    linked = re.findall(r'href="(\.\./parts/[^"#]+)"', page)
    assert {Path(link).parts[2] for link in linked} == {"sweep-hello", "connections"}
    assert all((run / "report" / link).is_file() for link in linked)
    assert "flame-hello-" in page

    with pytest.raises(BadInput, match="is complete"):
        cli(["run", "--resume", str(run), "--out", str(tmp_path)], standalone_mode=False)
