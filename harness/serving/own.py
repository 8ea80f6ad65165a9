"""Services of the reader's own: how their commands are run, and what is put in for `${NAME}`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import BadInput
from harness.models import OwnRequest, OwnService, Plan, Stack
from harness.models.credentials import is_credential_name
from harness.planning.requests.variables import (
    expand,
    expand_request,
    redacted,
    secrets_in,
    texts_of,
)
from harness.processes.child_environment import child_environment, drawn_for_round
from harness.serving.targets import Readiness

_PORT = "{port}"
#: Variables that the twins are started with, and that are nothing to a service of the reader's own.
_TWINS_PREFIX = "TWIN_"
_OF_THE_INTERPRETER = ("PYTHON", "LD_", "MALLOC_", "GEVENT_", "LOCUST_", "TWIN_")


@dataclass(frozen=True, slots=True)
class Command:
    """A command line that can be run."""

    words: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path


def command_of(
    stack: Stack, port: int, shared: Mapping[str, str], environ: Mapping[str, str] = os.environ
) -> Command:
    """The command that starts a service on a port.

    A service gets PATH and HOME as twinbench has them, what its own table names, and what a round draws
    for all its servers; nothing else of the caller's environment. What PATH lacks is looked up beside
    the Python that twinbench runs on, so that `python` is found where only `python3` is installed.

    Args:
        stack: It has a service of the reader's own.
        port: Takes the place of {port}.
        shared: Variables that all stacks of a round share.
        environ: Where `${NAME}` is looked up.

    Raises:
        BadInput: There is no such program or folder, or a variable is missing.
    """
    service = _own(stack)
    folder = Path(service.folder) if service.folder else Path.cwd()
    if not folder.is_dir():
        raise BadInput(f"service '{stack.label}': its folder {folder} does not exist")
    path = os.pathsep.join(
        [
            *([str(Path(service.python).parent)] if service.python else []),
            environ.get("PATH", os.defpath),
            str(Path(sys.executable).parent),
        ]
    )
    where = f"service '{stack.label}'"
    own = {
        name: expand(text, environ, where=f"{where}, environment {name}")
        for name, text in service.environment.items()
    }
    words = [
        expand(word, environ, where=f"{where}, command").replace(_PORT, str(port))
        for word in service.command
    ]
    program = words[0]
    if os.sep in program:
        found = shutil.which(folder / program)
    else:
        found = shutil.which(program, path=path)
    if found is None:
        raise BadInput(
            f"service '{stack.label}': there is no program '{program}'; write its full path, or name "
            "the project's interpreter as `python` in a file of versus"
        )
    round_own = {name: text for name, text in shared.items() if not name.startswith(_TWINS_PREFIX)}
    home = {"HOME": environ["HOME"]} if "HOME" in environ else {}
    environment = {**round_own, "PATH": path, **home, "PORT": str(port), **own}
    return Command((found, *words[1:]), environment, folder)


def readiness_of(stack: Stack) -> Readiness:
    """What tells that a service is ready: any reply that is no error of its own."""
    service = _own(stack)
    return Readiness(service.ready, status=None, verify_tls=service.verify_tls)


def requests_of(
    stack: Stack, requests: Sequence[OwnRequest], environ: Mapping[str, str] = os.environ
) -> tuple[OwnRequest, ...]:
    """What a stack is asked: its own paths, and everything put in for `${NAME}`.

    Raises:
        BadInput: A variable is missing.
    """
    if stack.own is not None:
        path_of = stack.own.path_of
        requests = [replace(request, path=path_of(request.path)) for request in requests]
    return tuple(expand_request(request, environ) for request in requests)


def for_locustfiles(plan: Plan, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What load processes have of the caller's environment where a locustfile runs in them.

    It may have been written for any of it, except for what would change how the process runs, or where
    requests go. Without a locustfile, it is nothing.
    """
    if not any(block.scenario.locustfile for block in plan.blocks):
        return {}
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(_OF_THE_INTERPRETER)
        and not name.lower().endswith("_proxy")
        and name not in {*child_environment(), *drawn_for_round(0, 0)} - {"HOME"}
    }


@dataclass(frozen=True, slots=True)
class Secrets:
    """What was put in for `${NAME}`, and must not be seen in results, logs or reports."""

    values: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        stacks: Sequence[Stack],
        requests: Sequence[OwnRequest] = (),
        environ: Mapping[str, str] = os.environ,
    ) -> Secrets:
        """Those of some stacks and requests."""
        return cls(secrets_in([*_texts(stacks, requests)], environ))

    @classmethod
    def of_run(cls, plan: Plan, environ: Mapping[str, str] = os.environ) -> Secrets:
        """Those of a whole run; a locustfile may have taken any credential of the environment."""
        requests = [request for block in plan.blocks for request in block.scenario.requests]
        named = cls.of(plan.stacks, requests, environ).values
        taken = for_locustfiles(plan, environ)
        credentials = [f"${{{name}}}" for name in taken if is_credential_name(name)]
        return cls(named | secrets_in(credentials, taken))

    def hidden(self, text: str) -> str:
        """The text without them."""
        return redacted(text, self.values)


def _texts(stacks: Sequence[Stack], requests: Sequence[OwnRequest]) -> Iterator[str]:
    for stack in stacks:
        if stack.own is not None:
            yield from (stack.own.url, *stack.own.command, *stack.own.environment.values())
    for request in requests:
        yield from texts_of(request)


def _own(stack: Stack) -> OwnService:
    assert stack.own is not None
    return stack.own
