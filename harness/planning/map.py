"""The upstream's latency × users × CPU work, for two stacks or more -> a Plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.errors import BadInput, BadOption
from harness.models import Family, Plan, Profile
from harness.planning.options import PROFILES, RunOptions
from harness.planning.plan import Catalogue, make_plan

#: The scenario whose requests a load decides.
SCENARIO = "dashboard"
#: Of each side, the stack that neither a number of threads nor a slow HTTP client limits: with 40
#: threads, flask-gthread can't serve more than 80 requests/s at 500 ms, and with httpx the client decides
#: every tile that waits (`twinbench sweep weather` shows both).
STACKS = ("flask-gevent", "fastapi-aiohttp")


@dataclass(frozen=True, slots=True)
class Grid:
    """The values that a map has tiles for."""

    io_ms: tuple[float, ...]
    users: tuple[int, ...]
    work: tuple[int, ...]


#: Profile -> what a map has tiles for, if the reader does not say.
GRIDS: Mapping[str, Grid] = {
    "smoke": Grid((0.0, 50.0), (1, 30), (0, 10)),
    "quick": Grid((0.0, 20.0, 100.0, 500.0), (1, 10, 100), (0, 10)),
    "full": Grid((0.0, 5.0, 20.0, 50.0, 100.0, 200.0, 500.0), (1, 3, 10, 30, 100, 300), (0, 3, 10)),
}
#: A tile has little time in a round, because there are many tiles. Each round of one also says how much
#: fresh processes differ, which a longer look at the same ones does not.
_CELL_S = 0.4
#: Share of the scenario's warm-up. The tiles of a round follow each other in the same processes.
_SCALE = 0.3
#: With the services' start and the report, a map in quick takes less than 15 minutes.
_BUDGET_S: Mapping[str, float | None] = {"smoke": None, "quick": 14 * 60, "full": 3_600}
_LEAST_VALUES = 2


@dataclass(frozen=True, slots=True)
class MapOptions:
    """What decides the plan of a map, together with the catalogue.

    Messages name the options of `twinbench map`.

    Raises:
        BadInput: The values make no map.
    """

    profile: Profile = PROFILES["quick"]
    seed: int = 0
    stacks: tuple[str, ...] = ()  # the first is the baseline; empty: STACKS
    io_ms: tuple[float, ...] = ()  # empty: the profile's, and so the next two
    users: tuple[int, ...] = ()
    work: tuple[int, ...] = ()
    queries: int = 0
    minutes: float | None = None  # time for all rounds; None: the profile's

    def __post_init__(self) -> None:
        """Refuse what makes no map, and what makes no run."""
        if len(self.stacks) == 1:
            raise BadInput(f"--stack {self.stacks[0]}: a map compares; give two stacks or more")
        for option, values, least in (
            ("--io-ms", self.io_ms, _LEAST_VALUES),
            ("--users", self.users, _LEAST_VALUES),
            ("--work", self.work, 1),
        ):
            _refuse_no_axis(option, values, least)
        self.as_run()

    @property
    def grid(self) -> Grid:
        """The tiles."""
        usual = GRIDS[self.profile.name]
        return Grid(self.io_ms or usual.io_ms, self.users or usual.users, self.work or usual.work)

    def as_run(self) -> RunOptions:
        """The same as options of a run."""
        budget_s = _BUDGET_S[self.profile.name]
        return RunOptions(
            profile=dataclasses.replace(
                self.profile,
                rounds=min(5, self.profile.rounds),
                cell_s=min(_CELL_S, self.profile.cell_s),
                scale=min(_SCALE, self.profile.scale),
                budget_s=budget_s,
                ladder=False,
            ),
            seed=self.seed,
            scenarios=(SCENARIO,),
            stacks=self.stacks or STACKS,
            users=self.grid.users,
            io_ms=self.grid.io_ms,
            queries=(self.queries,),
            work=self.grid.work,
            minutes=self.minutes,
        )


def map_plan(
    catalogue: Catalogue, options: MapOptions, *, calibrated_slice_s: float | None = None
) -> Plan:
    """Plan a map: in each of the first rounds all tiles, then those near the line.

    Args:
        catalogue: what can be measured.
        options: what the user decided.
        calibrated_slice_s: as for `make_plan`.

    Raises:
        UnknownName: There is no such stack.
        BadInput: A value makes no sense.
    """
    plan = make_plan(catalogue, options.as_run(), calibrated_slice_s=calibrated_slice_s)
    # No tile is the one that was asked about.
    blocks = tuple(dataclasses.replace(block, family=Family.LOADS) for block in plan.blocks)
    return dataclasses.replace(
        plan, profile=f"map-{plan.profile}", blocks=blocks, near_line=plan.budget_s is not None
    )


def _refuse_no_axis(option: str, values: Sequence[float], least: int) -> None:
    given = ",".join(f"{value:g}" for value in values)
    if any(later <= earlier for earlier, later in pairwise(values)):
        raise BadOption(option, given, "give each value once, in rising order, such as 1,10,100")
    if values and len(values) < least:
        raise BadOption(option, given, f"a map needs at least {least} values, such as 1,10,100")
