"""Options, messages and characters of the command line, without starting a process."""

import io
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from harness.cli import ascii
from harness.cli.main import COMMANDS, cli
from harness.cli.options import Numbers, Percent, as_record
from harness.models import Arrivals
from harness.planning.options import PROFILES, RunOptions

# -------------------------------------------------------------------------- characters


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("A ÷ B: 2.3 × [±3 %] … — µs", "A / B: 2.3 x [+-3 %] ... - us"),
        ("▲ faster → é ²", "^ faster -> e 2"),
        ("\u4e2d", "\\u4e2d"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_a_terminal_lacks_has_a_stand_in(text: str, shown: str) -> None:
    assert ascii.to_ascii(text) == shown


@given(st.text(st.characters(codec=None)))
def test_any_text_can_be_written_to_an_ascii_stream(text: str) -> None:
    file = io.BytesIO()
    stream = io.TextIOWrapper(file, encoding="ascii", newline="")
    ascii.install(stream)
    stream.write(text)
    stream.flush()
    assert file.getvalue().decode("ascii") == ascii.to_ascii(text)


def test_a_stream_keeps_what_its_encoding_has() -> None:
    file = io.BytesIO()
    stream = io.TextIOWrapper(file, encoding="latin-1")
    ascii.install(stream)
    stream.write("2 × ±3 → é")
    stream.flush()
    assert file.getvalue().decode("latin-1") == "2 × ±3 -> é"


def test_click_writes_stand_ins_too(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    stream = io.TextIOWrapper(file, encoding="ascii")
    ascii.install(stream)
    monkeypatch.setattr("sys.stdout", stream)
    click.echo("±3 % → ×")
    stream.flush()
    assert file.getvalue() == b"+-3 % -> x\n"


def test_a_table_is_drawn_in_ascii_and_stays_aligned() -> None:
    file = io.BytesIO()
    stream = io.TextIOWrapper(file, encoding="ascii")
    ascii.install(stream)
    table = Table("Stack", "× baseline [95 %]", "Verdict")
    table.add_row("fastapi-uvicorn", "2.34 × [2.22, 2.46]", "▲ faster")
    Console(file=stream, width=80).print(table)
    stream.flush()
    lines = file.getvalue().decode("ascii").splitlines()
    assert "2.34 x [2.22, 2.46]" in "".join(lines)
    assert len({len(line) for line in lines}) == 1


# ----------------------------------------------------------------------------- options


@pytest.mark.parametrize(("text", "share"), [("3%", 0.03), ("0.03", 0.03), ("0.5%", 0.005)])
def test_a_share_is_written_in_percent_or_as_a_fraction(text: str, share: float) -> None:
    assert Percent().convert(text, None, None) == pytest.approx(share)


@pytest.mark.parametrize("text", ["3", "1", "300", "nan", "inf", "%", ""])
def test_a_share_that_could_mean_two_things_or_none_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Percent().convert(text, None, None)


def test_numbers_are_separated_by_commas() -> None:
    assert Numbers(int).convert("4,64", None, None) == (4, 64)
    assert Numbers(float).convert("250.5", None, None) == (250.5,)
    for text in ("", "4,", "4;64", "4.5"):
        with pytest.raises(click.BadParameter, match="is not a whole number"):
            Numbers(int).convert(text, None, None)


def options_of(*arguments: str) -> RunOptions:
    """What `run` hands on for these arguments."""
    seen: list[RunOptions] = []

    @as_record(RunOptions)
    def keep(options: RunOptions, **_others: Any) -> None:
        seen.append(options)

    run = cli.commands["run"]
    probe = type(run)("run", params=run.params, callback=keep)
    CliRunner().invoke(probe, arguments, catch_exceptions=False)
    return seen[0]


def test_options_fill_one_record() -> None:
    given = options_of(
        "hello", "weather", "--stack", "a", "--stack", "b", "--profile", "full", "--rate",
        "100,250.5", "--arrivals", "constant", "--rounds", "7", "--slice", "0.5", "--seed", "3",
        "--precision", "2%", "--generators", "2", "--no-ladder", "--users", "50",
    )  # fmt: skip
    assert given == RunOptions(
        profile=PROFILES["full"],
        seed=3,
        scenarios=("hello", "weather"),
        stacks=("a", "b"),
        users=(50,),
        rates_rps=(100.0, 250.5),
        arrivals=Arrivals.CONSTANT,
        rounds=7,
        slice_s=0.5,
        generators=2,
        precision=0.02,
        ladder=False,
    )


def test_options_that_are_left_out_leave_the_records_own_values() -> None:
    given = options_of("--seed", "0")
    assert given == RunOptions()


def test_a_seed_is_drawn_unless_it_is_given() -> None:
    assert len({options_of().seed for _ in range(5)}) > 1


# -------------------------------------------------------------------------------- help


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_a_terminal_of_80_columns(name: str) -> None:
    text = CliRunner().invoke(cli, [name, "--help"], terminal_width=80).output
    # Examples are to be copied: they are not broken into lines.
    lines = [line for line in text.splitlines() if not line.startswith("    twinbench ")]
    assert max(map(len, lines)) <= 80


def test_the_list_of_commands_is_not_cut_off() -> None:
    text = CliRunner().invoke(cli, ["--help"], terminal_width=80).output
    assert [line.split()[0] for line in text.partition("Commands:")[2].split("\n") if line] == (
        sorted(COMMANDS)
    )
    assert "..." not in text.partition("Commands:")[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_help_text_that_is_a_sentence(name: str) -> None:
    for param in cli.commands[name].params:
        if isinstance(param, click.Option):
            assert param.help, param.name
            assert param.help[0].isupper(), param.help
            assert param.help.endswith("."), param.help
