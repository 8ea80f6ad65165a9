"""Opens and reads the files that requests come from, packed with gzip or not."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from harness.errors import BadInput

_GZIP_MAGIC = b"\x1f\x8b"
#: What is read as a whole; a larger file is hardly what was meant.
_MOST_BYTES = 512 * 2**20


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked if they begin as gzip does, whatever the file's name.

    Raises:
        BadInput: It can't be read, at once or later on.
    """
    try:
        with path.open("rb") as file:
            if file.peek(2)[:2] == _GZIP_MAGIC:
                with gzip.open(file) as unpacked:
                    yield cast(BinaryIO, unpacked)
            else:
                yield file
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadInput(f"{path}: can't be unpacked, as gzip: {str(error).rstrip('.')}") from error
    except OSError as error:
        raise BadInput(f"{path}: can't be read: {error.strerror or error}") from error


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        BadInput: It can't be read, is no UTF-8, or is larger than anyone meant.
    """
    with opened(path) as file:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise BadInput(f"{path}: is larger than {_MOST_BYTES // 2**20} MiB: take a part of it")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadInput(f"{path}:{line}: is not UTF-8 text") from error


def parsed_json(path: Path, text: str) -> Any:
    """The JSON value of a text.

    Raises:
        BadInput: It is no JSON; the message has line and column.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}:{error.lineno}:{error.colno}: is no JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, a deep nest
        raise BadInput(f"{path}: can't be read as JSON: {error}") from error
