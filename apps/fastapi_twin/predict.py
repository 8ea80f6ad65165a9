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
    """What the classifier takes it for."""

    digit: int


async def _classifier(request: Request) -> Classifier:
    loaded: Classifier | None = request.state.classifier
    if loaded is None:
        raise no_classifier()
    return loaded


@router.post("/predict", responses=responses(400, 413, 415, 422, 503))
def predict(image: Image, classifier: Annotated[Classifier, Depends(_classifier)]) -> Prediction:
    """Tell which digit an image shows; in a thread, so that the event loop goes on."""
    return Prediction(digit=classifier.digit(image.pixels))
