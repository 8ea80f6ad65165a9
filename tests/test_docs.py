"""What the documents say is so."""

import csv
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from harness import store
from harness.analysis.analyse import analyse
from harness.analysis.profiles import analyse_profile
from harness.cli.main import cli
from harness.models import EXAMPLE_CURRENCY, EXAMPLE_HEADROOM, EXAMPLE_PRICES, EXAMPLE_TIMES
from harness.planning.files import PROJECT
from harness.planning.options import DEFAULT_PROFILE, PROFILES
from harness.planning.stacks import find_stacks
from harness.report import formats
from tests import readme

DOCUMENTS = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")]

#: The runs of the README's tables and charts.
REFERENCES = sorted(readme.REFERENCE.parent.glob("reference*"))
PROFILES_OF_REFERENCES = [folder for run in REFERENCES for folder in store.profiles_within(run)]


def test_the_readmes_figures_are_those_of_the_reference_run() -> None:
    text = readme.README.read_text()
    assert readme.with_tables(text) == text, "run: python -m tests.readme"


@pytest.mark.parametrize("run", REFERENCES, ids=lambda run: run.name)
def test_a_reference_run_says_what_its_raw_data_says(run: Path, tmp_path: Path) -> None:
    record = store.read_run(run)
    analysis = analyse(record, lambda cell: store.read_samples(run, cell))
    store.write_tables(tmp_path, analysis)
    for table in tmp_path.glob("*.csv"):
        assert table.read_text() == (run / table.name).read_text()


@pytest.mark.parametrize("folder", PROFILES_OF_REFERENCES, ids=lambda folder: folder.name)
def test_a_profile_of_a_reference_run_says_what_its_raw_data_says(
    folder: Path, tmp_path: Path
) -> None:
    record = store.read_profile(folder)
    assert record.environment["git_dirty"] is False
    found = analyse_profile(record, lambda sampled: store.read_stacks(folder, sampled))
    assert found.valid
    store.write_profile_tables(tmp_path, found)
    for table in ("profile.csv", "profile-stacks.csv"):
        assert (tmp_path / table).read_text() == (folder / table).read_text()


@pytest.mark.parametrize("run", REFERENCES, ids=lambda run: run.name)
def test_a_reference_run_was_made_by_twinbench_and_is_small(run: Path) -> None:
    record = store.read_run(run)
    assert record.ended is not None
    assert record.environment["git_dirty"] is False
    assert sum(file.stat().st_size for file in run.rglob("*.parquet")) < 5_000_000


PROOFS = ("httpbin", "prometheus", "django")


@pytest.mark.parametrize("name", PROOFS)
def test_the_figures_of_other_peoples_services_are_those_that_were_measured(name: str) -> None:
    def rows(table: str) -> list[dict[str, str]]:
        with (PROJECT / "docs" / "proof" / name / table).open() as file:
            return list(csv.DictReader(file))

    cells = [row for row in rows("summary.csv") if not row["endpoint"]]
    ratios = {row["metric"]: row for row in rows("comparisons.csv")}
    assert all(row["valid"] == "true" and row["errors"] == "0" for row in cells)

    def both(column: str, unit: str = "") -> str:
        return ", ".join(formats.number(float(row[column])) for row in cells) + unit

    def ratio(metric: str) -> str:
        row = ratios[metric]
        values = [float(row[column]) for column in ("ratio", "ci_low", "ci_high")]
        return f"{formats.ratio(values[0])} {formats.ratio_interval(*values)}"

    line = " | ".join(
        [
            ratios["throughput_rps"]["rounds"],
            *(both("throughput_rps"), ratio("throughput_rps")),
            *(both("latency_p99_ms", " ms"), ratio("latency_p99_ms")),
            *(both("cpu_us_per_request", " µs"), ratio("cpu_us_per_request")),
            ratios["throughput_rps"]["verdict"],
        ]
    ).replace("\u00a0", " ")
    assert f"| {line} |" in (PROJECT / "docs" / "PROOF.md").read_text()


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


