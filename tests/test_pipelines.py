"""The files for pipelines in docs/examples are what their programs take, and say what there is."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from harness.cli.main import cli
from harness.planning.fail_if import parse_fail_ifs
from harness.planning.files import PROJECT

DOCUMENT = PROJECT / "docs" / "PIPELINES.md"
EXAMPLES = PROJECT / "docs" / "examples"
WORKFLOW, HOOKS = EXAMPLES / "github-actions.yml", EXAMPLES / "pre-commit-config.yaml"


def checked(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *map(str, command)], capture_output=True, text=True, check=False
    )


def workflow_problems(path: Path) -> str:
    """What the published schema of workflows says of a file; the package brings the schema along."""
    done = checked("check_jsonschema", "--builtin-schema", "vendor.github-workflows", path)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def hook_problems(path: Path) -> str:
    """What pre-commit itself says of a file."""
    done = checked("pre_commit", "validate-config", path)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_the_workflow_is_one(tmp_path: Path) -> None:
    assert workflow_problems(WORKFLOW) == ""
    broken = tmp_path / "workflow.yml"
    broken.write_text(WORKFLOW.read_text().replace("runs-on:", "runs-off:"))
    assert workflow_problems(broken)


def test_the_hooks_are_what_pre_commit_takes(tmp_path: Path) -> None:
    assert hook_problems(HOOKS) == ""
    broken = tmp_path / "config.yaml"
    broken.write_text(HOOKS.read_text().replace("language:", "tongue:"))
    assert hook_problems(broken)


def workflow() -> Any:
    return yaml.safe_load(WORKFLOW.read_text())


def test_actions_are_pinned_by_tag_and_nothing_names_a_package_index() -> None:
    steps = [step for job in workflow()["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used
    for action in used:
        assert re.fullmatch(r"actions/[a-z-]+@v\d+", action), action
    for path in (WORKFLOW, HOOKS, DOCUMENT):
        assert not re.search(r"pypi|index-url|registry", path.read_text(), re.IGNORECASE)


def commands() -> list[tuple[str, list[str]]]:
    """Every command line of twinbench in the examples and the document."""
    jobs = workflow()["jobs"].values()
    texts = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    hooks = yaml.safe_load(HOOKS.read_text())["repos"][0]["hooks"]
    texts += [hook["entry"] for hook in hooks]
    blocks = re.findall(r"^```\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    texts += [block for block in blocks if block.startswith("twinbench")]
    found = []
    for text in texts:
        words = shlex.split(text.partition(" >> ")[0])
        if words and words[0].rpartition("/")[2] == "twinbench":
            found.append((words[1], words[2:]))
    return found


def test_every_command_of_the_examples_can_be_read() -> None:
    lines = commands()
    assert {name for name, _ in lines} == {"run", "report", "versus"}
    assert len(lines) == 6
    for name, words in lines:
        context = cli.commands[name].make_context(name, list(words))
        if name != "report":
            assert context.params["fail_ifs"]


def test_every_condition_that_the_document_names_can_be_read() -> None:
    table = re.findall(r"^\| (`.*?) \|", DOCUMENT.read_text(), re.MULTILINE)
    named = re.findall(r"`([^`]+)`", " ".join(table))
    assert {each.subject for each in (parse_fail_ifs([text])[0] for text in named)} >= {
        *("throughput", "p50", "p99", "cpu", "errors", "parity")
    }  # fmt: skip


@pytest.mark.parametrize("option", ["--fail-if", "--against", "--inconclusive", "--junit"])
def test_all_these_commands_have_the_options(option: str) -> None:
    for name in ("run", "report", "versus"):
        params = [each for each in cli.commands[name].params if isinstance(each, click.Option)]
        assert option in {text for each in params for text in each.opts}
        assert f"`{option}" in DOCUMENT.read_text()
