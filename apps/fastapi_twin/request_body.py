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
    """A request that refuses a body above the limit with 413 when the body is read.

    FastAPI's `max_body_size` would answer in plain text if content-length is known.
    """

    async def body(self) -> bytes:
        """The body, which is read once and kept."""
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
    """A route that takes a JSON object and says what is wrong with any other body.

    FastAPI parses a body only if its content type is JSON and it is not empty. It passes other
    bodies to Pydantic unchanged. All of these are 422 in FastAPI; the contract has 400 and 415 too.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler, as FastAPI's documentation does for a custom request class."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle  # the endpoint reads no body and must not pay for this

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
    # The rule that FastAPI itself applies; it has no public function for it.
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    subtype = message.get_content_subtype()
    return message.get_content_maintype() == "application" and (
        subtype == "json" or subtype.endswith("+json")
    )