def test_the_readme_lists_each_option_beside_a_command_that_has_it() -> None:
    rows = re.findall(r"^\| `twinbench (\w+).*", readme.README.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(cli.commands)
    for row in re.finditer(r"^\| `twinbench (\w+).*", readme.README.read_text(), re.MULTILINE):
        named = set(re.findall(r"--[a-z]+(?:-[a-z]+)*", row[0]))
        assert named <= options(cli.commands[row[1]]), row[0]


def options(command: click.Command) -> set[str]:
    return {
        "--help",
        *(
            name
            for param in command.params
            for name in (*param.opts, *param.secondary_opts)
            if name.startswith("--")
        ),
    }


def commands_of(text: str) -> list[list[str]]:
    """The arguments of each `twinbench …` that a document shows, in a line or in a block."""
    blocks = re.findall(r"^```(?:\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line.split("#")[0] for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`([^`\n]*)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    found = [re.search(r"(?:^|[ /])twinbench (\w.*)", line.strip()) for line in lines]
    # `…` and `\\|` stand for something in a table, `<run>` for a name anywhere.
    return [shlex.split(re.sub(r"<([\w ]+)>|[…\[\]]", r"\1", match[1])) for match in found if match]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_in_a_document_can_be_parsed(document: Path) -> None:
    for name, *arguments in commands_of(document.read_text()):
        assert name in cli.commands, name
        if any("|" in argument for argument in arguments):
            continue  # several commands in one
        try:
            cli.commands[name].make_context(name, arguments)
        except click.UsageError as error:
            pytest.fail(f"twinbench {name} {' '.join(arguments)}: {error.format_message()}")


def test_commands_are_found_in_blocks_and_in_lines() -> None:
    text = "a `twinbench list stacks` b\n```\nX=1 twinbench run hello  # c\n```\n`.venv/bin/twinbench doctor`"
    assert commands_of(text) == [["run", "hello"], ["list", "stacks"], ["doctor"]]


def test_the_stacks_file_that_a_document_shows_can_be_read(tmp_path: Path) -> None:
    text = (PROJECT / "docs" / "how-to.md").read_text()
    entries = re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    file = tmp_path / "my-stacks.toml"
    file.write_text(entries[-1])
    stacks = find_stacks(file, ["flask-gthread", "flask-two-threads"])
    assert [stack.options[-1] for stack in stacks] == ["40", "2"]


@pytest.mark.parametrize("target", ["bench", "test"])
def test_every_document_says_the_same_of_how_long_a_target_takes(target: str) -> None:
    said = {}
    for document in (PROJECT / "Makefile", *DOCUMENTS):
        text = " ".join(document.read_text().split())
        found = re.findall(rf"(?:make {target}\b(?!-)|\b{target}: install)[^.|]*? minutes", text)
        for sentence in found:
            said[document.name] = re.findall(r"(?:\d+ to )?\d+(?= minutes)", sentence)[0]
    assert {"Makefile", "README.md"} <= said.keys()
    assert len(set(said.values())) == 1, said


def test_the_time_that_a_calibration_takes_is_its_default() -> None:
    text = (PROJECT / "docs" / "how-to.md").read_text()
    (minutes,) = re.findall(r"twinbench calibrate +# (\d+) minutes", text)
    (seconds,) = [p.default for p in cli.commands["calibrate"].params if p.name == "seconds"]
    assert int(minutes) * 60 == seconds


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
        f"within {gates.MAX_LITTLE_GAP * 100:.1f} % of the users",
        f"within {gates.MAX_HALVES_RATIO * 100:.0f} % of the first",
        f"at most {gates.MAX_CORES_GIVEN * 100:.0f} % of the servers' cores",
        f"plus the rounds' noise (at most {gates.MAX_CORES_BY_CHANCE * 100:.0f} %)",
        f"by {gates.EDGE_SHARE:g} × requests in flight ÷ replies in a window",
        f"at least {gates.MIN_ROUNDS} |",
    ):
        assert bound in text, bound


def test_the_methods_figures_of_the_default_run_are_its_profiles() -> None:
    text = " ".join((PROJECT / "docs" / "METHOD.md").read_text().split())
    quick = PROFILES[DEFAULT_PROFILE]
    assert f"{quick.rounds} rounds of {quick.cell_s} s per stack and scenario" in text
    assert quick.budget_s is not None
    assert f"`--minutes`; {quick.budget_s / 60:g} minutes in the profile `quick`" in text


def test_the_method_has_the_figures_of_the_example_of_a_cost() -> None:
    text = " ".join((PROJECT / "docs" / "METHOD.md").read_text().split())
    assert f"{EXAMPLE_TIMES} times the baseline's capacity, rounded to one digit" in text
    assert f"a headroom of {100 * EXAMPLE_HEADROOM:g} %" in text
    prices = f"{EXAMPLE_PRICES.vcpu_hour:g} and {EXAMPLE_PRICES.gib_hour:g} {EXAMPLE_CURRENCY}"
    assert prices in text


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
        cwd=PROJECT, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stdout
    assert done.stderr == ""
