"""One scenario under many loads -> a Plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.errors import BadInput, BadOption, UnknownName
from harness.models import Family, Measures, Plan
from harness.planning.options import RunOptions
from harness.planning.plan import Catalogue, make_plan

#: Users of a sweep that names neither users nor rates.
LADDER = (1, 2, 4, 8, 16, 32, 64, 128, 256)
#: A curve has at least so many points.
_LEAST_POINTS = 3
#: Light loads have few requests in a given time, and a p99 needs 1,000: of ten users who wait 50 ms,
#: 5 rounds of 1.2 s have them, and 5 rounds of 0.8 s have not.
_CELL_TIMES = 1.5


@dataclass(frozen=True, slots=True)
class Swept:
    """What changes from block to block."""

    option: str  # as the user types it
    example: str
    applied: Callable[[RunOptions, tuple[float, ...]], RunOptions]


SWEPT: Mapping[str, Swept] = {
    "users": Swept(
        "--users",
        "1,4,16,64",
        lambda options, values: dataclasses.replace(options, users=tuple(map(int, values))),
    ),
    "rate": Swept(
        "--rate",
        "100,200,400",
        lambda options, values: dataclasses.replace(options, rates_rps=values),
    ),
    "workers": Swept(
        "--workers",
        "1,2,4",
        lambda options, values: dataclasses.replace(options, worker_counts=tuple(map(int, values))),
    ),
    "io-ms": Swept(
        "--io-ms",
        "0,50,200",
        lambda options, values: dataclasses.replace(options, io_ms=values),
    ),
    "queries": Swept(
        "--queries",
        "0,2,8",
        lambda options, values: dataclasses.replace(options, queries=tuple(map(int, values))),
    ),
    "work": Swept(
        "--work",
        "0,5,20",
        lambda options, values: dataclasses.replace(options, work=tuple(map(int, values))),
    ),
}


@dataclass(frozen=True, slots=True)
class SweepOptions:
    """What `twinbench sweep` measures, beside what every run needs.

    Raises:
        BadInput: The values make no curve.
    """

    scenario: str
    values: Mapping[str, tuple[float, ...]]  # a key of SWEPT -> its values; none: LADDER

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        given = {SWEPT[key].option: values for key, values in self.values.items()}
        if len(given) > 1:
            listed = " ".join(f"{option} {_listed(values)}" for option, values in given.items())
            raise BadInput(f"{listed}: give one of these, since one thing changes along a curve")
        for key, values in self.values.items():
            swept = SWEPT[key]
            if any(later <= earlier for earlier, later in pairwise(values)):
                advice = f"give each value once, in rising order, such as {swept.example}"
                raise BadOption(swept.option, _listed(values), advice)
            if len(values) < _LEAST_POINTS:
                advice = f"a curve needs at least {_LEAST_POINTS} values, such as {swept.example}"
                raise BadOption(swept.option, _listed(values), advice)


def sweep_plan(
    catalogue: Catalogue,
    options: RunOptions,
    sweep: SweepOptions,
    *,
    calibrated_slice_s: float | None = None,
) -> Plan:
    """Plan a sweep: in each round, all stacks under every load.

    Args:
        catalogue: what can be measured.
        options: everything but the scenario and its loads.
        sweep: these.
        calibrated_slice_s: as for `make_plan`.

    Raises:
        UnknownName: There is no such scenario or stack.
        BadInput: The scenario has no load, or a value makes no sense.
    """
    scenario = catalogue.scenarios.get(sweep.scenario)
    if scenario is None:
        raise UnknownName("scenario", sweep.scenario, catalogue.scenarios)
    if scenario.measures is not Measures.REQUESTS:
        loaded = [
            name
            for name, other in catalogue.scenarios.items()
            if other.measures is Measures.REQUESTS
        ]
        raise BadInput(
            f"scenario '{scenario.name}' has no load that could be changed; these have one: "
            f"{', '.join(loaded)}"
        )
    profile = options.profile
    options = dataclasses.replace(
        options,
        scenarios=(scenario.name,),
        profile=dataclasses.replace(profile, cell_s=_CELL_TIMES * profile.cell_s),
        ladder=False,
    )
    for key, values in (sweep.values or {"users": LADDER}).items():
        options = SWEPT[key].applied(options, values)
    plan = make_plan(catalogue, options, calibrated_slice_s=calibrated_slice_s)
    # No load of a sweep is the one that was asked about.
    blocks = tuple(dataclasses.replace(block, family=Family.LOADS) for block in plan.blocks)
    return dataclasses.replace(plan, blocks=blocks)


def _listed(values: Sequence[float]) -> str:
    return ",".join(f"{value:g}" for value in values)
