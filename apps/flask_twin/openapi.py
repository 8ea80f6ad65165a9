"""GET /openapi.json, GET /docs: a document and a page, both from SpecTree.

Usually SpecTree wraps each view and checks the input and the output of each request. Here it only
describes the views: the twin validates by hand, and a description that nobody requests costs
nothing. The descriptions are joined to the views when the document is built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from threading import Lock
from typing import Annotated, Any

from flask import Response as FlaskResponse
from flask import jsonify
from pydantic import BaseModel, Field
from spectree import Response, SecurityScheme, SpecTree
from spectree.models import SecureType, SecuritySchemeData
from spectree.page import PAGE_TEMPLATES
from spectree.plugins.flask_plugin import FlaskPlugin
from werkzeug.routing import Rule

from apps.domain.catalogue import EXPORTED_DEFAULT, EXPORTED_MAX, PRICE_MAX, Category
from apps.domain.cpu import SIZE_DEFAULT, SIZE_MAX, SIZE_MIN
from apps.domain.dashboard import (
    QUERIES_DEFAULT,
    QUERIES_MAX,
    QUERIES_MIN,
    WORK_DEFAULT,
    WORK_MAX,
    WORK_MIN,
)
from apps.domain.digits import PIXEL_MAX, PIXELS
from apps.domain.items import PER_PAGE_DEFAULT, PER_PAGE_MAX
from apps.problems import with_problem_media_type

# ------------------------------------------------------------------------------ input

Line = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
Price = Annotated[int, Field(ge=0, le=PRICE_MAX)]


class NewUser(BaseModel):
    """A user as a client sends it; unknown fields are ignored."""

    name: Line
    email: str
    age: Annotated[int, Field(ge=0, le=150)]


class Login(BaseModel):
    """The credentials of a user."""

    email: str
    password: Annotated[str, Field(min_length=1, max_length=100)]


class Image(BaseModel):
    """A handwritten digit: 8 × 8 pixels, row by row."""

    pixels: Annotated[
        list[Annotated[int, Field(ge=0, le=PIXEL_MAX)]],
        Field(min_length=PIXELS, max_length=PIXELS),
    ]


class ItemQuery(BaseModel):
    """The filters and the page of a search; prices are in cents."""

    keyword: Line | None = None
    category: Category | None = None
    min_price: Price | None = None
    max_price: Price | None = None
    page: Annotated[int, Field(ge=1)] = 1
    per_page: Annotated[int, Field(ge=1, le=PER_PAGE_MAX)] = PER_PAGE_DEFAULT


class ExportQuery(BaseModel):
    """The number of items."""

    count: Annotated[int, Field(ge=1, le=EXPORTED_MAX)] = EXPORTED_DEFAULT


class WorkQuery(BaseModel):
    """The amount of work."""

    size: Annotated[int, Field(ge=SIZE_MIN, le=SIZE_MAX)] = SIZE_DEFAULT


class DashboardQuery(BaseModel):
    """How many users are looked up, and how much is computed."""

    queries: Annotated[int, Field(ge=QUERIES_MIN, le=QUERIES_MAX)] = QUERIES_DEFAULT
    work: Annotated[int, Field(ge=WORK_MIN, le=WORK_MAX)] = WORK_DEFAULT


# ----------------------------------------------------------------------------- output


class Health(BaseModel):
    """The state of the twin."""

    status: str


class Greeting(BaseModel):
    """The message to the client."""

    message: str


class Weather(BaseModel):
    """The weather in one city."""

    city: str
    temperature_c: float


class StoredUser(BaseModel):
    """A user in the database."""

    id: int
    name: str
    email: str
    age: int


class StoredItem(BaseModel):
    """An item; the price is in cents."""

    id: int
    name: str
    category: str
    price: int
    rating: float
    in_stock: bool


class ItemPage(BaseModel):
    """One page of the items that were found, and the number on all pages."""

    items: list[StoredItem]
    total: int


class Export(BaseModel):
    """Many items."""

    items: list[StoredItem]


class Token(BaseModel):
    """A token for /protected, and the seconds until it expires."""

    access_token: str
    token_type: str
    expires_in: int


class Identity(BaseModel):
    """The owner of a token."""

    email: str


class Work(BaseModel):
    """The size of the work, and its result."""

    size: int
    result: str


class Dashboard(BaseModel):
    """The weather in a city, users, and the result of some work."""

    weather: Weather
    users: list[StoredUser]
    result: str


class Prediction(BaseModel):
    """The digit that the classifier sees."""

    digit: int


class BrokenRule(BaseModel):
    """A field and the rule that it breaks."""

    field: str
    rule: str


class ProblemDocument(BaseModel):
    """A problem document."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[BrokenRule] | None = None


