"""The catalogue and the options of a search for capacity -> a Plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from harness.errors import BadInput, UnknownName
from harness.models import Measures, Plan, Profile, Search, Slo
from harness.planning.options import PROFILES, RunOptions
from harness.planning.plan import Catalogue, make_plan

T = TypeVar("T")

#: Profile -> how a round searches. Longer windows and more of them, for less bias and less noise.
SEARCHES: Mapping[str, Search] = {
    "smoke": Search(
        window_s=0.8, longest_s=2.5, settle_share=0.33, probe_s=0.4, trials=3, least_step=0.06,
        budget_s=16.0,
    ),
    "quick": Search(
        window_s=3.0, longest_s=12.0, settle_share=0.5, probe_s=0.6, trials=6, least_step=0.03,
        budget_s=75.0,
    ),
    "full": Search(
        window_s=6.0, longest_s=20.0, settle_share=0.5, probe_s=1.0, trials=9, least_step=0.025,
        budget_s=220.0,
    ),
}  # fmt: skip
#: A search plays fewer windows than its budget allows for, in the mean.
_MEAN_SHARE = 0.75
#: Servers start, and replies are checked.
_BETWEEN_ROUNDS_S = 8.0
#: An interval of two rounds is wide.
_LEAST_ROUNDS = 3
#: The most connections. A stack that keeps its promise needs far fewer.
_USERS = 1_000


@dataclass(frozen=True, slots=True)
class CapacityOptions:
    """What decides a plan that searches for capacity, together with the catalogue.

    Messages name the options of `twinbench capacity`.

    Raises:
        BadInput: A value makes no sense.
    """

    scenario: str
    slo: Slo
    profile: Profile = PROFILES["quick"]
    seed: int = 0
    stacks: tuple[str, ...] = ()  # the first is the baseline; empty: the scenario's own
    rounds: int | None = None  # None: the profile's
    minutes: float | None = None  # time for all rounds
    generators: int = 1
    io_ms: float | None = None  # the upstream's latency; None: that of every run
    queries: int | None = None  # of each request, and the next: for scenarios that ask
    work: int | None = None
    search: Search | None = None  # how a round searches; None: as the profile says

    def __post_init__(self) -> None:
        """Refuse what makes no sense, in the words of `twinbench run`."""
        self.as_run()

    def as_run(self) -> RunOptions:
        """The same as options of a run of that scenario."""
        return RunOptions(
            profile=dataclasses.replace(self.profile, ladder=False, budget_s=None),
            seed=self.seed,
            scenarios=(self.scenario,),
            stacks=self.stacks,
            rounds=self.rounds,
            minutes=self.minutes,
            ladder=None,
            generators=self.generators,
            io_ms=_one(self.io_ms),
            queries=_one(self.queries),
            work=_one(self.work),
        )


def _one(value: T | None) -> tuple[T, ...]:
    """A value as options of a run have it."""
    return () if value is None else (value,)


def plan_capacity(catalogue: Catalogue, options: CapacityOptions) -> Plan:
    """Plan the rounds of a search for capacity.

    Raises:
        UnknownName: There is no such scenario or stack.
        BadInput: The scenario has no load.
    """
    scenario = catalogue.scenarios.get(options.scenario)
    if scenario is None:
        raise UnknownName("scenario", options.scenario, catalogue.scenarios)
    if scenario.measures is not Measures.REQUESTS:
        loaded = [n for n, s in catalogue.scenarios.items() if s.measures is Measures.REQUESTS]
        raise BadInput(
            f"scenario '{scenario.name}' measures {scenario.measures} without load, so that it has "
            f"no capacity; these have one: {', '.join(loaded)}"
        )
    plan = make_plan(catalogue, options.as_run())
    (block,) = plan.blocks
    search = options.search or SEARCHES[options.profile.name]
    block = dataclasses.replace(
        block,
        load=dataclasses.replace(block.load, users=_USERS, slo=options.slo),
        slice_s=search.window_s,
        settle_s=search.settle_share * search.window_s,
        cycles=1,
        search=search,
        fixed_slice=True,
    )
    rounds = options.rounds or options.profile.rounds
    if options.minutes is not None:
        round_s = _MEAN_SHARE * block.seconds_per_round + _BETWEEN_ROUNDS_S
        rounds = max(_LEAST_ROUNDS, int(60 * options.minutes / round_s))
    return dataclasses.replace(plan, blocks=(block,), rounds=rounds, budget_s=None, precision=None)
