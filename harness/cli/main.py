"""The command `twinbench`: its sub-commands, and the exit code of every error."""

from __future__ import annotations

import importlib
import os
import sys
from typing import NoReturn

import click

from harness import __version__
from harness.cli import ascii
from harness.cli.options import variable_of
from harness.cli.output import print_error
from harness.errors import EnvironmentFailed, Interrupted, TwinbenchError

#: Each is a file of this folder with a `command` in it.
COMMANDS = (
    "run",
    "sweep",
    "map",
    "capacity",
    "cost",
    "advise",
    "compare",
    "versus",
    "init",
    "report",
    "thin",
    "list",
    "check",
    "serve",
    "calibrate",
    "doctor",
    "connections",
    "profile",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="twinbench")
def cli() -> None:
    """Measure Flask and FastAPI side by side, with intervals and verdicts.

    \b
    Example:
      twinbench run hello weather
    """


for name in COMMANDS:
    cli.add_command(importlib.import_module(f"harness.cli.{name}").command, name)


def main() -> NoReturn:
    """Run a command; every error becomes one clear line and an exit code."""
    from harness.processes import children
    from harness.processes.interrupts import interrupts

    ascii.install(sys.stdout, sys.stderr)
    interrupts.install()
    code = 0
    try:
        interrupts.unblock()
        cli.main(prog_name="twinbench", standalone_mode=False)
    except SystemExit as end:  # a command that finished with something invalid
        code = int(end.code or 0)
    except (TwinbenchError, Interrupted) as error:
        interrupts.acknowledge()
        code = error.exit_code
        detail = getattr(error, "detail", "")
        notes = tuple(getattr(error, "__notes__", ()))
        print_error(str(error), code, detail=detail, notes=notes)
    except BrokenPipeError:  # the reader of our output has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        code = EnvironmentFailed.exit_code
        print_error(f"the system refused: {error}", code)
    except click.exceptions.NoArgsIsHelpError as error:
        code = error.exit_code
        click.echo(error.format_message(), err=True)
    except click.ClickException as error:
        code = error.exit_code
        print_error(_one_line(error), code, detail=_usage(error))
    except click.Abort:
        code = Interrupted.exit_code
        print_error("interrupted", code)
    finally:
        interrupts.hold_for_good()
        children.stop_everything()
    sys.exit(code)


def _one_line(error: click.ClickException) -> str:
    """Click's message; it names the environment variable if the wrong value came from one."""
    if isinstance(error, click.BadParameter) and error.ctx and error.param:
        error.param_hint = variable_of(error.ctx, error.param) or error.param_hint
    return error.format_message()


def _usage(error: click.ClickException) -> str:
    context: click.Context | None = getattr(error, "ctx", None)
    if context is None:
        return "try: twinbench --help"
    return f"{context.get_usage()}\ntry: {context.command_path} --help"
