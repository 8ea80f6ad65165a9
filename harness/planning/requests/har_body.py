"""The body of a request in a HAR file, as the bytes that were sent.

Browsers save a body as text. What they could not decode is lost, and some tools write a character
for each byte instead; the size of the body tells which of them it was.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from harness.planning.requests.parts_of_requests import is_sendable_value

_ABSENT = "left out {n} whose body is not in the file ({names})"
_LOST = "left out {n} whose body is not in the file as it was sent ({names})"


class NotInFile(Exception):
    """The body can't be sent again; the message is a reason of `LeftOut`."""


def body_of(request: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[str | None, str]:
    """The body, a character for each byte, and its type. None: the request has no body.

    Args:
        request: The `request` of an entry.
        headers: Its headers, with names in lower case.

    Raises:
        NotInFile: The file has not what was sent.
    """
    data = request.get("postData")
    data = data if isinstance(data, dict) else {}
    mime = data.get("mimeType")
    content_type = headers.get("content-type", mime if isinstance(mime, str) else "")
    content_type = content_type if is_sendable_value(content_type) else ""
    size = _size_of(request, headers)
    text, params = data.get("text"), data.get("params")
    if isinstance(text, str) and text:
        encoding = data.get("encoding", data.get("_encoding"))
        return _bytes_of(text, encoding, size).decode("latin-1"), content_type
    if isinstance(params, list) and params and "multipart" not in content_type:
        pairs = [
            (str(param.get("name", "")), str(param.get("value", "")))
            for param in params
            if isinstance(param, dict)
        ]
        return urlencode(pairs, errors="replace"), content_type
    if size > 0 or params:
        raise NotInFile(_ABSENT)
    return ("" if isinstance(text, str) else None), content_type if isinstance(text, str) else ""


def _bytes_of(text: str, encoding: object, size: int) -> bytes:
    if encoding == "base64":
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise NotInFile(_LOST) from None
    try:
        encoded = text.encode()
    except UnicodeEncodeError:  # half a character, which no text has
        raise NotInFile(_LOST) from None
    if len(encoded) != size == len(text) and all(ord(one) < 256 for one in text):
        return text.encode("latin-1")
    if "\ufffd" in text and len(encoded) != size:  # stands where something could not be decoded
        raise NotInFile(_LOST)
    return encoded


def _size_of(request: Mapping[str, Any], headers: Mapping[str, str]) -> int:
    """Bytes of the body as it was sent; -1 if that is not known."""
    length = headers.get("content-length", "")
    if length.isdecimal():
        return int(length)
    size = request.get("bodySize")
    return size if isinstance(size, int) else -1
