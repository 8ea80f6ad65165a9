"""The twins with a known cost: GET /cpu/python does 5 % more of its work than the contract asks for.

Only `make bench-precision` serves them. The reply is the same, so every check passes.
"""

from __future__ import annotations

from fastapi import FastAPI
from flask import Flask

from apps import fastapi_twin, flask_twin
from apps.domain import cpu

#: Share of the work that is done in addition.
MORE = 0.05

_contracted = cpu.python


def more_steps(size: int) -> int:
    """Steps of work beside those of the contract."""
    return round(MORE * size * cpu.STEPS_PER_UNIT)


def python(size: int) -> str:
    """The work of the contract, and more."""
    result = _contracted(size)
    state = size
    for _ in range(more_steps(size)):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF  # a step of cpu.python
    return result


def flask_app() -> Flask:
    """The Flask twin that does more."""
    cpu.python = python
    return flask_twin.create_app()


def fastapi_app() -> FastAPI:
    """The FastAPI twin that does more."""
    cpu.python = python
    return fastapi_twin.create_app()
