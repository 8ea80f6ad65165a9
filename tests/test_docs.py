"""What the documents say is so."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from harness import store
from harness.analysis.analyse import analyse
from harness.cli.main import cli
from harness.planning.files import PROJECT
from harness.planning.options import DEFAULT_PROFILE, PROFILES
from tests import readme

DOCUMENTS = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")]


def test_the_readmes_figures_are_those_of_the_reference_run() -> None:
    text = readme.README.read_text()
    assert readme.with_table(text) == text, "run: python -m tests.readme"


def test_the_reference_run_says_what_its_raw_data_says(tmp_path: Path) -> None:
    record = store.read_run(readme.REFERENCE)
    analysis = analyse(record, lambda cell: store.read_samples(readme.REFERENCE, cell))
    store.write_tables(tmp_path, analysis)
    for name in ("summary.csv", "comparisons.csv"):
        assert (tmp_path / name).read_text() == (readme.REFERENCE / name).read_text()


def test_the_reference_run_was_made_by_twinbench_and_is_small() -> None:
    record = store.read_run(readme.REFERENCE)
    assert record.ended is not None
    assert record.environment["git_dirty"] is False
    assert sum(file.stat().st_size for file in readme.REFERENCE.rglob("*.parquet")) < 5_000_000


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if not target.startswith("https://"):
            assert (document.parent / target).exists(), target


def test_every_command_is_in_the_readme_and_has_an_example() -> None:
    text = readme.README.read_text()
    for name, command in cli.commands.items():
        assert f"twinbench {name}" in text
        assert "Example" in (command.help or ""), name


def test_every_option_in_the_readme_exists() -> None:
    known = {option for command in cli.commands.values() for option in options(command)}
    named = set(re.findall(r"--[a-z]+(?:-[a-z]+)*", readme.README.read_text()))
    assert named - {"--host", "--build", "--exit-code-from"} <= known  # Locust's, Compose's


def options(command: click.Command) -> set[str]:
    return {"--help", *(name for p in command.params for name in p.opts if name.startswith("--"))}


def test_every_module_of_the_harness_is_in_the_architecture() -> None:
    text = (PROJECT / "docs" / "ARCHITECTURE.md").read_text()
    for path in (PROJECT / "harness").glob("**/*.py"):
        folder = path.relative_to(PROJECT / "harness").parts[0]
        if not path.name.startswith("__") and folder != "report":
            assert path.name in text, path.name


def test_the_methods_table_of_gates_has_the_bounds_of_the_code() -> None:
    from harness.analysis import gates

    text = (PROJECT / "docs" / "METHOD.md").read_text()
    for bound in (
        f"at most {gates.MAX_ERROR_SHARE * 100:.1f} %",
        f"at most {gates.MAX_LOAD_BUSY * 100:.0f} % of its core",
        f"at most {gates.MAX_SERVICE_CORES_BUSY * 100:.0f} %",
        f"within {gates.MAX_LITTLE_GAP * 100:.0f} % of the users",
        f"within {gates.MAX_HALVES_RATIO * 100:.0f} % of the first",
        f"at most {gates.MAX_CORES_GIVEN * 100:.0f} % of the servers' cores",
        f"at least {gates.MIN_ROUNDS} |",
    ):
        assert bound in text, bound


def test_the_methods_figures_of_the_default_run_are_its_profiles() -> None:
    text = " ".join((PROJECT / "docs" / "METHOD.md").read_text().split())
    quick = PROFILES[DEFAULT_PROFILE]
    assert f"{quick.rounds} rounds of {quick.cell_s} s per stack and scenario" in text


def test_the_lock_pins_all_that_pyproject_asks_for_and_records_no_address() -> None:
    lock = (PROJECT / "requirements.lock").read_text()
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    pinned = set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))
    asked = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    for requirement in asked:
        assert re.split(r"[\[=<>;]", requirement)[0] in pinned
    assert "://" not in lock


@pytest.mark.parametrize("arguments", [[], ["--help"], ["run", "--help"], ["list", "scenarios"]])
def test_help_and_list_start_nothing_and_succeed(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "harness", *(arguments or ["--version"])],
        cwd=PROJECT, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stdout
    assert done.stderr == ""
