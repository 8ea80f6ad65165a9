"""GET /page."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates

from apps.domain import catalogue
from apps.fastapi_twin.problems import responses

router = APIRouter()

templates = Jinja2Templates(directory=Path(__file__).parent.parent / "templates")
# Otherwise Jinja checks at each request whether a file has changed. In Flask it does not.
templates.env.auto_reload = False


@router.get("/page", response_class=HTMLResponse, responses=responses())
async def page(request: Request) -> Response:
    """Render a list as HTML. The rows are in memory, so rendering takes most of the time."""
    items = catalogue.items(catalogue.ITEMS_ON_PAGE)
    return templates.TemplateResponse(request, "items.html", {"title": "Items", "items": items})
