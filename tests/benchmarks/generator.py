"""Compares the load process with wrk and with Locust's own users, against the same no-op server.

`python -m tests.benchmarks.generator` (or `make bench-generator`) prints one table in less than
three minutes. The server has one core, and the generators share another: they take turns of a
second, in a new random order for each round. Ratios are taken round by round. The table compares
speeds with targets, but no test does.
"""

from __future__ import annotations

import json
import random
import re
import resource
import select
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from harness.analysis import stats
from harness.calibration import ceiling
from harness.channel.messages import Contender, Turn
from harness.errors import EnvironmentFailed, Interrupted, LoadFailed, TwinbenchError
from harness.machine import placement
from harness.measuring.crew import Crew, Order, crew
from harness.models import Arrivals, CellKey, Estimate, Load, Placement
from harness.planning.files import PROJECT
from harness.processes import children as processes
from harness.processes.children import Child
from harness.processes.interrupts import interrupts
from harness.processes.meter import Meter
from harness.report import formats

ROUNDS = 7
TURN_S = 1.0
CONNECTIONS = (16, 64)
#: No round begins after this time; the rest takes about 20 s.
ROUNDS_WITHIN_S = 130.0
OPEN_RPS = 5_000
STALLS_S = 5.0
MANY = 10_000
FILES = MANY + 200
PATIENCE_S = 30.0
OURS, WRK, FAST, PLAIN = "ours", "wrk", "FastHttpUser", "HttpUser"
_UNITS_US = {"us": 1.0, "ms": 1e3, "s": 1e6}


@dataclass(frozen=True)
class Row:
    """A line of the table. The target is about the ratio, or about the figure if there is no ratio."""

    what: str
    figure: str
    ratio: str
    target: str
    met: bool | None  # None: there is no target, or nothing was measured


