"""Whether services of the reader's own do the same, looked at before a block and after it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from harness.checking.replay import replay
from harness.models import BlockPlan, Cause, DifferenceKind, Stack
from harness.planning.requests.variables import expand_request
from harness.serving.own import Secrets
from harness.serving.targets import Target

#: So many requests are sent to each service at a time, others each time; and once, closely, more of
#: them. All of a long log would take longer than the block.
_AT_MOST, _AT_MOST_CLOSELY = 20, 100
#: With these a service does something else than the baseline, and not the same thing in other words.
_OTHER_WORK = (DifferenceKind.NO_REPLY, DifferenceKind.STATUS)


@dataclass(frozen=True, slots=True)
class Differing:
    """How stacks differed from the baseline: label -> a line for each cause."""

    other_work: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    in_words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def compare_replies(
    block: BlockPlan,
    stacks: Sequence[Stack],
    targets: Mapping[str, Target],
    *,
    turn: int,
    closely: bool,
) -> Differing:
    """Send some of a block's requests to all its stacks, and compare the replies with the baseline's.

    Args:
        block: It has requests of the reader's own.
        stacks: Its contenders, the baseline first.
        targets: By label.
        turn: How often that was done before in this run: other requests have their turn each time.
        closely: Whether each is asked twice, so that bodies and headers can be compared without what
            a service draws for itself; otherwise only statuses count.

    Raises:
        EnvironmentFailed: A service accepts no connection any more.
    """
    if not block.scenario.requests:
        return Differing()
    own = {stack.label: stack.own for stack in stacks}
    found = replay(
        {stack.label: targets[stack.label].url for stack in stacks},
        block.scenario.requests,
        twice=closely,
        allow_writes=True,  # who did not allow it has none of them in the plan
        at_most=_AT_MOST_CLOSELY if closely else _AT_MOST,
        turn=turn,
        paths={label: each.path_of for label, each in own.items() if each is not None},
        unverified=[label for label, each in own.items() if each and not each.verify_tls],
        expand=partial(expand_request, environ=os.environ),
        redacted=Secrets.of(stacks, block.scenario.requests).hidden,
    )
    other_work: defaultdict[str, list[str]] = defaultdict(list)
    in_words: defaultdict[str, list[str]] = defaultdict(list)
    for cause in found.causes:
        if cause.kind in _OTHER_WORK:
            other_work[cause.other].append(_line(cause))
        elif closely:
            in_words[cause.other].append(_line(cause))
    return Differing(_frozen(other_work), _frozen(in_words))


def _line(cause: Cause) -> str:
    example = cause.examples[0]
    more = f" (and {cause.requests - 1} more)" if cause.requests > 1 else ""
    return f"{example.request}: {example.detail}{more}"


def _frozen(lines: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    return {label: tuple(found) for label, found in lines.items()}
