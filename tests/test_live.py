"""The live view: what it shows at which width, and that it rests while slices play."""

import dataclasses
import io
import math
import time

import pytest
from rich.console import Console

from harness import store
from harness.analysis.analyse import analyse
from harness.analysis.so_far import SoFar
from harness.cli import ascii
from harness.cli.live import Picture, Screen, bars, is_drawn_on
from harness.cli.progress import Progress
from harness.cli.sparkline import sparkline
from harness.models import (
    BlockKey,
    BlockPlan,
    BlockSoFar,
    CellRound,
    Estimate,
    Purpose,
    Samples,
    StackSoFar,
    Window,
)
from harness.planning.capacity import CapacityOptions, plan_capacity
from harness.planning.files import PROJECT
from harness.planning.options import PROFILES
from harness.planning.plan import load_catalogue
from harness.planning.slo import parse_slo
from tests.runs import FakeRun
from tests.test_progress import plan_of


def found(block: BlockPlan, *, invalid: str = "") -> BlockSoFar:
    """A block after two rounds, in which every candidate serves 2.34 times as much."""
    return BlockSoFar(
        block.key,
        rounds=2,
        stacks=tuple(
            StackSoFar(
                stack=label,
                valid=label != invalid,
                overloaded=False,
                throughput_rps=1770.0,
                latency_p50_ms=5.0,
                latency_p99_ms=39.1,
                stretches_p99_ms=(30.0, 39.0, 35.0, 38.0),
                ratio=None if label == block.stacks[0] else Estimate(2.34, 2.22, 2.46),
            )
            for label in block.stacks
        ),
    )


def console_of(width: int, height: int = 24, encoding: str = "utf-8") -> Console:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    if encoding == "ascii":
        ascii.install(file)
    return Console(
        file=file, width=width, height=height, force_terminal=True, color_system=None, no_color=True
    )


def drawn(progress: Progress, console: Console) -> list[str]:
    console.print(progress.picture())
    console.file.flush()
    return console.file.buffer.getvalue().decode().splitlines()  # type: ignore[attr-defined]


def measuring(console: Console, *, rounds_ended: int = 0, invalid: str = "") -> Progress:
    """In the middle of weather's slices."""
    plan = plan_of("weather", rounds=5)
    block = plan.blocks[0]
    progress = Progress(plan, console, so_far=lambda: [found(block, invalid=invalid)])
    if rounds_ended:
        progress.round_ended(rounds_ended)
    progress.round_started(rounds_ended + 1)
    progress.block_started(block)
    progress.warmed_up()
    for place in range(40):
        for stack in block.stacks:
            progress.slice_done(stack, 1000.0 + 10 * place, block.slice_s)
    return progress


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("width", [40, 60, 80, 140])
def test_every_line_fits_and_the_ratio_is_never_left_out(width: int, encoding: str) -> None:
    progress = measuring(console_of(200), rounds_ended=1)
    lines = drawn(progress, console_of(width, encoding=encoding))
    assert max(map(len, lines)) < width
    times = "x" if encoding == "ascii" else "×"
    assert sum("2.34" in line and times in line for line in lines) == 3
    assert any("round 2 of 5" in line for line in lines)


def test_bars_are_left_out_before_figures_are() -> None:
    wide, narrow = (
        "\n".join(drawn(measuring(console_of(200), rounds_ended=1), console_of(width)))
        for width in (100, 50)
    )
    assert "█" in wide
    assert "p99 ms" in wide
    assert "█" not in narrow
    assert "1,770" in narrow


def test_before_a_round_has_ended_there_is_no_ratio_and_no_p99() -> None:
    lines = drawn(measuring(console_of(80)), console_of(80))
    assert "ratios and p99: when a round has ended" in lines[-1]
    assert not any("2.34" in line or "39.1" in line for line in lines)
    assert any("flask-gthread" in line and "1,200" in line for line in lines)  # of the slices


def test_what_was_measured_before_is_read_once_the_torn_parts_are_set_aside() -> None:
    plan = plan_of("weather", rounds=5)
    (block, *_) = plan.blocks
    run = FakeRun(plan, {label: [1000.0] for label in block.stacks}).record
    asked: list[int] = []

    def so_far() -> list[BlockSoFar]:
        asked.append(1)
        return [found(block)]

    progress = Progress(plan, console_of(200), measured=run.rounds, so_far=so_far)
    progress.preparing("starting the services")
    assert not asked  # the runner has set nothing aside yet
    progress.round_started(2)
    progress.block_started(block)
    assert any("2.34" in line for line in drawn(progress, console_of(80)))
    assert asked == [1]


def test_a_stack_that_failed_a_gate_has_no_ratio() -> None:
    progress = measuring(console_of(200), rounds_ended=1, invalid="fastapi-httpx2")
    (line,) = (
        line for line in drawn(progress, console_of(80)) if line.startswith("fastapi-httpx2")
    )
    assert "invalid" in line
    assert "2.34" not in line


