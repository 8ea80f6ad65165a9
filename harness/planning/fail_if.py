"""The texts of `--fail-if` -> FailIf records."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from harness.errors import BadInput
from harness.models import FailIf, FailSubject, Plan

_EXAMPLE = "--fail-if 'throughput<0.95,p99>1.10,errors>0.1%,parity'"
_CONDITION = re.compile(r"([a-z0-9]+)\s*([<>]=?|=)\s*(.*)", re.IGNORECASE | re.DOTALL)
#: Ratios beyond these are slips: 95 for 95%, or milliseconds.
_LEAST_RATIO, _MOST_RATIO = 0.05, 20.0
_LATENCIES = (FailSubject.P50, FailSubject.P99)


def parse_fail_ifs(texts: Sequence[str]) -> tuple[FailIf, ...]:
    """Read conditions such as `throughput<0.95`, several of which may stand in one text.

    Args:
        texts: The values of `--fail-if`, in their order.

    Raises:
        BadInput: One can't be read, or makes no sense.
    """
    found: dict[FailSubject, FailIf] = {}
    for text in texts:
        for part in text.split(","):
            condition = _parse(text, part.strip())
            if condition.subject in found:
                raise _refused(text, f"{condition.subject} is given twice")
            found[condition.subject] = condition
    return tuple(found.values())


def refuse_undecidable(plan: Plan) -> None:
    """Refuse a condition that nothing in a plan can ever say anything about.

    Raises:
        BadInput: There is such a condition.
    """
    blocks = [block for block in plan.blocks if block.pairs or plan.against]
    for condition in plan.fail_ifs:
        if not condition.is_ratio:
            continue
        if not blocks:
            raise BadInput(
                f"--fail-if '{condition.text}' compares a candidate with a baseline, and this run "
                "has one stack: name two (--stack), or a saved run (--against)"
            )
        if condition.subject is FailSubject.THROUGHPUT and not any(
            block.has_throughput for block in blocks
        ):
            raise BadInput(
                f"--fail-if '{condition.text}': nothing in this run has a throughput of its own "
                "(open load fixes it): bound p50 or p99, as in --fail-if 'p99>1.10'"
            )


def _parse(text: str, part: str) -> FailIf:
    if part.lower() == FailSubject.PARITY:
        return FailIf(FailSubject.PARITY)
    split = _CONDITION.fullmatch(part)
    name = (split[1] if split else part).lower()
    if split is None or name not in tuple(FailSubject) or name == FailSubject.PARITY:
        known = ", ".join(each for each in FailSubject if each is not FailSubject.PARITY)
        raise _refused(text, f"'{part}' is no bound on {known}, and not 'parity'")
    subject = FailSubject(name)
    sign, figure = split[2], split[3].strip()
    wanted = "<" if FailIf(subject).fails_below else ">"
    if sign != wanted:
        raise _refused(
            text, f"it is the condition that fails the run, so {subject} needs '{wanted}'"
        )
    if subject is FailSubject.ERRORS:
        return _errors(text, figure)
    return FailIf(subject, _ratio(text, subject, figure))


def _ratio(text: str, subject: FailSubject, figure: str) -> float:
    if subject in _LATENCIES and re.fullmatch(r"[0-9.]+\s*(ms|s)", figure, re.IGNORECASE):
        raise _refused(
            text, f"{subject} is bounded by its ratio to the baseline's, and not in milliseconds"
        )
    ratio = _number(text, figure)
    if not _LEAST_RATIO <= ratio <= _MOST_RATIO:
        raise _refused(
            text,
            f"a ratio, candidate ÷ baseline, is {_LEAST_RATIO:g} to {_MOST_RATIO:g} (or 5% to 2000%)",
        )
    return ratio


def _errors(text: str, figure: str) -> FailIf:
    bound, is_share = _number(text, figure), figure.endswith("%")
    if is_share and not 0 <= bound < 1:
        raise _refused(text, "a share of errors is 0% or more and less than 100%")
    if not is_share and bound != int(bound):
        raise _refused(text, "a number of errors is a whole one, and a share has a '%'")
    # No share is smaller than that of one request.
    return FailIf(FailSubject.ERRORS, bound, is_share and bound > 0)


def _number(text: str, figure: str) -> float:
    """`0.95` or `95%`; a number that `float` reads otherwise (`1e3`, `nan`, `-1`) is none here."""
    digits = figure.removesuffix("%").strip()
    if not re.fullmatch(r"[0-9]+(\.[0-9]*)?|\.[0-9]+", digits):
        raise _refused(text, f"'{figure}' is no number such as 0.95 or 95%")
    number = float(digits)
    if not math.isfinite(number):
        raise _refused(text, f"'{figure}' is no number such as 0.95 or 95%")
    return number / 100 if figure.endswith("%") else number


def _refused(text: str, why: str) -> BadInput:
    return BadInput(f"--fail-if '{text}': {why}; write it like {_EXAMPLE}", parameter="--fail-if")
