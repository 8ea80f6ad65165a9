"""Options that several commands share, and the kinds of value that options take."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import click

from harness.errors import BadOption
from harness.models import (
    EXAMPLE_CURRENCY,
    EXAMPLE_HEADROOM,
    EXAMPLE_PRICES,
    SAME_WITHIN,
    Arrivals,
    Demand,
    FailIf,
    Inconclusive,
    Prices,
    Slo,
)
from harness.planning.files import STACKS_FILE
from harness.planning.options import DEFAULT_PROFILE, PROFILES

#: What `--workers` of several commands says of numbers that follow from the machine.
WORKERS_BY_CORES = (
    "n, 2n and 2n+1 stand for numbers too, n being the number of cores that servers are pinned to on "
    "this machine (all cores where they can't be pinned)."
)

F = TypeVar("F", bound=Callable[..., Any])


def out_option(function: F) -> F:
    """`--out`: where all runs are kept."""
    return click.option(
        "--out",
        type=click.Path(path_type=Path),
        default=Path("results"),
        show_default=True,
        metavar="FOLDER",
        envvar="TWINBENCH_OUT",
        help="Folder that holds all runs.",
    )(function)


def json_option(function: F) -> F:
    """`--json`: the answer for programs."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Print one JSON object to stdout; progress still goes to stderr.",
    )(function)


def stacks_file_option(function: F) -> F:
    """`--stacks-file`: other stacks than the project's."""
    return click.option(
        "--stacks-file",
        type=click.Path(path_type=Path),
        default=STACKS_FILE,
        metavar="FILE",
        help="Read the stacks from this TOML file (default: apps/stacks.toml).",
    )(function)


def seed_option(help_text: str) -> Callable[[F], F]:
    """`--seed`: drawn unless it is given."""
    return click.option(
        "--seed",
        type=int,
        default=_draw_seed,
        metavar="N",
        help=f"{help_text} (default: drawn and shown).",
    )


def _draw_seed() -> int:
    import secrets

    return secrets.randbelow(1_000_000)


def same_option(default: float | None, otherwise: str) -> Callable[[F], F]:
    """`--same`: the difference that is too small to matter."""
    return click.option(
        "--same",
        "same_within",
        type=Percent(),
        default=default,
        metavar="P",
        help="Difference that is too small to matter to you, such as 3%: an interval within ±P is "
        f"called the same ({otherwise}).",
    )


def generators_option(function: F) -> F:
    """`--generators`: more load than one process can send."""
    return click.option(
        "--generators",
        type=int,
        default=1,
        show_default=True,
        metavar="N",
        help="Number of processes that send the load.",
    )(function)


def resume_option(function: F) -> F:
    """`--resume`: what was measured is not measured again."""
    return click.option("--resume", metavar="RUN", help="Continue a run that was interrupted.")(
        function
    )


def stack_option(function: F) -> F:
    """`--stack`: the contenders."""
    return click.option(
        "--stack",
        "stacks",
        multiple=True,
        type=Name(),
        metavar="NAME",
        envvar="TWINBENCH_STACKS",
        help="Stack to measure; may be repeated. The first is the baseline. Name a stack twice to "
        "compare it with itself (default: the stacks that each scenario names).",
    )(function)


def profile_option(function: F) -> F:
    """`--profile`: how much is measured."""
    return click.option(
        "--profile",
        type=click.Choice(list(PROFILES)),
        callback=lambda _context, _parameter, name: PROFILES[name],
        default=DEFAULT_PROFILE,
        show_default=True,
        envvar="TWINBENCH_PROFILE",
        help="How many rounds and seconds to measure.",
    )(function)


def rates_option(function: F) -> F:
    """`--rate`: open load, one for each rate."""
    return click.option(
        "--rate",
        "rates_rps",
        type=Numbers(float),
        default=(),
        metavar="R[,R...]",
        help="Open load: send R requests per second on a schedule; several numbers are several loads.",
    )(function)


def arrivals_option(function: F) -> F:
    """`--arrivals`: of open load."""
    return click.option(
        "--arrivals",
        type=click.Choice([str(arrivals) for arrivals in Arrivals]),
        callback=lambda _context, _parameter, name: Arrivals(name) if name else None,
        help=f"Arrival process for open load (default: {Arrivals.POISSON}).",
    )(function)