def test_a_low_terminal_says_how_many_stacks_it_has_no_room_for() -> None:
    lines = drawn(measuring(console_of(200)), console_of(80, height=8))
    assert "and 2 more" in lines
    assert len(lines) < 8


def test_a_search_shows_the_rates_that_were_tried() -> None:
    options = CapacityOptions(
        profile=PROFILES["smoke"], scenario="hello", slo=parse_slo("p99<20ms"), seed=1
    )
    plan = plan_capacity(load_catalogue(), options)
    (block,) = plan.blocks
    progress = Progress(plan, console_of(80))
    progress.round_started(1)
    progress.block_started(block)
    progress.warmed_up()
    for rate_rps, kept in ((400.0, True), (1600.0, False)):
        window = Window(
            Purpose.SEARCH, rate_rps, kept, None, 1000, 0, {"p99": 12.3}, None, took_s=1.0
        )
        progress.slice_done(block.stacks[0], rate_rps, 1.0)
        progress.window_judged(block.stacks[0], window)
    (line,) = (line for line in drawn(progress, console_of(80)) if line.startswith(block.stacks[0]))
    assert "1,600 ✕" in line
    assert "12.3" in line


def test_plain_lines_have_the_ratio_so_far() -> None:
    console = console_of(200)
    progress = measuring(console, rounds_ended=1)
    progress.round_ended(2)
    console.file.flush()
    lines = console.file.buffer.getvalue().decode().splitlines()  # type: ignore[attr-defined]
    assert lines[0].startswith("round 1 of 5 measured, ")
    assert lines[0].endswith("; so far weather fastapi-uvicorn 2.34\xa0× [2.22,\xa02.46]")
    assert len(lines) == 2


def test_nothing_is_drawn_while_a_slice_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    drawings: list[Picture] = []
    progress = measuring(console_of(80))

    def picture() -> Picture:
        drawings.append(progress.picture())
        return drawings[-1]

    screen = Screen(console_of(80), picture)
    monkeypatch.setattr("harness.cli.live._REFRESH_S", 0.01)
    with screen.shown():
        deadline = time.monotonic() + 5
        while len(drawings) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(drawings) >= 3
        screen.rest()
        before = len(drawings)
        time.sleep(0.1)  # a slice
        assert len(drawings) == before
        screen.between_slices()
        assert len(drawings) == before + 1


def test_a_figure_that_is_not_known_leaves_the_others_their_bars() -> None:
    progress = measuring(console_of(80))
    shown = dataclasses.replace(
        progress.picture(),
        columns=(bars("p99 ms", [[math.nan, 4.0], [8.0, math.nan], [math.nan] * 2], 0),),
        stacks=("a", "b", "c"),
    )
    console = console_of(80)
    console.print(shown)
    console.file.flush()
    text = console.file.buffer.getvalue().decode()  # type: ignore[attr-defined]
    assert "\u2584" in text  # half of the highest bar
    assert "\u2588" in text


def test_a_mistake_in_the_drawing_does_not_end_the_measurement() -> None:
    console = console_of(80)

    def picture() -> Picture:
        raise ValueError("cannot draw this")

    screen = Screen(console, picture)
    with screen.shown():
        screen.rest()
        for _ in range(3):
            screen.between_slices()
    console.file.flush()
    text = console.file.buffer.getvalue().decode()  # type: ignore[attr-defined]
    assert text.count("the live view failed and is off: ValueError('cannot draw this')") == 1


def test_a_file_is_no_screen_even_if_colours_are_forced() -> None:
    assert not is_drawn_on(console_of(80))


@pytest.mark.parametrize(
    ("values", "shown"),
    [((0.0, 4.0, 8.0), "▁▄█"), ((math.nan, 8.0), " █"), ((), ""), ((1.0,) * 9, "▁▁▁▁")],
)
def test_bars_begin_at_zero_and_show_the_latest(values: tuple[float, ...], shown: str) -> None:
    assert sparkline(values, 4, 8.0, ascii_only=False) == shown
    assert sparkline(values, 4, 8.0, ascii_only=True).isascii()


def test_what_is_shown_in_the_end_is_what_the_report_says() -> None:
    folder = PROJECT / "results" / "reference-bench"
    run = store.read_run(folder)

    def read(cell: CellRound) -> Samples:
        return store.read_samples(folder, cell)

    said = analyse(run, read)
    followed = SoFar(read)
    last: dict[BlockKey, BlockSoFar] = {}
    for count in range(1, len(run.rounds) + 1):
        part = dataclasses.replace(run, rounds=run.rounds[:count])
        last |= {block.key: block for block in followed.update(part)}
    for cell in said.cells:
        shown = last[cell.key.block].of(cell.stack)
        assert shown is not None
        assert shown.throughput_rps == cell.throughput_rps.value
        assert shown.valid is cell.valid
    compared = 0
    for made in said.comparisons:
        shown = last[made.block].of(made.candidate)
        if not made.is_secondary and shown and shown.ratio:
            assert shown.ratio == Estimate(made.ratio, made.ci_low, made.ci_high)
            compared += 1
    assert compared == sum(not made.is_secondary for made in said.comparisons)
