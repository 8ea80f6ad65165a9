"""`twinbench serve`."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import Command, stacks_file_option


@click.command(cls=Command)
@click.argument("stack_name", metavar="STACK")
@stacks_file_option
def command(stack_name: str, stacks_file: Path) -> None:
    """Start a stack with the services that it needs, until Ctrl-C.

    Prints `ready URL` to stdout when the stack answers.

    \b
    Example:
      twinbench serve fastapi-uvicorn
    """
    import signal

    from harness.planning.stacks import find_stacks
    from harness.serving.standalone import stacks_with_services

    (stack,) = find_stacks(stacks_file, [stack_name])
    with stacks_with_services([stack]) as urls:
        print(f"ready {urls[stack.label]}", flush=True)
        while True:
            signal.pause()
