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
# Else Jinja asks the file system at each request whether they changed; in Flask it does not.
templates.env.auto_reload = False


@router.get("/page", response_class=HTMLResponse, responses=responses())
async def page(request: Request) -> Response:
    """Render a list as HTML; the rows are in memory, so that rendering is what takes time."""
    items = catalogue.items(catalogue.ITEMS_ON_PAGE)
    return templates.TemplateResponse(request, "items.html", {"title": "Items", "items": items})
