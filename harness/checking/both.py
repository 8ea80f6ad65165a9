"""The contract's requests and the generated ones, to the same stacks; what differs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.checking import explore, parity


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found."""

    stacks: tuple[str, ...]
    requests: int  # of the contract, to each stack
    differences: Mapping[str, Collection[parity.Difference]]  # by stack, from the contract
    breaks: Mapping[str, Collection[str]]  # by stack: what stacks.toml says it can't keep
    seed: int
    explored: explore.Exploration

    @property
    def agree(self) -> bool:
        """Whether every reply is as promised and all stacks answer alike."""
        return not (any(self.differences.values()) or self.explored.disagreements)

    def as_json(self) -> dict[str, Any]:
        """What `twinbench check --json` prints."""
        return {
            "stacks": list(self.stacks),
            "requests": self.requests * len(self.stacks),
            "differences": [
                {
                    "stack": stack,
                    "sample": difference.sample,
                    "problem": difference.problem,
                    "reply": difference.excerpt,
                }
                for stack, differences in self.differences.items()
                for difference in differences
            ],
            "breaks": self.breaks,
            "cases": self.explored.cases,
            "seed": self.seed,
            "statuses": self.explored.statuses,
            "disagreements": [
                disagreement.as_json() for disagreement in self.explored.disagreements
            ],
        }

    def lines(self) -> Iterator[str]:
        """What `twinbench check` prints: every difference, then one line that sums up."""
        for stack, differences in self.differences.items():
            for difference in differences:
                yield f"{stack}: {difference.sample}: {difference.problem}"
                yield f"  {difference.excerpt}"
        for disagreement in self.explored.disagreements:
            yield f"{disagreement}\n"
        for stack, samples in self.breaks.items():
            yield f"{stack} can't keep this, as stacks.toml says: {'; '.join(samples)}"
        found = sum(map(len, self.differences.values())) + len(self.explored.disagreements)
        recipients = "1 stack" if len(self.stacks) == 1 else f"each of {len(self.stacks)} stacks"
        yield (
            f"sent {self.requests} requests of the contract and {self.explored.cases} generated "
            f"ones (seed {self.seed}) to {recipients}: {found} difference{'' if found == 1 else 's'}"
        )


def check(
    urls: Mapping[str, str],
    breaks: Mapping[str, Collection[str]],
    *,
    cases: int,
    seed: int,
    case_done: Callable[[], None],
    merging_slashes: Collection[str] = (),
) -> Outcome:
    """Send every request of the contract and `cases` generated ones to each stack.

    Args:
        urls: Stack -> URL; generated requests are compared with the first stack.
        breaks: Stack -> names of the contract's samples and exchanges that it can't keep.
        cases: How many requests to generate.
        seed: Decides the generated requests.
        case_done: Called after each generated request.
        merging_slashes: As for `explore`.
    """
    requests, differences = parity.check_stacks(urls, breaks)
    explored = explore.explore(urls, cases, seed, case_done, merging_slashes=merging_slashes)
    return Outcome(tuple(urls), requests, differences, breaks, seed, explored)
