"""What commands print: figures and JSON on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from harness.library.json_values import finite

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


def progress_console() -> Console:
    """Where progress goes: stderr, so that stdout holds the answer alone."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def print_json(answer: Mapping[str, Any]) -> None:
    """The answer of `--json`: one object on one line, as docs/schema/ describes it."""
    print(json.dumps(finite(answer), allow_nan=False))


def print_tables(tables: RenderableType, *, crop: bool = True) -> None:
    """Tables and sentences for the terminal; uncropped, long paths stay whole."""
    from rich.console import Console

    Console(highlight=False).print(tables, crop=crop)


def print_error(message: str, code: int, *, detail: str = "", notes: tuple[str, ...] = ()) -> None:
    """One clear line on stderr, then what belongs to it; with `--json`, an object on stdout too."""
    click.echo(f"twinbench: {message}", err=True)
    for line in detail.splitlines():
        click.echo(f"    {line}", err=True)
    for note in notes:
        click.echo(note, err=True)
    if "--json" in sys.argv:  # a program that parses stdout is owed an object, whatever happened
        print_json({"error": message, "detail": detail, "exit_code": code})
