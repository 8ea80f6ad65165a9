"""POST /predict."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from apps.domain.classifier import Classifier
from apps.domain.digits import PIXEL_MAX, PIXELS
from apps.fastapi_twin.problems import responses
from apps.fastapi_twin.request_body import JSONBodyRoute
from apps.problems import no_classifier

router = APIRouter(route_class=JSONBodyRoute)

Pixel = Annotated[int, Field(strict=True, ge=0, le=PIXEL_MAX)]


class Image(BaseModel):
    """A handwritten digit: 8 × 8 pixels, row by row."""

    pixels: Annotated[list[Pixel], Field(min_length=PIXELS, max_length=PIXELS)]


class Prediction(BaseModel):
    """The digit that the classifier sees."""

    digit: int


async def _classifier(request: Request) -> Classifier | None:
    classifier: Classifier | None = request.state.classifier
    return classifier


@router.post("/predict", responses=responses(400, 413, 415, 422, 503))
def predict(
    image: Image, classifier: Annotated[Classifier | None, Depends(_classifier)]
) -> Prediction:
    """Tell which digit an image shows, in a thread: the event loop stays free meanwhile."""
    # Not in the dependency, which FastAPI calls before it validates the image.
    if classifier is None:
        raise no_classifier()
    return Prediction(digit=classifier.digit(image.pixels))