# ------------------------------------------------------------------------ operations


class DescribingPlugin(FlaskPlugin):
    """Gives SpecTree wrapped copies of the views, for the document alone."""

    def parse_func(self, route: Rule) -> Iterator[tuple[str, Callable[..., Any]]]:
        """The views that have a description."""
        describe = OPERATIONS.get(route.endpoint)
        if describe is not None:
            for method, view in super().parse_func(route):
                yield method, describe(view)

    def parse_path(
        self, route: Any, path_parameter_descriptions: Mapping[str, str] | None
    ) -> tuple[str, list[dict[str, Any]]]:
        """Like the base class, but with ids as numbers: the views parse them from text."""
        path, parameters = super().parse_path(route, path_parameter_descriptions)
        for parameter in parameters:
            if parameter["name"] == "id":
                parameter["schema"] = {"type": "integer"}
        return path, parameters


spec = SpecTree(
    backend=DescribingPlugin,
    annotations=False,
    title="twinbench",
    naming_strategy=lambda model: model.__name__,
    nested_naming_strategy=lambda parent, child: child,
    # SpecTree adds this status to every operation, and every operation can fail.
    validation_error_status=500,
    validation_error_model=ProblemDocument,
    security_schemes=[
        SecurityScheme("HTTPBearer", SecuritySchemeData(SecureType.HTTP, scheme="bearer"))
    ],
)


def _replies(good: type[BaseModel] | None, *problems: int, status: int = 200) -> Response:
    documents = {f"HTTP_{problem}": ProblemDocument for problem in problems}
    return Response(**{f"HTTP_{status}": good}, **documents)


OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "health.healthz": spec.validate(resp=_replies(Health, 503)),
    "hello.hello": spec.validate(resp=_replies(Greeting)),
    "weather.weather": spec.validate(resp=_replies(Weather, 404, 502, 503, 504)),
    "users.validate": spec.validate(json=NewUser, resp=_replies(NewUser, 400, 413, 415, 422)),
    "users.create": spec.validate(
        json=NewUser, resp=_replies(StoredUser, 400, 409, 413, 415, 422, 503, status=201)
    ),
    "users.get": spec.validate(resp=_replies(StoredUser, 404, 422, 503)),
    "items.search": spec.validate(query=ItemQuery, resp=_replies(ItemPage, 422, 503)),
    "items.get": spec.validate(resp=_replies(StoredItem, 404, 422, 503)),
    "auth.login": spec.validate(json=Login, resp=_replies(Token, 400, 401, 413, 415, 422, 503)),
    "auth.protected": spec.validate(resp=_replies(Identity, 401), security={"HTTPBearer": []}),
    "page.page": spec.validate(resp=_replies(None)),
    "export.export": spec.validate(query=ExportQuery, resp=_replies(Export, 422)),
    "cpu.python": spec.validate(query=WorkQuery, resp=_replies(Work, 422)),
    "cpu.native": spec.validate(query=WorkQuery, resp=_replies(Work, 422)),
    "predict.predict": spec.validate(
        json=Image, resp=_replies(Prediction, 400, 413, 415, 422, 503)
    ),
    "dashboard.dashboard": spec.validate(
        query=DashboardQuery, resp=_replies(Dashboard, 404, 422, 502, 503, 504)
    ),
    "crash.crash": spec.validate(resp=Response()),
}


# SpecTree builds the document at the first request, and not safely with threads.
_one_at_a_time = Lock()


def document() -> FlaskResponse:
    """Describe every operation."""
    with _one_at_a_time:
        return jsonify(with_problem_media_type(spec.spec))


def docs() -> str:
    """Show the document in Swagger UI."""
    page: str = PAGE_TEMPLATES["swagger"]
    settings = spec.config.swagger_oauth2_config()
    return page.format(spec_url="/openapi.json", spec_path="docs", **settings)