def effort_options(what: str) -> Callable[[F], F]:
    """`--rounds`, `--minutes`, `--slice`, `--seed`, `--precision`, `--same`.

    Args:
        what: What gets further rounds: "scenario", or "load" where there is but one scenario.
    """
    options = (
        click.option(
            "--rounds",
            type=int,
            metavar="N",
            envvar="TWINBENCH_ROUNDS",
            help="Measure exactly N rounds, each with freshly started servers (default: as many as "
            "fit into the time).",
        ),
        click.option(
            "--minutes",
            type=float,
            metavar="M",
            help=f"Time for all rounds: at least 5 of every {what}, and further ones where "
            "intervals are wide (default: the profile's).",
        ),
        click.option(
            "--slice",
            "slice_s",
            type=float,
            metavar="S",
            help="Seconds that a stack is loaded before the next has its turn (default: what "
            "calibrate found for this machine, or else 0.04; more where a scenario needs it).",
        ),
        seed_option("Seed of all random orders"),
        click.option(
            "--precision",
            type=Percent(),
            metavar="P",
            help=f"Stop measuring a {what} when its intervals are narrower than ±P, such as 3% "
            "(default: the profile's; with --rounds, measure every round).",
        ),
        same_option(SAME_WITHIN, f"default: {SAME_WITHIN:.0%}"),
    )

    def decorate(function: F) -> F:
        return functools.reduce(lambda inner, option: option(inner), reversed(options), function)

    return decorate


class Name(click.ParamType[str]):
    """A name; an environment variable may hold several, with blanks or commas between them."""

    name = "text"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """Take any text: the plan knows which names there are."""
        return str(value)

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        """Split the value of an environment variable."""
        return rv.replace(",", " ").split()


class Numbers(click.ParamType[tuple[float, ...]]):
    """One number, or several with commas between them."""

    def __init__(self, number: type[int] | type[float]) -> None:
        self.number = number
        self.name = "numbers"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, ...]:
        """`4,64` -> (4, 64)."""
        if isinstance(value, tuple):
            return value
        what, example = (
            ("a whole number", "4,64") if self.number is int else ("a number", "100,250.5")
        )
        numbers = []
        for part in str(value).split(","):
            try:
                numbers.append(self.number(part))
            except ValueError:
                self.fail(f"'{part}' is not {what}; write several like {example}", param, ctx)
        return tuple(numbers)


class WorkerCounts(click.ParamType[tuple[int, ...]]):
    """Numbers of worker processes, some of which may follow from the servers' cores: `1,2,2n+1`."""

    name = "numbers"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        """`1,2,2n+1` -> (1, 2, 3) where the servers have one core."""
        if isinstance(value, tuple):
            return value
        from harness.machine.placement import place_here
        from harness.planning.stacks import worker_numbers

        return worker_numbers(str(value), place_here().servers)


class Percent(click.ParamType[float]):
    """A share, written as `3%` or `0.03`."""

    name = "percent"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """`3%` -> 0.03; a bare 3 could mean 3 % or 300 %, so it is refused."""
        if isinstance(value, float):
            return value
        try:
            number = float(value.removesuffix("%"))
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            self.fail(f"'{value}' is not a share such as 3% or 0.03", param, ctx)
        if value.endswith("%"):
            return number / 100
        if number >= 1:
            self.fail(f"'{value}' is unclear: write {number:g}% or {number / 100:g}", param, ctx)
        return number


class Promise(click.ParamType[Slo]):
    """A promise such as `p99<100ms,errors<0.1%`."""

    name = "slo"

    def convert(self, value: Any, param: Any, ctx: Any) -> Slo:
        """Read it; what can't be read is refused with an example."""
        from harness.planning.slo import parse_slo

        return value if isinstance(value, Slo) else parse_slo(str(value))


def slo_option(help_text: str) -> Callable[[F], F]:
    """`--slo`: the promise that has to be kept."""
    return click.option("--slo", type=Promise(), required=True, metavar="PROMISE", help=help_text)


