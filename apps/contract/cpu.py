"""GET /cpu/python, GET /cpu/native."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from urllib.parse import quote

from apps import problems
from apps.contract.building import get_problem, invalid, wrong_method
from apps.contract.records import Expected, Sample
from apps.domain import cpu


def cpu_python() -> Sample:
    """GET /cpu/python with the default size."""
    return _work("python", cpu.python, cpu.SIZE_DEFAULT, "")


def cpu_native() -> Sample:
    """GET /cpu/native with the default size."""
    return _work("native", cpu.native, cpu.SIZE_DEFAULT, "")


def python_result(size: int) -> str:
    """The result of so many units of work in Python."""
    return _result(cpu.python, size)


def python_samples(unique: str) -> Iterator[Sample]:
    """Samples of GET /cpu/python."""
    return _samples("python", cpu.python)


def native_samples(unique: str) -> Iterator[Sample]:
    """Samples of GET /cpu/native."""
    return _samples("native", cpu.native)


def _samples(kind: str, work: Callable[[int], str]) -> Iterator[Sample]:
    path = f"/cpu/{kind}"
    yield _work(kind, work, cpu.SIZE_DEFAULT, "")
    for size in (cpu.SIZE_MIN, 3, cpu.SIZE_MAX):
        yield _work(kind, work, size, f"?size={size}")
    yield _work(kind, work, 3, "?size=200&size=3")
    for text in ("0", "101", "-1", "9" * 100):
        yield get_problem(
            f"cpu {kind} of size {text}", f"{path}?size={text}", invalid(size="range")
        )
    for text in ("", "ten", "1.0", "1e1", "1_0", "+1", " 1", "٣", "true", "\0"):
        yield get_problem(
            f"cpu {kind} of size {text!r}", f"{path}?size={quote(text)}", invalid(size="type")
        )
    yield get_problem(f"cpu {kind} with a slash too many", f"/cpu//{kind}", problems.of_status(404))
    yield wrong_method("POST", path, allow="GET")


def _work(kind: str, work: Callable[[int], str], size: int, query: str) -> Sample:
    reply: Expected = {"size": size, "result": _result(work, size)}
    return Sample(f"cpu {kind}{query}", "GET", f"/cpu/{kind}{query}", 200, reply)


@functools.cache  # the scenarios and the samples of every stack ask for the same few results
def _result(work: Callable[[int], str], size: int) -> str:
    return work(size)
