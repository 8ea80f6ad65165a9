"""Request bodies that no endpoint accepts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from apps import problems
from apps.contract.building import invalid, post_problem
from apps.contract.records import Sample


def malformed_bodies(path: str, good: bytes) -> Iterator[Sample]:
    """Bodies that every endpoint for a JSON object refuses; `good` is one that it accepts."""
    for name, body in {
        "an array": b"[]",
        "an array of the right object": b"[" + good + b"]",
        "a string": b'"ada"',
        "an empty string": b'""',
        "a number": b"1",
        "zero": b"0",
        "NaN": b"NaN",
        "true": b"true",
        "false": b"false",
        "null": b"null",
    }.items():
        yield post_problem(f"{path}: body is {name}", path, body, invalid(body="type"))

    for name, body in {
        "nothing": b"",
        "blanks": b" \n",
        "half an object": b'{"name": "Ada"',
        "a comma too many": b'{"name": "Ada",}',
        "single quotes": b"{'name': 'Ada'}",
        "more after the object": good + b"{}",
        "no JSON at all": b"name=Ada&age=36",
        "a line break within a string": b'{"name": "A\nda"}',
        "not UTF-8": b'{"name": "\xff"}',
        "an integer of 5,000 digits": b'{"age": ' + b"9" * 5000 + b"}",
        "nested too deeply": b"[" * 100_000,
    }.items():
        yield post_problem(f"{path}: body is {name}", path, body, problems.of_status(400))

    for content_type in (
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/json",
        "application/json, text/plain",
        "json",
    ):
        for name, body in {"the right object": good, "nothing": b"", "no JSON": b"{"}.items():
            yield post_problem(
                f"{path}: {name} as {content_type or 'no content type'}",
                path,
                body,
                problems.of_status(415),
                content_type,
            )

    too_large = padded(good, problems.MAX_BODY_BYTES + 1)
    for type_name, content_type in {"": "application/json", " of text": "text/plain"}.items():
        sample = post_problem(
            f"{path}: 1 MiB and a byte{type_name}",
            path,
            too_large,
            problems.of_status(413),
            content_type,
        )
        yield sample
        yield replace(sample, name=f"{sample.name} in chunks", chunked=True)


def padded(body: bytes, size: int) -> bytes:
    """The body with as many blanks before it as `size` bytes need."""
    return b" " * (size - len(body)) + body