def fail_if_options(function: F) -> F:
    """`--fail-if`, `--against`, `--inconclusive`, `--junit`: a gate for pipelines."""
    options = (
        click.option(
            "--fail-if",
            "fail_ifs",
            multiple=True,
            metavar="CONDITION",
            callback=_fail_ifs,
            help="Exit with 1 if this is so of a candidate, such as 'throughput<0.95', 'p50>1.1', "
            "'p99>1.10', 'cpu>1.2' (ratios to the baseline), 'errors>0', 'errors>0.1%' or 'parity' "
            "(any difference of replies); may be repeated, or hold several with commas between them. "
            "A ratio is decided by its interval, never by the point.",
        ),
        click.option(
            "--against",
            default="",
            metavar="RUN",
            help="Let --fail-if compare each candidate with itself in this saved run, and not with "
            "the baseline.",
        ),
        click.option(
            "--inconclusive",
            type=click.Choice([str(each) for each in Inconclusive]),
            callback=lambda _context, _parameter, name: Inconclusive(name),
            default=str(Inconclusive.FAIL),
            show_default=True,
            help="What to do about a promise of --fail-if that could not be decided.",
        ),
        click.option(
            "--junit",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="Write the promises of --fail-if to this file too, as JUnit XML.",
        ),
    )
    return functools.reduce(lambda inner, option: option(inner), reversed(options), function)


def _fail_ifs(
    _context: click.Context, _parameter: click.Parameter, texts: Sequence[str]
) -> tuple[FailIf, ...]:
    from harness.planning.fail_if import parse_fail_ifs

    return parse_fail_ifs(texts)


def price_options(function: F) -> F:
    """`--vcpu-hour` and `--gib-hour`: what a container's cores and memory cost."""
    prices = (
        ("--vcpu-hour", EXAMPLE_PRICES.vcpu_hour, "a core"),
        ("--gib-hour", EXAMPLE_PRICES.gib_hour, "a GiB of memory"),
    )
    for name, default, what in reversed(prices):
        function = click.option(
            name,
            type=float,
            default=default,
            show_default=True,
            metavar="PRICE",
            help=f"Price of {what} for an hour; the default is an example, in {EXAMPLE_CURRENCY}.",
        )(function)
    return function


def rate_to_serve_option(function: F) -> F:
    """`--rate`: the traffic that containers are counted for."""
    return click.option(
        "--rate", type=float, required=True, metavar="R", help="Requests per second to serve."
    )(function)


def headroom_option(of: str) -> Callable[[F], F]:
    """`--headroom`: what containers are not counted with.

    Args:
        of: What of a container is kept free in part: "capacity" or "rate".
    """
    return click.option(
        "--headroom",
        type=Percent(),
        default=f"{EXAMPLE_HEADROOM:.0%}",
        show_default=True,
        metavar="P",
        help=f"Share of each container's {of} that is kept free.",
    )


def refuse_demand(demand: Demand, prices: Prices) -> None:
    """Raise BadOption for a traffic that is none, or a price that nobody asks."""
    if not 0 < demand.rate_rps < math.inf:
        raise BadOption("--rate", f"{demand.rate_rps:g}", "give more than 0 requests per second")
    if not 0 <= demand.headroom < 1:
        raise BadOption("--headroom", f"{demand.headroom:.0%}", "give 0% to 99%")
    for option, price in (("--vcpu-hour", prices.vcpu_hour), ("--gib-hour", prices.gib_hour)):
        if not 0 <= price < math.inf:
            raise BadOption(option, f"{price:g}", "give a price of 0 or more")


def as_record(record: type[Any]) -> Callable[[F], F]:
    """Gather the options that a record has fields for into one record, the first argument.

    Goes nearest to the function, below all options.
    """
    names = {field.name for field in fields(record)}

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def command(**given: Any) -> Any:
            own = {name: given.pop(name) for name in names & given.keys()}
            return function(record(**own), **given)

        return command  # type: ignore[return-value]

    return decorate


class Command(click.Command):
    """A command whose messages name the environment variable that a wrong value came from."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        from harness.errors import TwinbenchError

        try:
            return super().invoke(ctx)
        except TwinbenchError as error:
            variable = self._variable(ctx, error.parameter)
            if variable:
                error.args = (f"{variable}: {error}", *error.args[1:])
            raise

    def _variable(self, ctx: click.Context, blamed: str) -> str | None:
        """The environment variable that gave an option its value; None if none did."""
        for param in self.params:
            if blamed in (param.name, *param.opts):
                return variable_of(ctx, param)
        return None


def variable_of(ctx: click.Context, param: click.Parameter) -> str | None:
    """The environment variable that a parameter has its value from; None if it has not."""
    source = ctx.get_parameter_source(param.name or "")
    if source is not click.core.ParameterSource.ENVIRONMENT:
        return None
    return param.envvar if isinstance(param.envvar, str) else None