@dataclass
class Measured:
    """Figures of all rounds. Keys of `rps` are generator and connections."""

    rps: defaultdict[tuple[str, int], list[float]] = field(
        default_factory=lambda: defaultdict(list)
    )
    median_us: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    lag_ms: defaultdict[Arrivals, list[tuple[float, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )  # p50 and p99


class Locust:
    """A process with Locust's own users."""

    def __init__(self, kind: str, url: str, where: Placement, folder: Path) -> None:
        self.child = Child(
            f"locust {kind}",
            [sys.executable, "-m", "tests.benchmarks.locust_users", kind, url],
            log=folder / f"locust-{kind}.log",
            cores=where.load,
            piped=True,
            folder=PROJECT,
        )

    def answer(self) -> dict[str, float]:
        """What it says next."""
        line = b""
        if select.select([self.child.stdout], [], [], PATIENCE_S)[0]:
            line = self.child.stdout.readline()
        if not line:
            raise LoadFailed(f"{self.child.name} does not answer", detail=self.child.last_lines())
        answer: dict[str, float] = json.loads(line)
        return answer

    def rate_rps(self, users: int) -> float:
        """Requests/s in one turn."""
        order = json.dumps({"users": users, "seconds": TURN_S})
        self.child.stdin.write(order.encode() + b"\n")
        self.child.stdin.flush()
        answer = self.answer()
        if answer["failures"] or not answer["rps"]:
            raise LoadFailed(
                f"{self.child.name}: {answer['rps']:.0f} requests/s, {answer['failures']} failures",
                detail=self.child.last_lines(),
            )
        return answer["rps"]


def wrk(url: str, connections: int, where: Placement, folder: Path) -> tuple[float, float]:
    """Let wrk load the server for one turn, in whole seconds; requests/s and median latency (µs)."""
    log = folder / f"wrk-{time.monotonic_ns()}.log"
    command = ["wrk", "--latency", "-t1", f"-c{connections}", f"-d{round(TURN_S)}s"]
    child = Child("wrk", [*command, f"{url}/hello"], log=log, cores=where.load)
    try:
        child.process.wait(PATIENCE_S)
    finally:
        processes.stop([child])
    return parse_wrk(log.read_text())


def parse_wrk(output: str) -> tuple[float, float]:
    """Requests/s and median latency (µs) from the output of wrk."""
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    median = re.search(r"50%\s+([\d.]+)(us|ms|s)\b", output)
    if not rate or not median or "Non-2xx" in output or "Socket errors" in output:
        raise LoadFailed("wrk printed no figures, or requests failed", detail=output)
    return float(rate[1]), float(median[1]) * _UNITS_US[median[2]]


@dataclass
class Bench:
    """The server and all generators, ready to load it."""

    url: str
    server: Child
    where: Placement
    folder: Path
    load: Crew
    fast: Locust
    plain: Locust
    has_wrk: bool

    def turns(self, measured: Measured) -> list[list[Callable[[], None]]]:
        """Turns of one round, in groups: turns that are compared run close to each other."""
        groups: list[list[Callable[[], None]]] = []
        for connections in CONNECTIONS:
            group: list[Callable[[], None]] = [
                lambda n=connections: measured.rps[OURS, n].append(self.ours_rps(n)),
                lambda n=connections: measured.rps[FAST, n].append(self.fast.rate_rps(n)),
                lambda n=connections: measured.rps[PLAIN, n].append(self.plain.rate_rps(n)),
            ]
            if self.has_wrk:
                group.append(lambda n=connections: measured.rps[WRK, n].append(self.wrk(n)[0]))
            groups.append(group)
        alone: list[Callable[[], None]] = [
            lambda: measured.median_us[OURS].append(self.ours_median_us())
        ]
        if self.has_wrk:
            alone.append(lambda: measured.median_us[WRK].append(self.wrk(1)[1]))
        groups.append(alone * 2)  # one pair a round would be too noisy for a target this close
        groups.append(
            [lambda a=arrivals: measured.lag_ms[a].append(self.lag_ms(a)) for arrivals in Arrivals]
        )
        return groups

    def wrk(self, connections: int) -> tuple[float, float]:
        return wrk(self.url, connections, self.where, self.folder)

    def ours_rps(self, connections: int) -> float:
        played, _ = ceiling.play(self.load, self.url, Load(connections), seconds=TURN_S)
        return ceiling.rate_rps(played)

    def ours_median_us(self) -> float:
        _, samples = ceiling.play(self.load, self.url, Load(1), seconds=TURN_S)
        return float(np.median(samples["latency_ns"])) / 1e3

    def lag_ms(self, arrivals: Arrivals) -> tuple[float, float]:
        """Open load: p50 and p99 of how late requests were sent."""
        _, samples = ceiling.play(
            self.load,
            self.url,
            Load(1_000, OPEN_RPS, arrivals),
            seconds=TURN_S,
            slice_s=0.5,
        )
        lag_ms = (samples["start_ns"] - samples["intended_ns"]) / 1e6
        p50, p99 = np.quantile(lag_ms, [0.5, 0.99])
        return float(p50), float(p99)

    def metering_share(self) -> float:
        """CPU of the harness while it takes turns as a run does: share of a core."""
        cell = seat(self.load, self.url, Load(16))
        meter = Meter({"server": self.server.tree()})
        cpu, wall = time.process_time(), time.perf_counter()
        for cycle in range(20):
            meter.cpu_seconds()
            self.load.play(Turn(cell, cycle, 0.1, 0.01))
            meter.cpu_seconds()
        share = (time.process_time() - cpu) / (time.perf_counter() - wall)
        list(self.load.finish().cells)
        return share


def seat(load: Crew, url: str, todo: Load) -> CellKey:
    """Give the one cell of a block its users."""
    cell = CellKey("no-op", "hello", todo.label)
    scenario = str(PROJECT / "scenarios" / "hello.py")
    load.seat(Order(scenario, (Contender(cell, todo, url),), PATIENCE_S, "many"))
    return cell


def memory_mib(where: Placement, folder: Path, url: str) -> float:
    """Proportional set size of a load process that has used each of its many open connections."""
    with crew(size=1, cores=where.load, logs=folder, folder=PROJECT) as load:
        cell = seat(load, url, Load(MANY))
        load.play(Turn(cell, 0, 2.0, 0.1))
        (process,) = (
            child for child in psutil.Process().children() if "harness.load" in child.cmdline()
        )
        connections = process.num_fds()
        finished = load.finish()
        (played,) = (each.played for each in finished.cells)
    if played.errors or connections < MANY:
        raise LoadFailed(
            f"{connections:,} files open, {played.errors:,} requests failed",
            detail="\n".join(played.examples),
        )
    return finished.load[0].pss_bytes / (1 << 20)


@contextmanager
def standing(console: Console) -> Iterator[Bench]:
    """Start the server and all generators; each is idle until its turn."""
    where = placement.place_here()
    has_wrk = shutil.which("wrk") is not None
    if not has_wrk:
        console.print("wrk is not installed, so it is left out (Debian: apt install wrk)")
    if where.note:
        console.print(f"note: {where.note}")
    with ExitStack() as stack:
        folder = stack.enter_context(processes.scratch_folder("generator"))
        stack.enter_context(processes.kept_to(where.load))
        server = stack.enter_context(ceiling.no_op_server(where.servers, folder))
        load = stack.enter_context(crew(size=1, cores=where.load, logs=folder, folder=PROJECT))
        fast, plain = (Locust(kind, server.url, where, folder) for kind in ("fast", "plain"))
        stack.callback(lambda: processes.stop([fast.child, plain.child]))
        fast.answer()
        plain.answer()
        yield Bench(server.url, server.child, where, folder, load, fast, plain, has_wrk)


def compared(what: str, ours: list[float], theirs: list[float], unit: str, target: str) -> Row:
    """Make the row of ours ÷ theirs, round by round, with a target such as `≥ 0.6`."""
    if not theirs:
        return Row(what, f"{formats.number(geometric(ours))} {unit}", "", target, None)
    ratio = stats.log_mean([our / their for our, their in zip(ours, theirs, strict=True)])
    sign, bound = target.split()
    return Row(
        what,
        f"{formats.number(geometric(ours))} / {formats.number(geometric(theirs))} {unit}",
        shown(ratio),
        target,
        ratio.value >= float(bound) if sign == "≥" else ratio.value <= float(bound),
    )


def by_round(values: list[float]) -> list[float]:
    """Join the two turns of each round, because intervals count rounds."""
    pairs = zip(values[::2], values[1::2], strict=True)
    return [geometric(list(pair)) for pair in pairs]


def geometric(values: list[float]) -> float:
    return stats.log_mean(values).value


def shown(ratio: Estimate) -> str:
    interval = formats.ratio_interval(ratio.value, ratio.low, ratio.high)
    return f"{formats.ratio(ratio.value)} {interval}"


def rows(bench: Bench, measured: Measured) -> Iterator[Row]:
    """Make the table; figures that are no ratios are measured meanwhile."""
    for other, target in ((WRK, "≥ 0.6"), (FAST, "≥ 4"), (PLAIN, "≥ 25")):
        for n in CONNECTIONS:
            yield compared(
                f"ours ÷ {other}, {n} connections",
                measured.rps[OURS, n],
                measured.rps[other, n],
                "requests/s",
                target,
            )
    yield compared(
        "median latency, 1 connection, ours ÷ wrk",
        by_round(measured.median_us[OURS]),
        by_round(measured.median_us[WRK]),
        "µs",
        "≤ 1.15",
    )
    for arrivals in Arrivals:
        p50s, p99s = zip(*measured.lag_ms[arrivals], strict=True)
        # A single stall of the machine decides the p99 of its second, so show the median and the range.
        p50, p99 = float(np.median(p50s)), float(np.median(p99s))
        yield Row(
            f"schedule lag, {OPEN_RPS:,} requests/s, {arrivals}",
            f"p50 {p50:.2f} ms, p99 {p99:.2f} ms ({min(p99s):.2f} to {max(p99s):.2f})",
            "",
            "p99 ≤ 1 ms",
            p99 <= 1.0,
        )
    yield stalls_row()
    share = bench.metering_share()
    yield Row(
        "CPU of metering and turn-taking, slices of 0.1 s",
        f"{share:.1%} of a core",
        "",
        "≤ 1 %",
        share <= 0.01,
    )


def many_row(console: Console) -> Row:
    """Measure the memory of very many connections, with a new server and a new load process."""
    what = f"memory of a load process, {MANY:,} used connections"
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < FILES:
        console.print(f"{what}: not measured, because ulimit -Hn allows fewer than {FILES:,} files")
        return Row(what, "not measured", "", "≤ 512 MiB", None)
    where = placement.place_here()
    with (
        processes.scratch_folder("generator") as folder,
        ceiling.no_op_server(where.servers, folder) as server,
    ):
        mib = memory_mib(where, folder, server.url)
    return Row(what, f"{mib:,.0f} MiB", "", "≤ 512 MiB", mib <= 512)


def stalls_row() -> Row:
    """Measure how often the load's core is taken away from a process that only reads the clock."""
    end = time.perf_counter_ns() + int(STALLS_S * 1e9)
    last = time.perf_counter_ns()
    gaps_ms = []
    while last < end:
        now = time.perf_counter_ns()
        if now - last > 500_000:
            gaps_ms.append((now - last) / 1e6)
        last = now
    share = sum(gaps_ms) / 1e3 / STALLS_S
    longest = max(gaps_ms, default=0.0)
    # No generator can send in such a gap. If gaps take more than 1 %, they decide the p99.
    return Row(
        "the machine's own gaps above 0.5 ms, on the load's core",
        f"{share:.1%} of the time, longest {longest:.1f} ms",
        "",
        "",
        None,
    )


def measure(console: Console) -> list[Row]:
    """Measure all rounds, then the figures that need no rounds."""
    begun = time.monotonic()
    measured = Measured()
    order = random.Random()
    with standing(console) as bench:
        for number in range(1, ROUNDS + 1):
            if time.monotonic() - begun > ROUNDS_WITHIN_S:
                console.print(f"slow machine: stopped after {number - 1} of {ROUNDS} rounds")
                break
            groups = bench.turns(measured)
            for group in order.sample(groups, len(groups)):
                for turn in order.sample(group, len(group)):
                    turn()
            console.print(f"round {number} of {ROUNDS}, {time.monotonic() - begun:.0f} s")
        found = list(rows(bench, measured))
    return [*found, many_row(console)]


def show(found: list[Row]) -> None:
    """Print the table on stdout."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("what", "figure", "ratio [95 %]", "target", "met"):
        table.add_column(name, no_wrap=True)
    words = {True: "met", False: "not met", None: "–"}
    for row in found:
        table.add_row(row.what, row.figure, row.ratio, row.target, words[row.met])
    # Wide enough that a table in a file is not cut off.
    Console(width=max(Console().width, 180), highlight=False).print(table)


def main() -> int:
    interrupts.install()
    console = Console(stderr=True, highlight=False)
    code = 0
    try:
        show(measure(console))
    except (TwinbenchError, Interrupted) as error:
        interrupts.acknowledge()
        console.print(f"{error}\n{getattr(error, 'detail', '')}", markup=False)
        code = error.exit_code
    except OSError as error:
        console.print(f"the system refused an operation: {error}", markup=False)
        code = EnvironmentFailed.exit_code
    finally:
        interrupts.hold_for_good()
        processes.stop_everything()
    return code


if __name__ == "__main__":
    sys.exit(main())
