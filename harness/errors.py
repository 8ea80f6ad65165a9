"""What can go wrong, and the exit code that each kind maps to.

TwinbenchError
├── BadInput                exit 2: the user asked for something that can't be done
│   ├── BadOption           the value of an option makes no sense
│   ├── UnknownName         no such scenario, stack or run (with the nearest names)
│   └── StacksFileError     stacks.toml is malformed (file, line, what is wrong)
└── EnvironmentFailed       exit 3: the machine did not give what a run needs
    ├── ServerFailed        a stack did not start (its last lines shown)
    ├── ServiceFailed       PostgreSQL or the upstream did not start
    ├── LoadFailed          the load process died
    └── ResultsUnwritable   the results folder can't be written

Interrupted                 exit 130: Ctrl-C or SIGTERM; what was measured is kept. Not a
                            TwinbenchError and not even an Exception, since it may be raised
                            anywhere, and no library's `except Exception` may swallow it.

Exit code 0 means that everything is valid; 1 that the command finished, but a figure is invalid,
a promise was broken, or runs differ that were compared.

A message is one line that says what, where and what to do; `detail` holds lines that
came from elsewhere, such as the end of a server's log.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

EXIT_INVALID = 1


class TwinbenchError(Exception):
    """Base of every error that the command line turns into one line and an exit code.

    Attributes:
        detail: Lines that came from elsewhere.
        parameter: The option (`--rounds`) or argument (`scenarios`) that gave the wrong value;
            empty if no single one did.
    """

    exit_code = 1

    def __init__(self, message: str, *, detail: str = "", parameter: str = "") -> None:
        super().__init__(message)
        self.detail = detail
        self.parameter = parameter


class BadInput(TwinbenchError):
    """The user asked for something that can't be done."""

    exit_code = 2


class BadOption(BadInput):
    """The value of an option makes no sense; the message names option, value and what to give."""

    def __init__(self, option: str, value: object, advice: str) -> None:
        super().__init__(f"{option} {value}: {advice}", parameter=option)


class UnknownName(BadInput):
    """A name that is not in the list; the message names the nearest ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        if near:
            hint = f"did you mean {' or '.join(near)}?"
        else:
            hint = f"known: {', '.join(names) or 'none'}"
        super().__init__(f"unknown {kind} '{name}': {hint}", parameter=f"{kind}s")
        self.near = near


class StacksFileError(BadInput):
    """stacks.toml can't be read: which file, which line, what is wrong."""

    def __init__(self, path: object, line: int | None, problem: str) -> None:
        where = f"{path}:{line}" if line else str(path)
        super().__init__(f"{where}: {problem}")
        self.line = line


class EnvironmentFailed(TwinbenchError):
    """The machine did not give what a run needs."""

    exit_code = 3


class ServerFailed(EnvironmentFailed):
    """A stack's server did not start; `detail` holds its last lines."""


class ServiceFailed(EnvironmentFailed):
    """PostgreSQL or the upstream did not start; `detail` holds its last lines."""


class LoadFailed(EnvironmentFailed):
    """The load process died or said something that can't be understood."""


class ResultsUnwritable(EnvironmentFailed):
    """The results folder can't be written."""

    def __init__(self, message: str) -> None:
        super().__init__(message, parameter="--out")


class Interrupted(BaseException):
    """The user or the system asked for an end; what was measured is kept."""

    exit_code = 130
