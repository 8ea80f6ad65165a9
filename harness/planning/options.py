"""What the user of `twinbench run` may decide, as one validated record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apps import contract
from harness.errors import BadInput, BadOption
from harness.models import SAME_WITHIN, Arrivals, FailIf, Profile

PROFILES: Mapping[str, Profile] = {
    # For tests and a first look: two rounds give no verdict.
    "smoke": Profile("smoke", rounds=2, cell_s=0.3, scale=0.3),
    # As many rounds as the time allows: a second start of a process says more about it than a
    # longer look at the first.
    "quick": Profile("quick", rounds=5, cell_s=0.8, budget_s=300),
    "full": Profile(
        "full",
        rounds=7,
        cell_s=1.6,
        budget_s=3_600,
        precision=0.01,
        every_scenario=True,
        ladder=True,
    ),
}
DEFAULT_PROFILE = "quick"
UPSTREAM_LATENCY = "constant:50"
#: A slice must leave something to count after settling.
_MIN_SLICE_S = 0.01
_MAX_SLICE_S = 60.0
_MAX_ROUNDS = 10_000
_MAX_MINUTES = 7 * 24 * 60
MAX_USERS = 10_000
_MAX_RATE = 1_000_000
_MAX_GENERATORS = 64
_MAX_WORKERS = 64
#: The upstream must answer well before the twins give it up (measuring.blocks.TIMEOUT_S).
_MAX_IO_MS = 5_000


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What decides a plan, together with the catalogue of stacks, scenarios and steps.

    Messages name the options of `twinbench run`.

    Raises:
        BadInput: A value makes no sense.
    """

    profile: Profile = PROFILES[DEFAULT_PROFILE]
    seed: int = 0  # decides every order
    scenarios: tuple[str, ...] = ()  # empty: the core scenarios, or all if the profile says so
    stacks: tuple[str, ...] = ()  # the first is the baseline; empty: each scenario's own
    users: tuple[int, ...] = ()  # closed load: one load each; open load: the most connections
    rates_rps: tuple[float, ...] = ()  # open load, one load each; empty: closed load
    arrivals: Arrivals | None = None  # None: Poisson
    rounds: int | None = None  # None: the profile's
    minutes: float | None = (
        None  # time for all rounds; None: the profile's, if rounds are not given
    )
    slice_s: float | None = None  # None: as the machine and the scenario need
    generators: int = 1  # load processes
    same_within: float = SAME_WITHIN  # differences below this are too small to matter: 0.03 is ±3 %
    #: A block is measured no further once its intervals are narrower than ± this: 0.03 is ±3 %.
    #: None: the profile's if there is a budget of time, or else every round is measured.
    precision: float | None = None
    ladder: bool | None = None  # None: as the profile says, unless stacks are chosen
    workers: int = 1  # worker processes of each server
    #: Numbers of worker processes, each of which makes a contender of every stack.
    worker_counts: tuple[int, ...] = ()
    upstream_latency: str = UPSTREAM_LATENCY
    io_ms: tuple[float, ...] = ()  # latencies of the upstream, each of which makes a load
    #: What each request asks for, where the scenario lets the load decide it (Scenario.asks). Each
    #: value makes a load: lookups in the database, and units of CPU work.
    queries: tuple[int, ...] = ()
    work: tuple[int, ...] = ()
    fail_ifs: tuple[FailIf, ...] = ()  # conditions under which the run fails
    against: str = ""  # folder of the saved run that they compare with; empty: the baseline

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        for users in self.users:
            if not 1 <= users <= MAX_USERS:
                raise BadOption("--users", users, f"give between 1 and {MAX_USERS:,} users")
        for rate_rps in self.rates_rps:
            if not 1 <= rate_rps <= _MAX_RATE:  # refuses nan too
                advice = f"give 1 to {_MAX_RATE:,} requests a second"
                raise BadOption("--rate", f"{rate_rps:g}", advice)
        for count in self.worker_counts:
            if not 1 <= count <= _MAX_WORKERS:
                raise BadOption("--workers", count, f"give 1 to {_MAX_WORKERS} worker processes")
        if list(self.worker_counts) != sorted(set(self.worker_counts)):
            given = ",".join(map(str, self.worker_counts))
            raise BadOption("--workers", given, "give rising numbers, such as 1,2,4")
        if self.worker_counts and self.ladder:
            raise BadInput("--ladder measures stacks of its own: leave out --workers, or --ladder")
        for io_ms in self.io_ms:
            if not 0 <= io_ms <= _MAX_IO_MS:  # refuses nan too
                raise BadOption("--io-ms", f"{io_ms:g}", f"give 0 to {_MAX_IO_MS:,} milliseconds")
        for option, asked, most, what in (
            ("--queries", self.queries, contract.QUERIES_MAX, "lookups"),
            ("--work", self.work, contract.WORK_MAX, "units of work"),
        ):
            for value in asked:
                if not 0 <= value <= most:
                    raise BadOption(option, value, f"give 0 to {most} {what}")
        loads: tuple[tuple[str, tuple[float, ...]], ...] = (
            ("--users", self.users),
            ("--rate", self.rates_rps),
            ("--io-ms", self.io_ms),
            ("--queries", self.queries),
            ("--work", self.work),
        )
        for option, values in loads:
            repeated = _repeated(values)
            if repeated is not None:
                raise BadOption(
                    option, f"{repeated:g}", "this load is given twice; give each load once"
                )
        if self.rates_rps and len(self.users) > 1:
            given = ",".join(map(str, self.users))
            raise BadOption("--users", given, "give one number, the most connections, with --rate")
        if self.arrivals is not None and not self.rates_rps:
            raise BadInput(f"--arrivals {self.arrivals} is for open load: give a --rate too")
        if not 1 <= self.generators <= _MAX_GENERATORS:
            advice = f"give 1 to {_MAX_GENERATORS} load processes"
            raise BadOption("--generators", self.generators, advice)
        if self.precision is not None and not 0.001 <= self.precision <= 0.5:
            raise BadOption("--precision", f"{self.precision:.2%}", "give 0.1% to 50%")
        if not 0.001 <= self.same_within <= 0.5:
            raise BadOption("--same", f"{self.same_within:.2%}", "give 0.1% to 50%")
        if self.rounds is not None and not 1 <= self.rounds <= _MAX_ROUNDS:
            advice = f"give 1 to {_MAX_ROUNDS:,} rounds (5 for a verdict)"
            raise BadOption("--rounds", self.rounds, advice)
        if self.minutes is not None:
            if self.rounds is not None:
                raise BadInput(
                    f"--minutes {self.minutes:g} --rounds {self.rounds}: give one of the two, the "
                    "time or the number of rounds"
                )
            if not 0 < self.minutes <= _MAX_MINUTES:  # refuses nan too
                advice = f"give more than 0 and at most {_MAX_MINUTES:,} minutes"
                raise BadOption("--minutes", f"{self.minutes:g}", advice)
        if self.slice_s is not None and not _MIN_SLICE_S <= self.slice_s <= _MAX_SLICE_S:
            advice = f"give {_MIN_SLICE_S} to {_MAX_SLICE_S:g} seconds"
            raise BadOption("--slice", self.slice_s, advice)
        if self.against and not self.fail_ifs:
            raise BadInput(
                f"--against {self.against} is what --fail-if compares with: give a --fail-if too"
            )
        if self.fail_ifs and self.precision is not None and self.rounds is None:
            raise BadInput(
                f"--precision {100 * self.precision:g}%: with --fail-if, a run goes on until its "
                "promises are decided: leave out --precision, or give --rounds"
            )
        if self.seed < 0:
            raise BadOption("--seed", self.seed, "give a whole number from 0 on")


def _repeated(values: Sequence[float]) -> float | None:
    """A value that is given twice; two rates that a label can't tell apart count as one."""
    labels = [f"{value:g}" for value in values]
    return next(
        (v for v, label in zip(values, labels, strict=True) if labels.count(label) > 1), None
    )
