"""`twinbench init`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.cli.options import Command
from harness.errors import BadInput, EnvironmentFailed


@click.command(cls=Command)
@click.argument(
    "file", default=Path("versus.toml"), type=click.Path(path_type=Path, dir_okay=False)
)
@click.option(
    "--a", metavar="SERVICE", help="Baseline: a stack, an address or a command with {port}."
)
@click.option("--b", metavar="SERVICE", help="What is compared with it, in the same form.")
@click.option("--get", multiple=True, metavar="PATH", help="Request GET PATH; may be repeated.")
def command(file: Path, a: str | None, b: str | None, get: tuple[str, ...]) -> None:
    """Write a commented FILE for 'twinbench versus'.

    What no option says is asked for in a terminal, and is an example elsewhere. A file that is there
    is left alone.

    \b
    Examples:
      twinbench init
      twinbench init shop.toml --a 'gunicorn shop:app -b 127.0.0.1:{port}' --b http://127.0.0.1:8001 \\
          --get /orders/7
    """
    from harness.planning.files import STACKS_FILE
    from harness.planning.stacks import load_stacks
    from harness.planning.versus import service_of
    from harness.planning.versus_init import EXAMPLE_PATH, EXAMPLES, versus_toml

    if file.exists():
        raise BadInput(f"{file} is there already: name another file, or remove it")
    services = {"a": a, "b": b}
    asks = sys.stdin.isatty()
    for place, text in services.items():
        if text is None and asks:
            what = "Baseline" if place == "a" else "Compared with it"
            services[place] = click.prompt(
                f"{what} (a stack, an address, or a command with {{port}})", default=EXAMPLES[place]
            )
    named = {place: text or EXAMPLES[place] for place, text in services.items()}
    known = load_stacks(STACKS_FILE)
    for place, text in named.items():
        service_of(place, text, known)
    if not get and asks:
        get = (click.prompt("Path to request", default=EXAMPLE_PATH),)
    text = versus_toml(file.name, named, get or (EXAMPLE_PATH,))
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise EnvironmentFailed(f"{file} can't be written: {error.strerror}") from error
    click.echo(f"wrote {file}: 'twinbench versus {file}' measures it")
