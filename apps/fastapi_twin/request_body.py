"""The JSON body of a request."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from email.message import Message
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from apps.problems import MAX_BODY_BYTES, invalid, of_status


class JSONBodyRequest(Request):
    """Refuses a larger body with 413 when it is read.

    Not by FastAPI's `max_body_size`, which answers in plain text where content-length is known.
    """

    async def body(self) -> bytes:
        """The body, read once."""
        if not hasattr(self, "_body"):
            chunks = []
            size = 0
            async for chunk in self.stream():
                size += len(chunk)
                if size > MAX_BODY_BYTES:
                    raise HTTPException(413)
                chunks.append(chunk)
            self._body = b"".join(chunks)
        return self._body


class JSONBodyRoute(APIRoute):
    """A route that takes a JSON object, and names what is wrong with any other body.

    FastAPI parses a body only if content-type says JSON and the body is not empty; else it goes
    to Pydantic as it is. All of these are 422 to FastAPI; the contract tells 400 and 415 apart.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler, as FastAPI's documentation does for a request class of one's own."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle  # the endpoint reads no body, so it need not pay for this

        async def handle_json(request: Request) -> Response:
            request = JSONBodyRequest(request.scope, request.receive)
            try:
                return await handle(request)
            except RequestValidationError as error:
                first = error.errors()[0]
                if first["type"] == "json_invalid":
                    raise of_status(400) from error
                if first["loc"] != ("body",):
                    raise
                if not _is_json(request):
                    raise of_status(415) from error
                if not await request.body():
                    raise of_status(400) from error
                raise invalid([("body", "type")]) from error

        return handle_json


def _is_json(request: Request) -> bool:
    # FastAPI's own rule, which it keeps to itself.
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    subtype = message.get_content_subtype()
    return message.get_content_maintype() == "application" and (
        subtype == "json" or subtype.endswith("+json")
    )
