"""GET /openapi.json, GET /docs: a document and a page, both from FastAPI."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse

from apps.problems import with_problem_media_type

# Ordinary routes, because the routes that FastAPI adds by itself answer HEAD too.
router = APIRouter(include_in_schema=False)

# How FastAPI describes a 422. The contract has another document for it.
_OWN_ERRORS = ("HTTPValidationError", "ValidationError")


@router.get("/openapi.json")
async def document(request: Request) -> JSONResponse:
    """Describe every operation."""
    return JSONResponse(describe(request.app))


@router.get("/docs")
async def docs() -> HTMLResponse:
    """Show the document in Swagger UI."""
    return get_swagger_ui_html(openapi_url="/openapi.json", title="twinbench")


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document; FastAPI builds it once and keeps it."""
    if app.openapi_schema is None:
        described = app.openapi()
        for operations in described["paths"].values():
            for operation in operations.values():
                if _is_own(operation["responses"].get("422")):
                    del operation["responses"][
                        "422"
                    ]  # the operation takes nothing that could be invalid
        for name in _OWN_ERRORS:
            described["components"]["schemas"].pop(name, None)
        with_problem_media_type(described)
    return app.openapi()


def _is_own(response: dict[str, Any] | None) -> bool:
    return response is not None and _OWN_ERRORS[0] in str(response)
